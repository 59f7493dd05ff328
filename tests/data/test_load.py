import json
import shutil

import numpy as np
import pytest

from tfrespam.config import DataConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading.load import PreparedData, load
from tfrespam.data.loading.prepared import asked_name
from tfrespam.workflows.preparation import prepare_copies


def test_data_set_is_found_by_its_folder_or_by_home_and_name(prepared, data_dir):
    for found in (load(prepared.path), load(data_dir, "tiny", image_size=32)):
        assert isinstance(found, PreparedData) and found.path == prepared.path


def test_splits_share_no_patient_and_cover_the_fold(prepared):
    data = load(prepared.path)
    train, validation = data.split("folds", fold=1)
    patients = [set(np.asarray(data.table["patient_id"])[each.chosen]) for each in (train, validation)]
    assert not patients[0] & patients[1] and validation.audit == dict.fromkeys(validation.audit, 0)
    test = data.examples("test")
    assert set(np.asarray(data.table["split"])[test.chosen]) == {"test"}


@pytest.mark.parametrize(("arguments", "message"), [
    (("train", "folds", 5), "fold from 0 to 4"), (("held_out", "folds", 0), "`split` must be one of"),
])  # fmt: skip
def test_unknown_splits_are_refused(prepared, arguments, message):
    with pytest.raises(UserError, match=message):
        load(prepared.path).examples(*arguments)


def test_copies_and_protocol_must_match(prepared, tmp_path):
    single = load(shutil.copytree(prepared.path, tmp_path / "tiny" / prepared.path.name))
    with pytest.raises(UserError, match="'paper' needs 13 copies of each lesion. Received: single lesions in"):
        single.split("paper")
    copied = load(prepare_copies(single))
    for protocol in ("folds", "official", "all"):
        with pytest.raises(UserError, match="needs single lesions. Received: 13 copies of each lesion in .*-x13"):
            copied.split(protocol)
    train, validation = copied.split("paper")
    assert len(train) + len(validation) == 13 * int((prepared.table["split"] == "train").sum())


def test_oblong_films_are_found_and_described_with_their_width(tmp_path):
    folder = tmp_path / "films" / "film-64x32"
    folder.mkdir(parents=True)
    facts = {"dataset": "films", "version": "1.0.0", "view": "film", "context": 1.6, "image_size": 64,
             "image_width": 32}  # fmt: skip
    (folder / "dataset.json").write_text(json.dumps(facts))
    data = load(tmp_path, "films", view="film", image_size=64, image_width=32)
    assert data.path == folder and data.framing["image_width"] == 32
    assert asked_name(DataConfig(**data.framing)) == "film-64x32"
