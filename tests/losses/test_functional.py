"""Outlines, boxes, projections and gradients."""

import keras
import numpy as np
import pytest
from loss_reference import masks_of, probabilities_of

from tfrespam import losses


def test_cross_entropy_of_a_saturated_sigmoid_keeps_its_gradient():
    tensorflow = pytest.importorskip("tensorflow")
    logits = tensorflow.Variable(np.full((1, 4, 4, 1), 40.0, "float32"))
    with tensorflow.GradientTape() as tape:
        result = losses.get_loss("bce")(np.zeros((1, 4, 4, 1), "float32"), keras.ops.sigmoid(logits))
    np.testing.assert_allclose(tape.gradient(result, logits), 1 / 16)


def test_a_mass_cut_by_the_image_edge_has_no_outline_there():
    mask = np.zeros((1, 20, 20, 1), "float32")
    mask[:, :, :10] = 1
    edge = np.asarray(losses.outline(mask, radius=3))[0, ..., 0]
    assert (edge[:, 7:10] == 1).all() and edge.sum() == 60


def test_bounding_box_covers_all_components_and_is_tight():
    mask = np.zeros((3, 12, 12, 1), "float32")
    mask[0, 2, 3], mask[0, 9, 5] = 1, 1  # two parts: the box around both
    mask[1, :, 11] = 1
    box = np.array(losses.bounding_box(mask))[..., 0]
    assert box[0, 2:10, 3:6].all() and box[0].sum() == 8 * 3
    assert box[1, :, 11].all() and box[1].sum() == 12 and not box[2].any()


def test_projection_loss_depends_only_on_the_bounding_box():
    masks = masks_of()
    holed = masks.copy()
    holed[:, 5:6, 5:6] = 0
    np.testing.assert_array_equal(*(losses.get_loss("projection").call(each, probabilities_of(masks) * 0 + 0.3)
                                    for each in (masks, holed)))  # fmt: skip


def test_a_fill_outside_its_bounds_is_penalised_by_the_excess():
    mask, probability = np.zeros((1, 10, 10, 1), "float32"), np.zeros((1, 10, 10, 1), "float32")
    mask[:, 2:8, 2:7] = 1  # a box of 30 pixels
    probability[:, 2:8, 2:5] = 0.5  # fills 9 of them
    plain, low, high = (float(losses.get_loss("projection", **bounds)(mask, probability)) for bounds in (
        {}, {"least_fill": 0.5}, {"most_fill": 0.2}))  # fmt: skip
    assert (low - plain, high - plain) == pytest.approx((0.2, 0.1), abs=1e-6)
