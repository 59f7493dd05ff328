import keras
import numpy as np
import pytest

import tfrespam
from tfrespam.layers import QuarterTurn
from tfrespam.models.ensemble import VIEWS, average
from tfrespam.models.stored import load_network


def network(seed, size=8):
    keras.utils.set_random_seed(seed)
    image = keras.Input((size, size, 1), name="image")
    output = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="probability")(image)
    return keras.Model(image, output)


def random_images(size=8):
    return np.random.default_rng(0).random((3, size, size, 1), np.float32)


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_inverse_rotation_restores_every_pixel(turns, mirrored):
    turned = QuarterTurn(turns, mirrored)(random_images())
    expected = np.rot90(random_images(), turns, (1, 2))
    np.testing.assert_array_equal(turned, expected[:, :, ::-1] if mirrored else expected)
    np.testing.assert_array_equal(QuarterTurn(turns, mirrored, inverse=True)(turned), random_images())


@pytest.mark.parametrize("views", ["none", "flips"])
def test_runs_of_one_network_are_averaged(tmp_path, views):
    """Runs of one network have the same name, which Keras rejects within one model."""
    models = []
    for seed in (0, 1):
        keras.utils.set_random_seed(seed)
        tfrespam.build_model("unet", (32, 32, 1), 1 / 32).save(tmp_path / "run.keras")
        models.append(load_network(tmp_path / "run.keras"))
    alone = [np.asarray(average([model], views)(random_images(32))) for model in models]
    np.testing.assert_allclose(average(models, views)(random_images(32)), np.mean(alone, axis=0), atol=1e-6)
    assert np.abs(alone[0] - alone[1]).max() > 1e-6


def test_average_is_the_mean_over_models_and_views():
    models = [network(1), network(2)]
    expected = 0
    for model in models:
        for turns, mirrored in VIEWS["dihedral"]:
            view = np.rot90(random_images(), turns, (1, 2))
            view = view[:, :, ::-1] if mirrored else view
            answer = np.asarray(model(view))
            answer = answer[:, :, ::-1] if mirrored else answer
            expected = expected + np.rot90(answer, -turns, (1, 2)) / 16
    np.testing.assert_allclose(average(models, "dihedral")(random_images()), expected, atol=1e-6)


def test_dihedral_average_is_equivariant_to_rotation():
    model = average([network(3)], "dihedral")
    turned = np.asarray(model(np.rot90(random_images(), 1, (1, 2))))
    np.testing.assert_allclose(turned, np.rot90(np.asarray(model(random_images())), 1, (1, 2)), atol=1e-6)


def oblong(seed):
    keras.utils.set_random_seed(seed)
    image = keras.Input((6, 4, 1), name="image")
    output = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="probability")(image)
    return keras.Model(image, output)


@pytest.mark.parametrize(("views", "flips"), [("mirror", [(), (2,)]), ("flips", [(), (2,), (1, 2), (1,)])])
def test_images_that_are_not_square_are_mirrored_but_not_rotated(views, flips):
    model, images = oblong(8), np.random.default_rng(1).random((2, 6, 4, 1), np.float32)
    expected = np.mean([np.flip(model(np.flip(images, axes)), axes) for axes in flips], axis=0)
    np.testing.assert_allclose(average([model], views)(images), expected, atol=1e-6)
    with pytest.raises(ValueError, match="6 x 4 pixels.*Received: views='dihedral'"):
        average([model], "dihedral")


def test_dihedral_has_eight_different_views():
    seen = {np.asarray(QuarterTurn(*view)(random_images())).tobytes() for view in VIEWS["dihedral"]}
    assert len(seen) == 8


def test_one_model_and_one_view_give_the_model_itself():
    model = network(4)
    assert average([model]) is model


def test_unknown_views_and_different_inputs_are_rejected():
    with pytest.raises(ValueError, match="dihedral"):
        average([network(5)], "rotations")
    with pytest.raises(ValueError, match="same input"):
        average([network(5), network(5, size=16)])
    with pytest.raises(ValueError, match="same input"):
        average([])


def test_a_saved_average_gives_the_same_predictions(tmp_path):
    model = average([network(6), network(7)], "flips")
    model.save(tmp_path / "average.keras")
    loaded = keras.saving.load_model(tmp_path / "average.keras")
    np.testing.assert_allclose(loaded(random_images()), model(random_images()), atol=1e-6)
