"""A prepared data set with a damaged file is refused by name."""

import json
import shutil

import numpy as np
import pytest
from damage import outcomes

from tfrespam.data import pipeline
from tfrespam.data.prepared import Prepared
from tfrespam.errors import UserError


@pytest.fixture
def copy(prepared, tmp_path):
    """The session's data set, to be changed at will."""
    return Prepared(shutil.copytree(prepared.path, tmp_path / "data"))


def contents(copy):
    """Every record, read anew, with the index."""
    fresh = Prepared(copy.path)
    everything = np.ones(len(fresh.table["lesion_id"]), bool)
    with pipeline.damage_told(fresh):
        records = list(pipeline.encoded(fresh, everything).as_numpy_iterator())
    table = sorted((name, values.tolist()) for name, values in fresh.table.items())
    return hash((repr(table), repr([sorted(record.items(), key=lambda item: item[0]) for record in records])))


@pytest.mark.parametrize("name", ["index.csv", "1.0.0/mammograms-train.tfrecord-00000-of-00001"])
def test_every_changed_bit_is_found(copy, name):
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


def test_a_version_outside_of_the_folder_is_refused(copy):
    facts = json.loads((copy.path / "dataset.json").read_text()) | {"version": "../../elsewhere"}
    (copy.path / "dataset.json").write_text(json.dumps(facts))
    with pytest.raises(UserError, match="is no folder of it"):
        _ = Prepared(copy.path).shards


def test_data_sets_of_earlier_releases_say_nothing_of_their_index(copy):
    facts = json.loads((copy.path / "dataset.json").read_text())
    del facts["index_sha256"]
    (copy.path / "dataset.json").write_text(json.dumps(facts))
    assert contents(copy)
    index = copy.path / "index.csv"
    index.write_bytes(index.read_bytes()[:300])
    with pytest.raises(UserError, match=r"damaged: index.csv"):
        contents(copy)
