import numpy as np
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.loading.load import PreparedData, load


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
