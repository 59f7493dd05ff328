import csv
import hashlib
import resource

import numpy as np
import pydicom
import pytest

from tfrespam.core.errors import UserError
from tfrespam.data.phantom.dataset import write_phantom
from tfrespam.data.phantom.download import FIELDS
from tfrespam.data.readers.cbis_ddsm import PHANTOM_MARK


@pytest.fixture(scope="module")
def download(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom") / "download"
    write_phantom(out, patients=3, seed=5, workers=1)
    return out


def case_list(download, split):
    with open(download / f"mass_case_description_{split}_set.csv", newline="") as file:
        return list(csv.DictReader(file))


def all_rows(download):
    return case_list(download, "train") + case_list(download, "test")


def read(download, row, column):
    return pydicom.dcmread(download / "CBIS-DDSM" / row[column].strip())


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_case_lists_have_the_columns_and_irregularities_of_the_real_ones(download):
    rows = all_rows(download)
    assert tuple(rows[0]) == FIELDS
    assert all(row["ROI mask file path"].endswith(".dcm\n") for row in rows)
    assert not any(row["image file path"].endswith("\n") for row in rows)
    for row in rows:
        case = f"{row['patient_id']}_{row['left or right breast']}_{row['image view']}"
        assert row["image file path"].split("/")[0].split("_", 1)[1] == case
        assert row["ROI mask file path"].split("/")[0].split("_", 1)[1] == f"{case}_{row['abnormality id']}"


def test_lists_share_no_patient(download):
    train, test = ({row["patient_id"] for row in case_list(download, split)} for split in ("train", "test"))
    assert train == {"P_90001", "P_90003"}
    assert test == {"P_90002"}
    assert all(row["image file path"].startswith("Mass-Test_") for row in case_list(download, "test"))


def test_every_breast_has_both_views(download):
    films = {(r["patient_id"], r["left or right breast"], r["image view"]) for r in all_rows(download)}
    breasts = {film[:2] for film in films}
    assert films == {(*breast, view) for breast in breasts for view in ("CC", "MLO")}


def test_listed_files_are_exactly_those_on_disk(download):
    columns = ("image file path", "cropped image file path", "ROI mask file path")
    listed = {row[column].strip() for row in all_rows(download) for column in columns}
    root = download / "CBIS-DDSM"
    assert {str(path.relative_to(root)) for path in root.rglob("*.dcm")} == listed


def test_films_masks_and_crops_match(download):
    for row in all_rows(download):
        film, crop, mask = (read(download, row, f"{name} file path") for name in ("image", "cropped image", "ROI mask"))
        assert film.pixel_array.dtype == crop.pixel_array.dtype == np.uint16
        assert mask.pixel_array.dtype == np.uint8
        assert set(np.unique(mask.pixel_array)) == {0, 255}
        assert mask.pixel_array.shape == film.pixel_array.shape
        ys, xs = np.nonzero(mask.pixel_array)
        assert np.ptp(ys) < crop.Rows < np.ptp(ys) + 0.4 * max(np.ptp(ys), np.ptp(xs)) + 9
        assert film.pixel_array[ys, xs].min() > 0.1 * 65535  # in the breast, not on the background


def test_headers_describe_the_image_and_mark_it_as_synthetic(download):
    row = all_rows(download)[0]
    film, mask = read(download, row, "image file path"), read(download, row, "ROI mask file path")
    assert film.Modality == "MG"
    assert film.PhotometricInterpretation == "MONOCHROME2"
    assert film.SeriesDescription == "full mammogram images"
    assert mask.SeriesDescription == "ROI mask images"
    assert film.PatientName == "PHANTOM"
    assert "synthetic" in film.ImageComments
    assert film.StudyInstanceUID == row["image file path"].split("/")[1]
    assert film.SeriesInstanceUID == row["image file path"].split("/")[2]
    assert film.SOPInstanceUID.is_valid
    assert film.SOPInstanceUID != mask.SOPInstanceUID


def test_marker_names_seed_and_patients(download):
    text = (download / PHANTOM_MARK).read_text()
    assert "seed: 5" in text
    assert "patients: 3" in text


def test_same_seed_gives_the_same_bytes_with_any_number_of_workers(download, tmp_path):
    write_phantom(tmp_path / "again", patients=3, seed=5, workers=2)
    assert digests(tmp_path / "again") == digests(download)


def test_another_seed_gives_other_films(download, tmp_path):
    write_phantom(tmp_path / "other", patients=2, seed=6, workers=1)
    assert not set(digests(tmp_path / "other").values()) & set(digests(download).values())


def test_a_smaller_set_contains_the_first_patients(download, tmp_path):
    write_phantom(tmp_path / "fewer", patients=2, seed=5, workers=1)
    fewer = {path: digest for path, digest in digests(tmp_path / "fewer").items() if path.endswith(".dcm")}
    assert fewer.items() <= digests(download).items()


@pytest.mark.slow
def test_writing_300_films_takes_less_than_a_minute_on_two_cores(tmp_path):
    """Measured in processor time, which does not depend on other work on the machine or on its number of cores."""
    before = processor_seconds()
    write_phantom(tmp_path / "many", patients=100, workers=2)
    films = {row["image file path"] for row in all_rows(tmp_path / "many")}
    seconds = (processor_seconds() - before) / len(films) * 300
    print(f"{len(films)} films; 300 take {seconds:.0f} s of processor time")
    assert len(films) > 250 and seconds < 2 * 60


def processor_seconds():
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def test_a_failed_run_leaves_no_files(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr("tfrespam.data.phantom.dataset.write_patient", fail)
    with pytest.raises(OSError, match="disk full"):
        write_phantom(tmp_path / "out", patients=2, workers=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("argument", [{"patients": 1}, {"patients": 10_000}, {"seed": -1}, {"workers": 0}])
def test_invalid_arguments_are_rejected(tmp_path, argument):
    with pytest.raises(UserError, match="Received"):
        write_phantom(tmp_path / "out", **argument)
    assert list(tmp_path.iterdir()) == []
