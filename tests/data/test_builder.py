import io

import cv2
import numpy as np
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfrespam.data.preparing.builder import VERSION, features, read_index, write_shards

DESIGN = {"image", "mask", "lesion_id", "film_id", "patient_id", "laterality", "view", "pathology", "shape", "margins",
          "assessment", "subtlety", "breast_density", "source", "copy", "crop", "pixel_spacing_mm", "fold"}  # fmt: skip


def example(number):
    generator = np.random.default_rng(number)
    image = generator.integers(0, 65536, (12, 12), dtype=np.uint16)
    mask = generator.integers(0, 2, (12, 12), dtype=np.uint8)
    pictures = {name: io.BytesIO(cv2.imencode(".png", picture)[1]) for name, picture in
                (("image", image), ("mask", mask))}  # fmt: skip
    text = {"film_id": f"P_{number}_LEFT_CC", "patient_id": f"P_{number}", "split": "train", "laterality": "LEFT",
            "view": "CC", "pathology": "", "shape": "OVAL-LOBULATED", "margins": "ä,\"\n", "source": "made"}
    numbers = {"assessment": -1, "subtlety": 5, "breast_density": 2, "copy": 0, "fold": number % 5,
               "mass_pixels": int(mask.sum())}  # fmt: skip
    crop = np.array([-3, 4, 9, 16 + number], np.int32)
    spacing = np.float32(0.05 if number % 2 else np.nan)
    return image, mask, {"lesion_id": f"P_{number}", **text, **numbers, **pictures, "crop": crop,
                         "pixel_spacing_mm": spacing}  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built")
    made = {f"P_{number}": example(number) for number in range(9)}
    parts = {"train": list(made)[:6], "test": list(made)[6:]}
    splits = {split: (lambda keys=keys: ((key, made[key][2]) for key in keys)) for split, keys in parts.items()}
    assert write_shards(folder, splits) == ["train", "test"]
    return folder / VERSION, made, parts


def test_stored_features_have_the_documented_types():
    stored = features()
    assert set(stored) == DESIGN | {"split", "mass_pixels"}
    assert (stored["image"].shape, stored["image"].np_dtype) == ((None, None, 1), np.uint16)
    assert (stored["mask"].shape, stored["mask"].np_dtype) == ((None, None, 1), np.uint8)
    assert stored["crop"].shape == (4,) and stored["pixel_spacing_mm"].np_dtype == np.float32


def test_shards_contain_the_given_examples(written):
    path, made, parts = written
    assert [each.name for each in path.parent.iterdir()] == [VERSION]
    builder = tfds.builder_from_directory(path)
    for split, keys in parts.items():
        stored = {row["lesion_id"].decode(): row for row in builder.as_dataset(split=split).as_numpy_iterator()}
        assert set(stored) == set(keys)
        for key, row in stored.items():
            image, mask, given = made[key]
            np.testing.assert_array_equal(row["image"][..., 0], image)
            np.testing.assert_array_equal(row["mask"][..., 0], mask)
            np.testing.assert_array_equal(row["crop"], given["crop"])
            np.testing.assert_equal(row["pixel_spacing_mm"], given["pixel_spacing_mm"])
            assert row["margins"].decode() == given["margins"] and row["fold"] == given["fold"]


def test_shards_can_be_sliced_with_tfds(written):
    builder = tfds.builder_from_directory(written[0])
    halves = [builder.as_dataset(split=part).cardinality() for part in ("train[:50%]", "train[50%:]")]
    assert halves == [3, 3]


def test_index_is_in_the_order_of_reading(written):
    path, made, parts = written
    index = read_index(path)
    assert len(index) == 9 and not {"image", "mask"} & set(index[0])
    config = tfds.ReadConfig(interleave_cycle_length=1)
    read = tfds.builder_from_directory(path).as_dataset(split="all", read_config=config)
    for row, stored in zip(index, read.as_numpy_iterator(), strict=True):
        given = made[row["lesion_id"]][2]
        assert row["lesion_id"] == stored["lesion_id"].decode()
        assert row["mass_pixels"] == tf.reduce_sum(tf.cast(stored["mask"], tf.int64)) == given["mass_pixels"]
        assert row["crop"] == " ".join(map(str, given["crop"])) and row["margins"] == given["margins"]
    assert {row["lesion_id"] for row in index} == set(made)


@pytest.mark.parametrize("kept", ["train", "test"])
def test_a_split_without_an_example_is_left_out(tmp_path, kept):
    given = {"train": list, "test": list, kept: lambda: [("a", example(0)[2])]}
    assert write_shards(tmp_path, given) == [kept]
    assert [row["lesion_id"] for row in read_index(tmp_path / VERSION)] == ["P_0"]
    assert [each.name for each in tmp_path.iterdir()] == [VERSION]


def test_without_examples_nothing_is_written(tmp_path):
    assert write_shards(tmp_path, {"train": list, "test": list}) == []
    assert not list(tmp_path.iterdir())
