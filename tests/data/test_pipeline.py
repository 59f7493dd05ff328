import dataclasses
import itertools

import cv2
import numpy as np
import pytest

from tfrespam.config import AugmentConfig
from tfrespam.data.loading import pipeline

STILL = AugmentConfig(rotation_degrees=0.0, flips=False)
TURNED = AugmentConfig(rotation_degrees=15, scale=0.2, contrast=0.2, noise=0.02)


@pytest.fixture(params=["decoded", "encoded"])
def memory(request, monkeypatch):
    if request.param == "encoded":
        monkeypatch.setattr(pipeline, "DECODED_LIMIT", 0)
    return request.param


@pytest.fixture(scope="module")
def chosen(prepared):
    return prepared.table["split"] == "train"


@pytest.fixture(scope="module")
def originals(prepared, chosen):
    images, masks = zip(*pipeline.evaluation(prepared, chosen, batch_size=5).as_numpy_iterator(), strict=True)
    return np.concatenate(images), np.concatenate(masks)


def take(prepared, chosen, config, steps, **options):
    batches = pipeline.training(prepared, chosen, config, **{"batch_size": 4, "seed": 7} | options)
    images, masks = zip(*itertools.islice(batches.as_numpy_iterator(), steps), strict=True)
    return np.stack(images), np.stack(masks)


def test_evaluation_gives_each_example_once_in_the_order_of_the_index(prepared, chosen):
    batches = list(pipeline.evaluation(prepared, chosen, batch_size=4).as_numpy_iterator())
    count = int(chosen.sum())
    assert [len(images) for images, _ in batches] == [4] * (count // 4) + [count % 4]
    assert {image.dtype for image, _ in batches} == {mask.dtype for _, mask in batches} == {np.dtype(np.float32)}
    masks = np.concatenate([masks for _, masks in batches])
    np.testing.assert_array_equal(masks.sum(axis=(1, 2, 3)), prepared.table["mass_pixels"][chosen])
    assert set(np.unique(masks)) == {0.0, 1.0} and len(set(prepared.table["mass_pixels"][chosen])) > count // 2


def test_images_are_those_stored(prepared, chosen, originals):
    stored = list(pipeline.encoded(prepared, chosen).as_numpy_iterator())
    assert [example["lesion_id"].decode() for example in stored] == list(prepared.table["lesion_id"][chosen])
    for example, image, mask in zip(stored, *originals, strict=True):
        picture = cv2.imdecode(np.frombuffer(example["image"], np.uint8), cv2.IMREAD_UNCHANGED)
        assert picture.dtype == np.uint16
        np.testing.assert_allclose(image[..., 0], picture / 65535, rtol=0, atol=1e-7)
        picture = cv2.imdecode(np.frombuffer(example["mask"], np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(mask[..., 0], picture)


def test_every_example_comes_once_in_an_epoch(prepared, chosen, originals, memory):
    count = int(chosen.sum())
    images, masks = take(prepared, chosen, STILL, 3 * count, batch_size=1)
    known = {image.tobytes(): number for number, image in enumerate(np.round(originals[0] * 65535).astype(np.uint16))}
    seen = [known[image.tobytes()] for image in np.round(images[:, 0] * 65535).astype(np.uint16)]
    epochs = [seen[start : start + count] for start in range(0, 3 * count, count)]
    assert all(sorted(epoch) == list(range(count)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] and epochs[0] != list(range(count))
    np.testing.assert_array_equal(masks[:, 0], originals[1][seen])


def test_a_restart_continues_with_identical_batches(prepared, chosen, memory):
    whole = take(prepared, chosen, TURNED, 14)  # three epochs, batches that reach over their ends
    for first_step in (2, 11):
        rest = take(prepared, chosen, TURNED, 14 - first_step, first_step=first_step)
        for expected, found in zip(whole, rest, strict=True):
            np.testing.assert_array_equal(found, expected[first_step:])


def test_a_restart_continues_with_identical_random_crops(prepared, chosen, memory):
    config = AugmentConfig(recrop=1.6, context_range=(1.0, 1.6), off_centre=0.1, crop_shape="any", gamma=0.2)
    whole = take(prepared, chosen, config, 9)
    assert whole[0].shape == whole[1].shape == (9, 4, 20, 20, 1)
    for expected, found in zip(whole, take(prepared, chosen, config, 5, first_step=4), strict=True):
        np.testing.assert_array_equal(found, expected[4:])
    coverage = whole[1].mean((2, 3, 4))
    fixed = take(prepared, chosen, dataclasses.replace(config, context_range=(), crop_shape="square", off_centre=0.0),
                 9)[1].mean((2, 3, 4))  # fmt: skip
    assert coverage.min() < 0.9 * fixed.mean() and coverage.std() > 0.05


def test_decoded_and_encoded_caches_give_identical_batches(prepared, chosen, monkeypatch):
    decoded = take(prepared, chosen, TURNED, 9)
    monkeypatch.setattr(pipeline, "DECODED_LIMIT", 0)
    for expected, found in zip(decoded, take(prepared, chosen, TURNED, 9), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_seeds_differ_in_order_and_augmentation(prepared, chosen):
    one, other = take(prepared, chosen, TURNED, 6)[0], take(prepared, chosen, TURNED, 6, seed=8)[0]
    assert not any((first == second).all() for first in one.reshape(24, -1) for second in other.reshape(24, -1))


def test_augmentation_differs_between_epochs(prepared, chosen):
    count = int(chosen.sum())
    images = take(prepared, chosen, AugmentConfig(), 2 * count, batch_size=1)[0].reshape(2 * count, -1)
    assert len(np.unique(images, axis=0)) == 2 * count


def test_every_batch_is_full(prepared, chosen):
    images, masks = take(prepared, chosen, TURNED, 12, batch_size=5)
    assert images.shape == masks.shape == (12, 5, 32, 32, 1)
    assert images.min() >= 0 and images.max() <= 1 and set(np.unique(masks)) == {0.0, 1.0}


def test_batches_of_two_workers_with_two_devices_form_the_whole_stream(prepared, chosen):
    """Worker 0 takes the first half of each step, worker 1 the second, each in a batch for either device."""
    whole = take(prepared, chosen, TURNED, 5, first_step=1)
    halves = [take(prepared, chosen, TURNED, 10, first_step=1, shard=pipeline.Shard(worker, 2, 4)) for worker in (0, 1)]
    for kind in (0, 1):
        shares = [half[kind].reshape(5, 2, 1, 32, 32, 1) for half in halves]
        together = np.stack(shares, 1).reshape(whole[kind].shape)
        np.testing.assert_allclose(together, whole[kind], rtol=0, atol=1e-6)


@pytest.mark.parametrize("workers", [1, 2])
def test_validation_for_several_devices_is_padded_with_zero_weight(prepared, chosen, workers):
    count = int(chosen.sum())
    whole = -(-count // 4) * 4
    assert whole > count
    ((images, masks),) = pipeline.evaluation(prepared, chosen, batch_size=count).as_numpy_iterator()
    shares = []
    for worker in range(workers):
        shard = pipeline.Shard(worker, workers, 2)
        batches = list(pipeline.padded_evaluation(prepared, chosen, batch_size=4, shard=shard).as_numpy_iterator())
        assert {len(batch[2]) for batch in batches} == {2} and len(batches) * 2 * workers == whole
        shares.append([np.concatenate(arrays).reshape(-1, 4 // workers, *arrays[0].shape[1:])
                       for arrays in zip(*batches, strict=True)])  # fmt: skip
    for kind, expected in enumerate((images, masks, np.full(count, whole / count, np.float32))):
        together = np.concatenate([share[kind] for share in shares], 1).reshape(-1, *expected.shape[1:])
        np.testing.assert_allclose(together[:count], expected, rtol=1e-6)
        assert len(together) == whole and not together[count:].any()
