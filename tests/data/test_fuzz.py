"""Damaged files: a few hundred random ones, and those that once crashed a reader (found by fuzz_readers.py)."""

import fuzz_readers
import pytest
from fuzz_readers import ODD, case, odd_files, read_case, whole_files
from hypothesis import given, settings
from hypothesis import strategies as st

from tfrespam.core.errors import UserError
from tfrespam.data.dicom import isolated as dicom_isolated
from tfrespam.data.dicom import reader as dicom
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.data.readers.image_file import read_grey
from tfrespam.serving.inference import inputs

# 1201, 5858, 7792: JPEG 2000 on which GDCM ended the process. 2217: a TIFF without a size, at which Pillow raised
# TypeError. 6616: a TIFF with a side longer than a PNG can have.
FOUND = (1201, 2217, 5858, 6616, 7792)


def test_undamaged_files_are_read(tmp_path):
    for number, content in enumerate([*whole_files(), *odd_files()]):
        (tmp_path / str(number)).write_bytes(content)
        assert inputs.read(tmp_path / str(number)).pixels.shape == (40, 48)


@pytest.mark.parametrize("number", FOUND)
def test_cases_that_failed_before_are_read_or_rejected(number, tmp_path):
    read_case(number, tmp_path)


def test_cases_are_made_from_their_numbers_alone():
    assert case(7) == case(7) != case(8)


@settings(max_examples=200)
@given(number=st.integers(100_000, 10_000_000) | st.integers(ODD, ODD + 10_000_000))
def test_damaged_files_are_read_or_refused(tmp_path_factory, number):
    read_case(number, tmp_path_factory.getbasetemp())


@settings(max_examples=100)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused(content):
    for reader in (read_grey, read_dicom, lambda data: read_dicom(b"\0" * 128 + b"DICM" + data)):
        with pytest.raises(UserError):
            reader(content)


def test_gdcm_decodes_in_a_separate_process(tmp_path, monkeypatch):
    """Files that only GDCM can decode are decoded in another process; if it dies, the file counts as damaged."""
    whole = whole_files()[-1]  # JPEG-LS
    assert read_dicom(whole).pixels.shape == (40, 48)
    monkeypatch.setattr(dicom, "get_decoder", lambda _: type("Only", (), {"available_plugins": ("gdcm",),
                                                                         "is_available": True}))  # fmt: skip
    pytest.importorskip("gdcm")
    assert read_dicom(whole).pixels.shape == (40, 48)
    start = whole.rindex(b"\xff\xd8\xff")  # of the encoded picture
    with pytest.raises(UserError, match="damaged or truncated"):
        read_dicom(whole[: start + 4] + b"\xff" * (len(whole) - start - 20) + whole[-16:])
    monkeypatch.setattr(dicom_isolated, "SECONDS", 0.01)
    with pytest.raises(UserError, match="damaged or truncated"):
        read_dicom(whole)


def test_the_fuzz_script_reports_failures(monkeypatch, capsys):
    monkeypatch.setattr(fuzz_readers, "read_case", _fails_at_3)
    monkeypatch.setattr("sys.argv", ["fuzz_readers.py", "--seconds", "6"])
    with pytest.raises(SystemExit) as ended:
        fuzz_readers.main()
    said = capsys.readouterr().out
    assert ended.value.code == 1 and "3 ZeroDivisionError: division by zero" in said and "5 the process died" in said


def _fails_at_3(number, _):
    import os
    import time

    time.sleep(0.05)
    if number == 3:
        1 / 0  # noqa: B018
    if number == 5:
        os.abort()
