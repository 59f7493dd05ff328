

def test_models_are_offered_newest_first(trained):
    from tfrespam.studies.demonstration.models import described, loaded, offered

    found = offered(trained[0].models_dir, None)
    assert list(found) == ["exp 1"] and offered(".", str(found["exp 1"].parent)) == found
    assert list(offered("nowhere", None)) == ["pretrained 2"]
    assert "trained on *tiny*, crops around a mass" in described(loaded(found["exp 1"]))
