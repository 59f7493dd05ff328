"""Apache Beam reads the films: the same data set comes out."""

import importlib.util

import pytest

from tfrespam.errors import UserError
from tfrespam.prepare import prepare_source

beam = pytest.mark.skipif(not importlib.util.find_spec("apache_beam"),
                          reason="Apache Beam is not installed; its pins want an environment of its own")  # fmt: skip


@beam
@pytest.mark.slow
def test_the_data_set_is_that_of_the_process_pool(download, prepared, tmp_path):
    path = prepare_source(download, tmp_path, "tiny", "roi", 1.6, 32, beam_runner="DirectRunner")
    for name in ("index.csv", "ledger.csv"):
        assert (path / name).read_bytes() == (prepared.path / name).read_bytes()
    shards = sorted(file.name for file in prepared.shards.glob("*.tfrecord*"))
    assert shards
    for shard in shards:
        assert (path / "1.0.0" / shard).read_bytes() == (prepared.shards / shard).read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Apache Beam is installed")
def test_without_beam_the_environment_is_named(download, tmp_path):
    with pytest.raises(UserError, match="--beam_runner needs Apache Beam.*docs/distributed.md"):
        prepare_source(download, tmp_path, "tiny", "roi", 1.6, 32, beam_runner="DirectRunner")
