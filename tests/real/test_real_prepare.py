"""`prepare` on the whole real training list: TFRESPAM_REAL_DATA names the folder with the reduced films."""

import csv
import resource
import subprocess
import sys
from collections import Counter

import cv2
import numpy as np
import pytest

from tfrespam.data.loading import pipeline, protocols
from tfrespam.data.loading.prepared import Prepared
from tfrespam.workflows.preparation import prepare_copies, prepare_source

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def made(tmp_path_factory, whole_tree):
    """Prepare the data set from each layout; return them and the processor seconds of the first."""
    found = {}

    def prepare(layout):
        if layout not in found:
            home, tree = tmp_path_factory.mktemp(layout), whole_tree(layout)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            command = [sys.executable, "-m", "tfrespam.prepare", "--source", str(tree), "--data_dir", str(home),
                       "--image_size", "128"]  # fmt: skip
            subprocess.run(command, check=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            found[layout] = Prepared(home / "cbis_ddsm_mass" / "roi-1.6-128"), seconds
        return found[layout]

    return prepare


def ledger_of(prepared):
    with open(prepared.path / "ledger.csv", newline="", encoding="utf-8") as file:
        return {row["lesion_id"]: row["action"] for row in csv.DictReader(file)}


@pytest.mark.parametrize("layout", ["tcia", "nbia", "kaggle"])
def test_all_1318_lesions_are_accounted_for(made, layout):
    prepared, seconds = made(layout)
    actions = ledger_of(prepared)
    print(layout, Counter(actions.values()), f"{seconds:.0f} s of processor time, median coverage",
          prepared.facts["median_coverage"])  # fmt: skip
    assert len(actions) == 1318
    used = prepared.facts["examples"]
    assert used >= 1290 and used == sum(not a.startswith("skipped") and a != "absent" for a in actions.values())
    assert 0.15 < prepared.facts["median_coverage"] < 0.35
    assert seconds < 2 * 180  # three minutes on two cores
    parts = protocols.splits(prepared.table, "folds")
    trained = protocols.identities(prepared.table, parts["train"])
    assert not any(protocols.leak_audit(prepared.table, parts["validation"], trained).values())


def test_the_paper_protocol_copies_1318_lesions_to_17134(whole_tree, tmp_path):
    small = Prepared(prepare_source(whole_tree("tcia"), tmp_path, None, "roi", 1.6, 32))
    copies = Prepared(prepare_copies(small)).table
    parts = protocols.splits(copies, "paper")
    assert (len(copies["copy"]), parts["train"].sum(), parts["validation"].sum()) == (17134, 13707, 3427)
    audit = protocols.leak_audit(copies, parts["validation"], protocols.identities(copies, parts["train"]))
    assert set(audit.values()) == {3427}


def test_layouts_give_the_same_examples_but_for_jpeg_loss(made):
    pictures = {}
    for layout in ("tcia", "nbia", "kaggle"):
        prepared, _ = made(layout)
        everything = np.ones(len(prepared.table["split"]), bool)
        for row in pipeline.encoded(prepared, everything).take(200).as_numpy_iterator():
            image, mask = (cv2.imdecode(np.frombuffer(row[name], np.uint8), cv2.IMREAD_UNCHANGED)
                           for name in ("image", "mask"))  # fmt: skip
            pictures.setdefault(row["lesion_id"], {})[layout] = image.astype(float) / 65535, mask
        assert ledger_of(prepared) == ledger_of(made("tcia")[0])
    for found in pictures.values():
        assert len(found) == 3
        np.testing.assert_array_equal(found["nbia"][0], found["tcia"][0])
        np.testing.assert_array_equal(found["nbia"][1], found["tcia"][1])
        assert (found["kaggle"][1] != found["tcia"][1]).mean() < 0.02
        assert np.abs(found["kaggle"][0] - found["tcia"][0]).mean() < 0.02
