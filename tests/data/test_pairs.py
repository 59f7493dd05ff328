import dataclasses

import numpy as np
import pytest

from tfrespam.config import AugmentConfig
from tfrespam.data.loading import augment, pairs, pipeline

STILL = AugmentConfig(rotation_degrees=0.0, flips=False)


def table(*rows):
    """Make a table from rows of lesion id, film id, patient, laterality and view."""
    names = ("lesion_id", "film_id", "patient_id", "laterality", "view")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    return {**columns, "copy": np.zeros(len(rows), np.int64)}


CBIS = table(
    ("P_1_LEFT_CC_1", "P_1_LEFT_CC", "P_1", "LEFT", "CC"),
    ("P_1_LEFT_CC_2", "P_1_LEFT_CC", "P_1", "LEFT", "CC"),
    ("P_1_LEFT_MLO_1", "P_1_LEFT_MLO", "P_1", "LEFT", "MLO"),
    ("P_1_RIGHT_MLO_1", "P_1_RIGHT_MLO", "P_1", "RIGHT", "MLO"),
    ("P_2_LEFT_MLO_2", "P_2_LEFT_MLO", "P_2", "LEFT", "MLO"),
)
CESM = table(
    ("P1_L_DM_CC_1", "P1_L_DM_CC", "P1", "LEFT", "CC"),
    ("P1_L_CM_CC_1", "P1_L_CM_CC", "P1", "LEFT", "CC"),
    ("P1_L_DM_MLO_1", "P1_L_DM_MLO", "P1", "LEFT", "MLO"),
)


def test_partners_by_view_show_the_same_lesion_of_the_same_breast():
    everything = np.ones(5, bool)
    assert pairs.partners(CBIS, everything, "view").tolist() == [2, -1, 0, -1, -1]
    assert pairs.partners(CBIS, everything, "contrast").tolist() == [-1] * 5


def test_partners_by_contrast_and_by_view():
    everything = np.ones(3, bool)
    assert pairs.partners(CESM, everything, "contrast").tolist() == [1, 0, -1]
    assert pairs.partners(CESM, everything, "view").tolist() == [2, -1, 0]


def test_a_partner_that_is_not_selected_is_missing():
    assert pairs.partners(CBIS, np.array([True, True, False, True, True]), "view").tolist() == [-1] * 4
    assert pairs.partners(CBIS, np.array([True, False, True, False, False]), "view").tolist() == [2, 0]


def test_unknown_views_and_breasts_have_no_partner():
    unknown = table(("a", "a", "a", "", ""), ("b", "b", "a", "", "CC"), ("c", "c", "a", "LEFT", ""))
    assert pairs.partners(unknown, np.ones(3, bool), "view").tolist() == [-1] * 3


@pytest.fixture(scope="module")
def chosen(prepared):
    """All examples but one, whose partner therefore has no second image."""
    train = prepared.table["split"] == "train"
    return train & (np.arange(len(train)) != np.flatnonzero(train)[0])


@pytest.fixture(scope="module")
def single(prepared, chosen):
    return next(pipeline.evaluation(prepared, chosen, batch_size=1000).as_numpy_iterator())


def test_the_second_channel_is_the_image_of_the_partner_or_black(prepared, chosen, single):
    images, masks = next(pipeline.evaluation(prepared, chosen, batch_size=1000, second="view").as_numpy_iterator())
    found = pairs.partners(prepared.table, chosen, "view")
    places = {row: n for n, row in enumerate(np.flatnonzero(chosen))}
    assert images.shape[-1] == 2 and masks.shape[-1] == 1
    np.testing.assert_array_equal(masks, single[1])
    np.testing.assert_array_equal(images[..., :1], single[0])
    assert (found >= 0).any() and (found < 0).any()
    for n, partner in enumerate(found):
        expected = single[0][places[partner], ..., 0] if partner >= 0 else np.zeros(images.shape[1:3])
        np.testing.assert_array_equal(images[n, ..., 1], expected)


def test_a_part_of_a_split_has_partners_in_the_whole_split(prepared, chosen):
    """As in reports, which show a few images of a split."""
    images, _ = next(pipeline.evaluation(prepared, chosen, batch_size=1000, second="view").as_numpy_iterator())
    rows = np.flatnonzero(chosen)
    place = int(np.flatnonzero(pairs.partners(prepared.table, chosen, "view") >= 0)[0])
    alone = np.arange(len(chosen)) == rows[place]
    options = {"batch_size": 1, "second": "view"}
    (shown,), _ = next(pipeline.evaluation(prepared, alone, **options, among=chosen).as_numpy_iterator())
    np.testing.assert_array_equal(shown, images[place])
    (without,), _ = next(pipeline.evaluation(prepared, alone, **options).as_numpy_iterator())
    assert shown[..., 1].any() and not without[..., 1].any()


@pytest.mark.parametrize("limit", [0, pipeline.DECODED_LIMIT])
def test_training_and_evaluation_have_the_same_pairs(prepared, chosen, monkeypatch, limit):
    monkeypatch.setattr(pipeline, "DECODED_LIMIT", limit)
    options = {"batch_size": int(chosen.sum()), "seed": 3, "second": "view"}
    shown, _ = next(pipeline.training(prepared, chosen, STILL, **options).as_numpy_iterator())
    known, _ = next(pipeline.evaluation(prepared, chosen, batch_size=1000, second="view").as_numpy_iterator())
    assert {image.tobytes() for image in shown} == {image.tobytes() for image in known}


@pytest.mark.parametrize("draw", ["separate", "joint"])
def test_both_images_are_augmented_alike_and_a_missing_one_stays_black(draw):
    rng = np.random.default_rng(0)
    one = rng.random((2, 32, 32, 1)).astype(np.float32)
    config = AugmentConfig(rotation_degrees=20, gamma=0.3, contrast=0.3, draw=draw)
    seeds = np.array([[5, 0], [5, 1]])
    noise = dataclasses.replace(config, noise=0.05)
    both = np.concatenate([one, one], -1)
    both[1, ..., 1] = 0
    alone, _ = augment.build(config)(one, np.zeros_like(one), seeds)
    found, _ = augment.build(config)(both, np.zeros_like(one), seeds)
    noisy, _ = augment.build(noise)(both, np.zeros_like(one), seeds)
    np.testing.assert_allclose(found[..., :1], alone, atol=1e-6)
    np.testing.assert_allclose(found[0, ..., 1:], alone[0], atol=1e-6)
    assert not np.any(found[1, ..., 1]) and not np.any(noisy[1, ..., 1])
    assert 0.02 < np.std(noisy[0] - found[0]) < 0.06
