import zlib

import cv2
import numpy as np
import pytest
import tensorflow as tf

from tfrespam.data.loading.augment import joint
from tfrespam.data.loading.prepared import COPIES, Prepared
from tfrespam.data.preparing.copies import PAPER, paper_copies
from tfrespam.workflows.preparation import prepare_copies


@pytest.fixture(scope="module")
def copies(prepared):
    return list(paper_copies(prepared))


def pictures(example):
    return [cv2.imdecode(np.frombuffer(example[name].getvalue(), np.uint8), cv2.IMREAD_UNCHANGED)
            for name in ("image", "mask")]  # fmt: skip


@pytest.fixture(scope="module")
def originals(prepared):
    from tfrespam.data.loading import pipeline

    stored = pipeline.encoded(prepared, prepared.table["split"] == "train").as_numpy_iterator()
    return {each["lesion_id"].decode(): [cv2.imdecode(np.frombuffer(each[name], np.uint8), cv2.IMREAD_UNCHANGED)
                                         for name in ("image", "mask")] for each in stored}  # fmt: skip


def test_each_lesion_of_the_training_list_has_thirteen_copies(prepared, copies):
    lesions = prepared.table["lesion_id"][prepared.table["split"] == "train"]
    assert COPIES == 13 and len(copies) == 13 * len(lesions)
    assert [key for key, _ in copies] == [f"{lesion}-{copy}" for lesion in lesions for copy in range(13)]
    assert [f"{each['lesion_id']}-{each['copy']}" for _, each in copies] == [key for key, _ in copies]


def test_copy_0_is_the_original(copies, originals):
    for _, example in copies[::13]:
        for picture, original in zip(pictures(example), originals[example["lesion_id"]], strict=True):
            assert picture.dtype == original.dtype
            np.testing.assert_array_equal(picture, original)


def test_other_copies_are_augmented_with_a_seed_of_lesion_and_number(copies, originals):
    for _, example in copies[1:40:7]:
        lesion, copy = example["lesion_id"], int(example["copy"])
        seed = [zlib.crc32(lesion.encode()) & 0x3FFFFFFF, copy]
        assert abs(np.rad2deg(float(joint.draw(PAPER, tf.constant(seed)).angle))) <= 10
        image, mask = (picture[None, ..., None].astype(np.float32) for picture in originals[lesion])
        image, mask = (each[0] for each in joint.JointAugment(PAPER)(image / 65535, mask, tf.constant([seed])))
        stored = pictures(example)
        np.testing.assert_allclose(stored[0], np.round(image[..., 0] * 65535.0), rtol=0, atol=1)
        np.testing.assert_array_equal(stored[1], mask[..., 0])


def test_all_copies_of_a_lesion_differ(copies):
    for start in range(0, len(copies), 13):
        assert len({pictures(example)[0].tobytes() for _, example in copies[start : start + 13]}) == 13


def test_the_stored_number_of_mass_pixels_is_that_of_the_copy(copies):
    for _, example in copies:
        mask = pictures(example)[1]
        assert example["mass_pixels"] == mask.sum() and set(np.unique(mask)) <= {0, 1}


def test_copies_are_reproducible(prepared, copies):
    for (key, example), (again, other) in zip(copies, paper_copies(prepared), strict=True):
        assert key == again
        for name in ("image", "mask"):
            assert example[name].getvalue() == other[name].getvalue()


def test_copies_are_stored_once(prepared, copies, capsys):
    path = prepare_copies(prepared)
    stored = Prepared(path)
    assert path.name == "roi-1.6-32-x13" and stored.facts["copies"] == 13
    assert stored.facts["examples"] == len(copies) == len(stored.table["copy"])
    pixels = {key: int(example["mass_pixels"]) for key, example in copies}
    keys = np.char.add(np.char.add(stored.table["lesion_id"], "-"), stored.table["copy"].astype(str))
    assert dict(zip(keys.tolist(), stored.table["mass_pixels"].tolist(), strict=True)) == pixels
    assert (path / "ledger.csv").read_bytes() == (prepared.path / "ledger.csv").read_bytes()
    written = (path / "dataset.json").stat().st_mtime_ns
    assert prepare_copies(prepared) == path and (path / "dataset.json").stat().st_mtime_ns == written
