import os
import signal

import pytest
from cbis_tree import Entry, write

from tfrespam.core.errors import UserError
from tfrespam.data.preparing import film_pool
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.readers import cbis_ddsm

SOURCE, POLICY = cbis_ddsm.__name__, CropPolicy("roi", 1.6, 32)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    root = tmp_path_factory.mktemp("tree")
    write(root, [Entry("P_00001"), Entry("P_00002"), Entry("P_00003", split="Test")])
    return cbis_ddsm.scan(root).by_split()


def _lesions(results):
    return [(example["lesion_id"], example["image"]) for examples, _ in results for example in examples]


def _rows(results):
    return [row for _, rows in results for row in rows]


def test_results_are_those_of_one_process_in_order(films):
    expected = {split: [film_examples(SOURCE, film, POLICY) for film in films[split]] for split in films}
    with film_pool.reading(SOURCE, films, POLICY, workers=2) as read:
        for split in ("test", "train", "train"):  # a split may be asked for again
            assert _lesions(read(split)) == _lesions(expected[split])
            assert _rows(read(split)) == _rows(expected[split])


def test_reading_starts_before_results_are_requested(films, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor.map", lambda *args, **_: started.append(args[2]) or [])
    with film_pool.reading(SOURCE, films, POLICY, workers=1):
        assert started == [films["train"], films["test"]]


def test_a_source_without_films_is_allowed():
    with film_pool.reading(SOURCE, {}, POLICY, workers=None) as read:
        assert callable(read)


def _die(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_an_error_with_advice(films, monkeypatch):
    monkeypatch.setattr(film_pool, "film_examples", _die)
    with (pytest.raises(UserError, match="was killed.*`workers` 1"),
          film_pool.reading(SOURCE, films, POLICY, workers=1) as read):  # fmt: skip
        list(read("train"))
