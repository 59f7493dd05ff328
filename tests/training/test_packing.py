"""Prepared data sets in one file."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from packed_runs import packed_for

from tfrespam.core.errors import UserError
from tfrespam.data.loading import packing, pipeline
from tfrespam.data.loading.prepared import find
from tfrespam.training.accelerator import device_augment


def test_packed_arrays_equal_the_prepared_data_set(experiment, prepared, tmp_path):
    known = packed_for(experiment, tmp_path)
    everything = np.ones(len(prepared.table["lesion_id"]), bool)
    batches = list(pipeline.evaluation(prepared, everything, batch_size=8).as_numpy_iterator())
    np.testing.assert_array_equal(known.images, np.concatenate([image[..., 0] for image, _ in batches]))
    np.testing.assert_array_equal(known.masks, np.concatenate([mask[..., 0] for _, mask in batches]))
    for name, values in prepared.table.items():
        np.testing.assert_array_equal(known.table[name], values)
    assert known.about["encoding"] == "png16" and known.wider is None


def test_copies_match_those_of_the_paper_protocol(experiment, prepared, tmp_path):
    from tfrespam.workflows.preparation import prepare_copies

    prepare_copies(prepared)
    paper = dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, protocol="paper"))
    known = packed_for(paper, tmp_path)
    copies = find(paper.data_dir, paper.data)
    chosen = np.arange(len(copies.table["copy"])) % 5 == 0
    stored = list(pipeline.evaluation(copies, chosen, batch_size=len(chosen)).as_numpy_iterator())[0]
    place = known.image_index[chosen]
    images, masks = known.images[place][..., None], known.masks[place][..., None].astype(np.float32)
    made = device_augment.apply(images, masks, tf.constant(known.transforms[chosen]))
    np.testing.assert_allclose(made[0], stored[0], atol=1 / 65535)
    np.testing.assert_array_equal(made[1], stored[1])
    assert len(known.images) == len(prepared.table["copy"])
    assert len(known.image_index) == 13 * (prepared.table["split"] == "train").sum()


@pytest.mark.parametrize("encoding", ["png8", "jpeg90"])
def test_images_that_do_not_fit_are_stored_with_a_lossy_encoding(experiment, tmp_path, encoding, monkeypatch):
    exact = packed_for(experiment, tmp_path)
    monkeypatch.setattr(packing, "ENCODINGS", ("png16", encoding))
    known = packed_for(experiment, tmp_path, megabytes=0.9 * (tmp_path / "arrays.npz").stat().st_size / 1e6)
    assert known.about["encoding"] == encoding
    assert np.abs(known.images - exact.images).mean() < (0.003 if encoding == "png8" else 0.03)
    np.testing.assert_array_equal(known.masks, exact.masks)


def test_images_that_fit_in_no_encoding_are_refused(experiment, tmp_path):
    with pytest.raises(UserError, match=r"do not fit into 0\.001 MB"):
        packed_for(experiment, tmp_path, megabytes=0.001)
    assert not list(tmp_path.iterdir())
