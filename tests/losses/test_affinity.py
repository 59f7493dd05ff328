"""The pairwise affinity loss against an implementation in NumPy, pair by pair."""

import keras
import numpy as np
import pytest

from tfrespam.losses.affinity import Affinity

RNG = np.random.default_rng(1)
GREY = RNG.random((3, 9, 11, 1)).astype("float32")
PROBABILITY = RNG.uniform(0.02, 0.98, GREY.shape).astype("float32")
BOX = np.zeros_like(GREY)
BOX[0, 2:6, 3:8] = BOX[1, :, 4:] = 1  # the third picture has none


def second_statement(box, grey, probability, contrast, distance):
    """Compute the mean over all ordered pairs of neighbours; counting pairs twice does not change the mean."""
    grey = (grey - grey.mean()) / grey.std()
    costs = []
    for y, x in np.ndindex(grey.shape):
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1), (0, -1), (-1, 0), (-1, -1), (-1, 1)):
            v, u = y + down * distance, x + right * distance
            if not (0 <= v < grey.shape[0] and 0 <= u < grey.shape[1]):
                continue
            if (box[y, x] or box[v, u]) and abs(grey[y, x] - grey[v, u]) <= contrast:
                p, q = probability[y, x], probability[v, u]
                costs.append(-np.log(p * q + (1 - p) * (1 - q)))
    return np.mean(costs) if costs else 0.0


@pytest.mark.parametrize(("contrast", "distance"), [(0.1, 2), (0.5, 1), (9.0, 4)])
def test_affinity_matches_a_loop_over_pairs_of_pixels(contrast, distance):
    pictures = zip(*(part[..., 0].astype(float) for part in (BOX, GREY, PROBABILITY)), strict=True)
    expected = [second_statement(*picture, contrast, distance) for picture in pictures]
    loss = Affinity(contrast, distance)
    target = np.concatenate([BOX, GREY], -1)
    np.testing.assert_allclose(loss.call(target, PROBABILITY), expected, rtol=1e-4)
    assert float(loss(target, PROBABILITY)) == pytest.approx(np.mean(expected), rel=1e-4)
    assert expected[0] > 0 and expected[2] == 0


def test_affinity_is_invariant_to_brightness_and_contrast():
    one, other = (float(Affinity()(np.concatenate([BOX, grey], -1), PROBABILITY)) for grey in (GREY, 0.2 * GREY + 0.7))
    assert one == pytest.approx(other, rel=1e-4)


def test_gradients_are_finite_for_opposite_neighbours_and_constant_images():
    tensorflow = pytest.importorskip("tensorflow")
    stripes = np.zeros((1, 8, 8, 1), "float32")
    stripes[:, ::2] = 1
    prediction = tensorflow.Variable(stripes)
    with tensorflow.GradientTape() as tape:
        loss = Affinity(distance=1)(np.concatenate([np.ones_like(stripes), np.full_like(stripes, 0.5)], -1), prediction)
    assert np.isfinite(float(loss)) and float(loss) > 1
    assert np.isfinite(tape.gradient(loss, prediction)).all()


def test_serialisation_round_trip_and_invalid_arguments():
    loss = keras.losses.deserialize(keras.losses.serialize(Affinity(0.3, 3)))
    assert (loss.contrast, loss.distance) == (0.3, 3)
    for arguments in ({"contrast": -1}, {"distance": 0}):
        with pytest.raises(ValueError, match="`contrast` >= 0 and `distance` >= 1"):
            Affinity(**arguments)
