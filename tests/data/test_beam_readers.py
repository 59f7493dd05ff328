"""Reading films with Apache Beam gives the same data set."""

import importlib.util

import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.preparing.beam_readers import from_text, to_text
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers import cbis_ddsm
from tfrespam.data.readers.records import Action
from tfrespam.workflows.preparation import prepare_source

beam = pytest.mark.skipif(not importlib.util.find_spec("apache_beam"),
                          reason="Apache Beam is not installed; its pins want an environment of its own")  # fmt: skip


@beam
@pytest.mark.slow
def test_beam_gives_the_same_data_set_as_the_process_pool(download, prepared, tmp_path):
    path = prepare_source(download, tmp_path, "tiny", "roi", 1.6, 32, beam_runner="DirectRunner")
    for name in ("index.csv", "ledger.csv"):
        assert (path / name).read_bytes() == (prepared.path / name).read_bytes()
    shards = sorted(file.name for file in prepared.shards.glob("*.tfrecord*"))
    assert shards
    for shard in shards:
        assert (path / "1.0.0" / shard).read_bytes() == (prepared.shards / shard).read_bytes()
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_results_are_unchanged_by_the_text_format(download):
    inventory = cbis_ddsm.scan(download)
    examples, ledger = film_examples(cbis_ddsm.__name__, inventory.films[0], CropPolicy("roi", 1.6, 32))
    read, rows = from_text(to_text(examples, ledger))
    assert examples and rows == ledger and [type(row.action) for row in rows] == [Action] * len(rows)
    for one, other in zip(examples, read, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
            assert type(one[name]) is type(other[name]), name


@pytest.mark.skipif(importlib.util.find_spec("apache_beam") is not None, reason="Apache Beam is installed")
def test_error_without_beam_refers_to_the_documentation(download, tmp_path):
    with pytest.raises(UserError, match="`beam_runner` needs Apache Beam.*docs/how-to/distributed.md"):
        prepare_source(download, tmp_path, "tiny", "roi", 1.6, 32, beam_runner="DirectRunner")
