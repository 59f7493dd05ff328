import dicom_files
import numpy as np

from tfrespam.data.readers.cbis_layouts import Found, Index, index_dicom, index_images
from tfrespam.data.readers.cbis_lists import Place

PIXELS = np.arange(64, dtype=np.uint8).reshape(8, 8)


def test_files_are_found_by_series_uid_or_else_by_case():
    files = [Found("b/2.dcm", "1.2", "case"), Found("a/1.dcm", "1.2", "case"), Found("c/3.dcm", "9", "case", True)]
    index = Index(files)
    assert [file.path for file in index.find(Place("case", "1.2"))] == ["a/1.dcm", "b/2.dcm", "c/3.dcm"]
    assert len(index.find(Place("case", "7"))) == 3  # an anonymiser has given new UIDs
    assert index.find(Place("other", "7")) == []


def test_dicom_files_are_identified_by_their_headers(tmp_path):
    for name, elements in (("x/000000.dcm", {"SeriesInstanceUID": "1.2", "PatientID": "Mass-Training_P_1"}),
                           ("Calc-Training_P_1/0.dcm", {"SeriesInstanceUID": "1.3", "PatientID": "Calc"})):
        dicom_files.write(tmp_path / name, PIXELS, **elements)
    damaged = tmp_path / "Mass-Training_P_1" / "1.1" / "1.2" / "1.dcm"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"damaged")
    index = index_dicom(tmp_path)
    assert index.find(Place("", "1.2")) == [Found("Mass-Training_P_1/1.1/1.2/1.dcm", "1.2", "Mass-Training_P_1", True),
                                            Found("x/000000.dcm", "1.2", "Mass-Training_P_1")]  # fmt: skip
    assert index.find(Place("Calc", "1.3")) == []


def test_jpeg_files_are_identified_by_the_table_or_their_folder(tmp_path):
    for name in ("jpeg/1.2/1-1.jpg", "jpeg/1.3/1-2.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "dicom_info.csv").write_text(
        "image_path,SeriesInstanceUID,PatientID\nCBIS-DDSM/jpeg/1.2/1-1.jpg,5.5,Mass-Test_P_2\n")
    index = index_images(tmp_path)
    assert index.find(Place("", "5.5")) == [Found("jpeg/1.2/1-1.jpg", "5.5", "Mass-Test_P_2")]
    assert index.find(Place("", "1.3")) == [Found("jpeg/1.3/1-2.jpg", "1.3", "")]
