

def test_models_are_offered_newest_first(trained):
    from tfrespam.serving.inference.pretrained import FILMS, shipped
    from tfrespam.studies.demonstration.models import described, finder_path, loaded, offered

    found = offered(trained[0].models_dir, None)
    assert list(found) == ["exp 1"] and offered(".", str(found["exp 1"].parent)) == found
    assert list(offered("nowhere", None)) == ["pretrained 2"]
    model = loaded(found["exp 1"])
    assert described(model).endswith("*tiny*, crops around a mass; on a whole film, draw a box around it.")
    assert finder_path(found) == shipped(FILMS)
    assert described(model, True).endswith("around a mass; whole films are searched with the film network.")
