"""Prepared data sets with a damaged file are rejected with its name."""

import json
import shutil

import numpy as np
import pytest
from damage import outcomes

from tfrespam.core.errors import UserError
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import Prepared


@pytest.fixture
def copy(prepared, tmp_path):
    """A copy of the session's data set that may be changed."""
    return Prepared(shutil.copytree(prepared.path, tmp_path / "data"))


def contents(copy):
    """Read every record and the index again."""
    fresh = Prepared(copy.path)
    everything = np.ones(len(fresh.table["lesion_id"]), bool)
    with pipeline.corruption_as_user_error(fresh):
        records = list(pipeline.encoded(fresh, everything).as_numpy_iterator())
    table = sorted((name, values.tolist()) for name, values in fresh.table.items())
    return hash((repr(table), repr([sorted(record.items(), key=lambda item: item[0]) for record in records])))


@pytest.mark.parametrize("name", ["index.csv", "1.0.0/mammograms-train.tfrecord-00000-of-00001"])
def test_every_changed_bit_is_detected(copy, name):
    assert set(outcomes(copy.path / name, 12, lambda: contents(copy), UserError)) == {"refused"}


@pytest.mark.parametrize("name", ["dataset.json", "1.0.0/dataset_info.json", "1.0.0/features.json"])
def test_damaged_descriptions_are_refused_or_change_nothing(copy, name):
    whole = str(contents(copy))
    found = outcomes(copy.path / name, 16, lambda: contents(copy), UserError)
    assert set(found) <= {"refused", whole} and found.count("refused") >= 4


def test_a_shard_that_lacks_whole_records_is_refused(copy):
    (shard,) = copy.shards.glob("*train*")
    content = shard.read_bytes()
    shard.write_bytes(content[int.from_bytes(content[:8], "little") + 16 :])  # without its first record
    with pytest.raises(UserError, match=r"damaged: the TFRecord shards \(.*prepare it again"):
        contents(copy)
    shard.unlink()
    with pytest.raises(UserError, match="damaged: the TFRecord shards"):
        contents(copy)


def test_a_version_outside_the_folder_is_rejected(copy):
    facts = json.loads((copy.path / "dataset.json").read_text()) | {"version": "../../elsewhere"}
    (copy.path / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="is not a folder of it"):
        _ = Prepared(copy.path).shards


def test_data_sets_without_an_index_digest_are_read(copy):
    facts = json.loads((copy.path / "dataset.json").read_text())
    del facts["index_sha256"]
    (copy.path / "dataset.json").write_text(json.dumps(facts))
    assert contents(copy)
    index = copy.path / "index.csv"
    index.write_bytes(index.read_bytes()[:300])
    with pytest.raises(UserError, match=r"damaged: index.csv"):
        contents(copy)
