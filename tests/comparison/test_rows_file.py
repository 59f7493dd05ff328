import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from fake_runs import write_run

from tfrespam.config import Experiment
from tfrespam.core.files import read_csv
from tfrespam.evaluation.statistics import patient_bootstrap
from tfrespam.studies.comparison import outputs, results, rows_file
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.training.run_results import RunResults


@pytest.fixture
def comparison():
    return Comparison(name="made", base=Experiment(name="b"), models=[Network("unet"), Network("segnet")], seeds=[0, 1])


@pytest.fixture
def rows(comparison, tmp_path):
    random, finished = np.random.default_rng(0), {}
    for position, training in enumerate(trainings(comparison)):
        paper = training.protocol == "paper"
        images = {f"p{lesion // 2} {lesion} {copy}": tuple(map(int, random.integers(1, 30, 3)))
                  for lesion in range(40) for copy in range(13 if paper else 1)}  # fmt: skip
        finished[position] = RunResults.read(write_run(tmp_path / str(position), images, protocol=training.protocol,
                                                seed=training.experiment.seed))  # fmt: skip
    return results.rows(trainings(comparison), finished)


def test_every_score_and_interval_can_be_recomputed(rows, comparison, tmp_path):
    outputs.write(comparison, rows, tmp_path)
    known = rows_file.read(tmp_path / "rows.csv.gz")
    assert set(known) == {("controlled", protocol, title) for protocol in ("paper", "folds")
                          for title in ("U-Net", "SegNet")}  # fmt: skip
    for row in rows:
        scores = known[row.recipe, row.protocol, row.title]
        assert scores.images.tolist() == row.scores.images.tolist()
        for name, values in row.scores.columns.items():
            np.testing.assert_allclose(scores.columns[name], values, rtol=1e-12)
        interval = patient_bootstrap(scores.columns["dice"], scores.patients)
        assert interval == pytest.approx((row.numbers["dice_low"], row.numbers["dice_high"]), abs=1e-12)


def test_the_file_is_compressed_and_reproducible(rows, comparison, tmp_path):
    outputs.write(comparison, rows, tmp_path / "a")
    outputs.write(comparison, rows, tmp_path / "b")
    first = (tmp_path / "a" / "rows.csv.gz").read_bytes()
    assert first == (tmp_path / "b" / "rows.csv.gz").read_bytes()
    text = gzip.decompress(first).decode()
    assert len(first) < len(text) / 4
    assert len(text.splitlines()) == 1 + 2 * 2 * (40 * 13 + 40)
    assert text.splitlines()[0] == "recipe,protocol,network,fold,seed,lesion_id,copy,patient_id,tp,fp,fn,tn"


def test_the_example_gives_the_numbers_of_the_table(monkeypatch):
    monkeypatch.chdir(Path(__file__).parents[2])
    file = Path(re.search(r'Path\("(.*)"\)', rows_file.read.__doc__)[1])
    scores = rows_file.read(file)["controlled", "folds", "U-Net"]
    row = next(row for row in read_csv(file.parent / "table.csv") if row["network"] == "U-Net")
    low, high = patient_bootstrap(scores.columns["dice"], scores.patients)
    assert (low, high) == pytest.approx((float(row["dice_low"]), float(row["dice_high"])))
