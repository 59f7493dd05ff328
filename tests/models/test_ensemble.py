import keras
import numpy as np
import pytest

import tfrespam
from tfrespam.models.ensemble import VIEWS, QuarterTurn, average
from tfrespam.models.stored import load_network


def network(seed, size=8):
    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 1), name="image")
    output = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="probability")(image)
    return keras.Model(image, output)


def pictures(size=8):
    return np.random.default_rng(0).random((3, size, size, 1), np.float32)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turning_back_restores_every_pixel(turns, mirrored):
    turned = QuarterTurn(turns, mirrored)(pictures())
    expected = np.rot90(pictures(), turns, (1, 2))
    np.testing.assert_array_equal(turned, expected[:, :, ::-1] if mirrored else expected)
    np.testing.assert_array_equal(QuarterTurn(turns, mirrored, inverse=True)(turned), pictures())


@pytest.mark.parametrize("views", ["none", "flips"])
def test_runs_of_one_network_are_averaged(tmp_path, views):
    """They have the same name, which Keras refuses within one network."""
    models = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        tfrespam.build_model("unet", (32, 32, 1), 1 / 32).save(tmp_path / "run.keras")
        models.append(load_network(tmp_path / "run.keras"))
    alone = [np.asarray(average([model], views)(pictures(32))) for model in models]
    np.testing.assert_allclose(average(models, views)(pictures(32)), np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-6


def test_average_is_the_mean_over_models_and_views():
    models = [network(1), network(2)]
    expected = 0
    for model in models:
        for turns, mirrored in VIEWS["dihedral"]:
            view = np.rot90(pictures(), turns, (1, 2))
            view = view[:, :, ::-1] if mirrored else view
            answer = np.asarray(model(view))
            answer = answer[:, :, ::-1] if mirrored else answer
            expected = expected + np.rot90(answer, -turns, (1, 2)) / 16
    np.testing.assert_allclose(average(models, "dihedral")(pictures()), expected, atol=1e-6)


def test_dihedral_average_turns_with_the_picture():
    model = average([network(3)], "dihedral")
    turned = np.asarray(model(np.rot90(pictures(), 1, (1, 2))))
    np.testing.assert_allclose(turned, np.rot90(np.asarray(model(pictures())), 1, (1, 2)), atol=1e-6)


def test_eight_views_differ():
    seen = {np.asarray(QuarterTurn(*view)(pictures())).tobytes() for view in VIEWS["dihedral"]}
    assert len(seen) == 8


def test_nothing_to_average_is_the_model_itself():
    model = network(4)
    assert average([model]) is model


def test_unknown_views_and_unequal_models_are_refused():
    with pytest.raises(ValueError, match="dihedral"):
        average([network(5)], "rotations")
    with pytest.raises(ValueError, match="same input"):
        average([network(5), network(5, size=16)])
    with pytest.raises(ValueError, match="same input"):
        average([])


def test_an_average_survives_saving(tmp_path):
    model = average([network(6), network(7)], "flips")
    model.save(tmp_path / "average.keras")
    loaded = keras.saving.load_model(tmp_path / "average.keras")
    np.testing.assert_allclose(loaded(pictures()), model(pictures()), atol=1e-6)
