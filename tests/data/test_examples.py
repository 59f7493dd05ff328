"""Prepared data sets for Python: `tfrespam.data.load`, splits, batches."""

import json
import shutil

import numpy as np
import pytest

import tfrespam as tr
from tfrespam.core.errors import UserError


@pytest.fixture(scope="module")
def data(prepared):
    return tr.data.load(prepared.path)


def test_a_data_set_is_loaded_by_folder_or_by_name(data, data_dir, prepared):
    named = tr.data.load(data_dir, "tiny", context=1.6, image_size=32)
    assert named.path == data.path == prepared.path and named.name == "tiny"
    assert isinstance(named, tr.data.PreparedData)


def test_data_sets_that_cannot_be_loaded_give_an_error(data_dir, prepared, tmp_path):
    with pytest.raises(UserError, match="`path` must be the folder of one.*roi-1.6-32"):
        tr.data.load(data_dir)
    with pytest.raises(UserError, match="Found below: none"):
        tr.data.load(tmp_path)
    with pytest.raises(UserError, match="not prepared as roi-1.2-32"):
        tr.data.load(data_dir, "tiny", context=1.2, image_size=32)
    damaged = shutil.copytree(prepared.path, tmp_path / "damaged")
    (damaged / "dataset.json").write_text(json.dumps({"dataset": "tiny"}))
    with pytest.raises(UserError, match="is damaged: dataset.json"):
        tr.data.load(damaged)


def test_splits_share_no_patient_and_report_it(data):
    train, validation = data.split("folds", fold=0)
    test = data.examples("test")
    assert not set(train.table["patient_id"]) & set(validation.table["patient_id"])
    assert set(test.table["split"]) == {"test"} and len(train) + len(validation) + len(test) == len(data.table["split"])
    assert validation.audit == {"copy": 0, "film": 0, "breast": 0, "patient": 0}
    assert (train.split, validation.split, train.data.fold) == ("train", "validation", 0)
    assert train.data.image_size == 32 and train.data.dataset == "tiny"
    leaking = data.split("all", fold=0)[1]
    assert leaking.audit["patient"] == len(leaking)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"protocol": "fold"}, "Expected one of official, folds"), ({"fold": 5}, "`fold` must be a fold from 0 to 4"),
    ({"exclude_films": ("gone",)}, "gone"),
])  # fmt: skip
def test_wrong_arguments_are_refused(data, arguments, message):
    with pytest.raises(UserError, match=message):
        data.split(**arguments)


def test_an_empty_or_unknown_split_is_refused(data):
    with pytest.raises(UserError, match="contains no example"):
        data.examples("test", "folds")
    with pytest.raises(UserError, match="`split` must be one of train, validation, test"):
        data.examples("valid")


def test_plain_batches_are_the_examples_in_the_order_of_the_table(data):
    _, validation = data.split("folds")
    images, masks = validation.arrays()
    assert images.shape == masks.shape == (len(validation), 32, 32, 1) and images.dtype == np.float32
    np.testing.assert_array_equal(masks.sum((1, 2, 3)), validation.table["mass_pixels"])
    first = next(validation.batches(1).as_numpy_iterator())
    np.testing.assert_array_equal(first[0][0], images[0])
    with pytest.raises(UserError, match="`batch_size`"):
        validation.batches(0)


def epochs(train, count=2, **settings):
    batches = train.batches(3, tr.data.Augment(**{"rotation_degrees": 20, "noise": 0.02} | settings), seed=4)
    return [[each for batch in batches.as_numpy_iterator() for each in batch[0]] for _ in range(count)], batches


def test_an_epoch_has_each_example_once_with_new_augmentation(data):
    train, _ = data.split("folds")
    (first, second), batches = epochs(train)
    assert len(first) == len(second) == len(train) and len(batches) == -(-len(train) // 3)
    assert not {image.tobytes() for image in first} & {image.tobytes() for image in second}
    (plain, shuffled), _ = epochs(train, rotation_degrees=0, noise=0)
    originals = {image.tobytes() for image in train.arrays()[0]}
    assert {image.tobytes() for image in plain} == {image.tobytes() for image in shuffled} == originals
    assert [image.tobytes() for image in plain] != [image.tobytes() for image in shuffled]


def test_the_same_seed_gives_the_same_epochs(data):
    train, _ = data.split("folds")
    np.testing.assert_array_equal(epochs(train)[0], epochs(train)[0])


def test_augmented_images_have_a_static_size(data):
    """Networks that resize need a static size; the number of images is unknown because the last batch may be short."""
    (images, masks) = epochs(data.split("folds")[0], flips=True)[1].element_spec
    assert images.shape.as_list() == masks.shape.as_list() == [None, 32, 32, 1]
