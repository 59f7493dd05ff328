import numpy as np
import other_sets
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.readers import busi
from tfrespam.data.readers.records import Action


@pytest.fixture
def home(tmp_path):
    home = tmp_path / "Dataset_BUSI_with_GT"
    other_sets.write_busi(home)
    return home


@pytest.mark.parametrize("above", [False, True])
def test_lesions_of_the_published_layout(home, above):
    root = home.parent if above else home
    assert busi.recognise(root)
    inventory, films, ledger = other_sets.read_all(busi, root)
    assert list(films) == [*(f"benign_{number:04}" for number in (1, 2, 3, 4)), "malignant_0001", "malignant_0002"]
    (one, mask), (two, other) = films["benign_0001"].masks
    assert (one.lesion_id, two.lesion_id, one.pathology) == ("benign_0001_1", "benign_0001_2", "BENIGN")
    np.testing.assert_array_equal(mask, other_sets.disk((60, 40), 15, (90, 120)) > 0)
    assert other[20, 20] and not (mask & other).any()
    assert films["malignant_0001"].masks[0][0].pathology == "MALIGNANT"
    assert {row.action for row in ledger.values()} == {Action.USED}
    assert "does not number its patients: 0" in inventory.notes[0]


def test_near_duplicates_are_one_patient_even_across_classes(home):
    first = other_sets.picture(1, (90, 120))
    other_sets.put_busi(home, "benign", 5, first[:, ::-1])
    other_sets.put_busi(home, "malignant", 3, np.clip(first * 0.8 + 20, 0, 255).astype(np.uint8))
    inventory = busi.scan(home)
    patient = {film.film_id: film.lesions[0].patient_id for film in inventory.films}
    assert patient["benign_0001"] == patient["benign_0005"] == patient["malignant_0003"] == "like_benign_0001"
    assert len(set(patient.values())) == 6 and "2 images that nearly repeat" in inventory.notes[0]


def test_unusable_files_are_recorded_in_the_ledger(home):
    other_sets.write(home / "benign" / "benign (2)_mask.png", np.zeros((90, 120), np.uint8))
    (home / "benign" / "benign (3)_mask.png").unlink()
    (home / "benign" / "benign (4).png").write_bytes(b"\x89PNG")
    (home / "malignant" / "malignant (1).png").unlink()
    other_sets.write(home / "malignant" / "malignant (2)_mask.png", other_sets.disk((60, 40), 15, (93, 120)))
    other_sets.put_busi(home, "malignant", 3, other_sets.picture(5, (90, 120)))
    other_sets.write(home / "malignant" / "malignant (3)_mask.png", other_sets.disk((9, 9), 5, (20, 20)))
    _, _, ledger = other_sets.read_all(busi, home)
    assert {name: row.action for name, row in ledger.items()} == {
        "benign_0001_1": Action.USED, "benign_0001_2": Action.USED, "benign_0002_1": Action.SKIPPED_EMPTY,
        "benign_0003_1": Action.SKIPPED_MISSING, "benign_0004_1": Action.SKIPPED_UNREADABLE,
        "malignant_0001_1": Action.SKIPPED_MISSING, "malignant_0002_1": Action.REPAIRED_SIZE,
        "malignant_0003_1": Action.SKIPPED_AMBIGUOUS}  # fmt: skip


def test_a_folder_with_two_class_folders_is_not_recognised_as_busi(tmp_path):
    for kind in ("benign", "malignant"):
        other_sets.write(tmp_path / kind / "a.png", other_sets.picture(0, (20, 20)))
    assert not busi.recognise(tmp_path) and not busi.recognise(tmp_path / "none")


def test_masks_without_images_are_an_error(home):
    for path in [path for path in home.rglob("*.png") if "_mask" not in path.name]:
        path.unlink()
    with pytest.raises(UserError, match="no image with a mask"):
        busi.scan(home)
