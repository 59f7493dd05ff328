import contextlib
import threading
import warnings

import dicom_files
import greys_stated_again
import numpy as np
import pydicom
import pytest
from pydicom.config import IGNORE, settings
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tfrespam.core.errors import UserError
from tfrespam.data.dicom import reader as dicom
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.dicom.header import SECONDARY_CAPTURE
from tfrespam.data.dicom.reader import read_dicom, read_header, read_stored

RAMP = np.arange(1000, 1000 + 6 * 8, dtype=np.uint16).reshape(6, 8)
FULL = np.rint((RAMP - 1000.0) * 65535 / 47).astype(np.uint16)


def test_pixels_fill_the_range_of_uint16(tmp_path):
    image = read_dicom(dicom_files.write(tmp_path / "a.dcm", RAMP))
    assert image.pixels.dtype == np.uint16
    np.testing.assert_array_equal(image.pixels, FULL)
    assert image.photometric == "MONOCHROME2" and not image.inverted


def test_bytes_and_path_give_the_same_image(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP)
    np.testing.assert_array_equal(read_dicom(path.read_bytes()).pixels, read_dicom(str(path)).pixels)


@pytest.mark.parametrize("pixels", [
    RAMP, RAMP.astype(np.int16) - 1020, (RAMP - 1000).astype(np.uint8),
    np.array([[-32768, 32767], [0, 1]], np.int16), np.array([[0, 65535], [7, 9]], np.uint16),
])  # fmt: skip
def test_every_stored_type_is_scaled_the_same_way(tmp_path, pixels):
    whole = pixels.astype(np.int64)
    expected = np.rint((whole - whole.min()) * (65535 / (whole.max() - whole.min())))
    np.testing.assert_array_equal(read_dicom(dicom_files.write(tmp_path / "a.dcm", pixels)).pixels, expected)


def test_monochrome1_is_inverted_after_the_modality_lut(tmp_path):
    one = read_dicom(dicom_files.write(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1"))
    assert one.inverted
    np.testing.assert_array_equal(one.pixels, 65535 - FULL)
    negative = {"RescaleSlope": "-2", "RescaleIntercept": "7"}
    both = read_dicom(dicom_files.write(tmp_path / "b.dcm", RAMP, PhotometricInterpretation="MONOCHROME1", **negative))
    np.testing.assert_array_equal(both.pixels, FULL)


def test_window_applies_only_to_presentation_mammograms(tmp_path):
    window = {"WindowCenter": "1012", "WindowWidth": "8"}
    film = read_dicom(dicom_files.write(tmp_path / "a.dcm", RAMP, **window))
    np.testing.assert_array_equal(film.pixels, FULL)
    path = dicom_files.write(tmp_path / "b.dcm", RAMP, SOPClassUID=dicom_files.MAMMOGRAPHY, **window)
    shown = read_dicom(path).pixels
    assert (shown[RAMP <= 1008] == 0).all() and (shown[RAMP >= 1016] == 65535).all()
    assert 0 < shown[RAMP == 1011][0] < shown[RAMP == 1013][0] < 65535


@pytest.mark.parametrize("window", [{"WindowCenter": "1012", "WindowWidth": "0"},
                                    {"WindowCenter": "90000", "WindowWidth": "1"}])
def test_impossible_window_is_ignored(tmp_path, window):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, SOPClassUID=dicom_files.MAMMOGRAPHY, **window)
    np.testing.assert_array_equal(read_dicom(path).pixels, FULL)


@pytest.mark.parametrize(("elements", "expected"), [
    ({"PixelSpacing": [0.05, 0.05], "ImagerPixelSpacing": [0.1, 0.1]}, 0.05),
    ({"ImagerPixelSpacing": [0.1, 0.1]}, 0.1),
    ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "1.25"}, 0.08),
    ({"PixelSpacing": [0.05, 0.1]}, np.nan),
    ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1],
      "EstimatedRadiographicMagnificationFactor": "1.25"}, 0.08),  # equal: measured at the detector
    ({"PixelSpacing": [0.1, 0.1], "ImagerPixelSpacing": [0.1, 0.1], "PixelSpacingCalibrationType": "GEOMETRY",
      "EstimatedRadiographicMagnificationFactor": "1.25"}, 0.1),
    ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "0"}, 0.1),
    ({"NominalScannedPixelSpacing": [0.05, 0.05]}, np.nan),
    ({"NominalScannedPixelSpacing": [0.05, 0.05], "SOPClassUID": SECONDARY_CAPTURE}, 0.05),
    ({"PixelSpacing": [0, 0]}, np.nan),
    ({}, np.nan),
    ({"PixelSpacing": [0.05, 0.05], "SOPClassUID": SECONDARY_CAPTURE}, np.nan),
    ({"PixelSpacing": [0.05, 0.05], "SOPClassUID": SECONDARY_CAPTURE,
      "PixelSpacingCalibrationType": "GEOMETRY"}, 0.05),
    *(({"PixelSpacing": [0.05, 0.05], "SOPClassUID": f"{SECONDARY_CAPTURE}.{kind}"}, np.nan) for kind in range(1, 5)),
    ({"ImagerPixelSpacing": [0.09, 0.09], "DistanceSourceToDetector": "660", "DistanceSourceToPatient": "440"}, 0.06),
    ({"ImagerPixelSpacing": [0.09, 0.09], "DistanceSourceToDetector": "660", "DistanceSourceToPatient": ""}, 0.09),
    ({"ImagerPixelSpacing": [0.09, 0.09], "DistanceSourceToDetector": "660", "DistanceSourceToPatient": "440",
      "EstimatedRadiographicMagnificationFactor": "1.53"}, 0.09 / 1.53),
    ({"ImagerPixelSpacing": [0.09, 0.09], "DistanceSourceToDetector": "660", "DistanceSourceToPatient": "440",
      "EstimatedRadiographicMagnificationFactor": "1"}, np.nan),  # they contradict each other
    ({"ImagerPixelSpacing": [0.09, 0.09], "EstimatedRadiographicMagnificationFactor": "0.5"}, np.nan),
    ({"PixelSpacing": ["0.0940909"] * 2, "ImagerPixelSpacing": ["0.094090909"] * 2,
      "EstimatedRadiographicMagnificationFactor": "1.8"}, 0.094090909 / 1.8),  # equal but for rounding
    ({"ImagerPixelSpacing": [70, 70]}, np.nan),  # in micrometres
    ({"ImagerPixelSpacing": [0.00007, 0.00007]}, np.nan),  # in metres
])  # fmt: skip
def test_pixel_spacing_is_read_from_several_elements(tmp_path, elements, expected):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, **{"SOPClassUID": dicom_files.MAMMOGRAPHY, **elements})
    np.testing.assert_allclose(read_dicom(path).spacing_mm, expected)


@pytest.mark.parametrize(("tag", "value", "expected"), [
    (0x00181114, b"1,5 ", 0.06), (0x00181164, b"0,03\\0,03 ", 0.03), (0x00181164, b"0.09", np.nan),
    (0x00181164, b"0.09mm\\0.09mm", np.nan)])  # fmt: skip
def test_spacing_with_decimal_commas_is_read_and_other_text_is_unknown(tmp_path, tag, value, expected):
    made = dicom_files.dataset(RAMP, SOPClassUID=dicom_files.MAMMOGRAPHY, ImagerPixelSpacing=[0.09, 0.09])
    made[tag] = RawDataElement(Tag(tag), "DS", len(value), value, 0, False, True)
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    np.testing.assert_allclose(read_dicom(tmp_path / "a.dcm").spacing_mm, expected)


def test_elements_of_a_single_tomosynthesis_frame_are_read_from_functional_groups(tmp_path):
    window, measures, anatomy, transform, shared, frame, own = (Dataset() for _ in range(7))
    window.WindowCenter, window.WindowWidth, own.WindowCenter, own.WindowWidth = 5000, 10, 1024, 20
    measures.PixelSpacing, anatomy.FrameLaterality = [0.1, 0.1], "R"
    transform.RescaleSlope, transform.RescaleIntercept = "-1", "2047"
    shared.FrameVOILUTSequence, shared.PixelMeasuresSequence = [window], [measures]
    shared.FrameAnatomySequence, shared.PixelValueTransformationSequence = [anatomy], [transform]
    frame.FrameVOILUTSequence = [own]
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, SOPClassUID=dicom.TOMOSYNTHESIS, NumberOfFrames=1,
                             SharedFunctionalGroupsSequence=[shared], PerFrameFunctionalGroupsSequence=[frame],
                             WindowCenter="3000", WindowWidth="2")  # fmt: skip
    image = read_dicom(path)
    expected = greys_stated_again.shown(RAMP, slope=-1, intercept=2047, window=(1024, 20))
    np.testing.assert_allclose(image.pixels, expected, atol=1)
    assert (image.spacing_mm, image.laterality) == (0.1, "RIGHT")


@pytest.mark.parametrize(("code", "view"), [("399260004", "ML"), ("R-102D0", "SIO"), ("399192008", "XCCL"),
                                            ("399162004", "CC"), ("12345", "")])  # fmt: skip
def test_standard_view_codes_are_recognised(tmp_path, code, view):
    item = Dataset()
    item.CodeValue = code
    assert read_dicom(dicom_files.write(tmp_path / "a.dcm", RAMP, ViewCodeSequence=[item])).view == view


def test_laterality_and_view_are_read(tmp_path):
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "R-10226", "SRT", "medio-lateral oblique"
    coded = read_dicom(dicom_files.write(tmp_path / "a.dcm", RAMP, ImageLaterality="R", ViewCodeSequence=[code]))
    assert (coded.laterality, coded.view) == ("RIGHT", "MLO")
    plain = read_dicom(dicom_files.write(tmp_path / "b.dcm", RAMP, Laterality="L", PatientOrientation="CC"))
    assert (plain.laterality, plain.view) == ("LEFT", "CC")
    unknown = read_dicom(dicom_files.write(tmp_path / "c.dcm", RAMP))
    assert (unknown.laterality, unknown.view) == ("", "")


def test_missing_decoder_names_the_extra(tmp_path, monkeypatch):
    made = dicom_files.dataset(RAMP)
    made.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    made.PixelData = pydicom.encaps.encapsulate([b"\xff\xd8\xff\xd9"])
    made["PixelData"].VR = "OB"
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    monkeypatch.setattr(pydicom.pixels.decoders.base.Decoder, "is_available", False)
    with pytest.raises(UserError, match=r"pip install '.\[dicom-jpeg\]'"):
        read_dicom(tmp_path / "a.dcm")


@pytest.mark.parametrize(("elements", "message"), [
    ({"NumberOfFrames": 3}, "NumberOfFrames=3"),
    ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "grey image"),
    ({"PhotometricInterpretation": "PALETTE COLOR"}, "PALETTE COLOR"),
    ({"Rows": 65535, "Columns": 65535}, "at most"),
    ({"Rows": 0}, "no image"),
    ({"Rows": 600}, "truncated"),
])  # fmt: skip
def test_objects_other_than_a_single_grayscale_image_are_rejected(tmp_path, elements, message):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, PatientName="Doe^Jane", **elements)
    with pytest.raises(UserError, match=message) as caught:
        read_dicom(path)
    assert "Doe" not in str(caught.value)


def test_a_constant_image_is_rejected(tmp_path):
    with pytest.raises(UserError, match="single grey value"):
        read_dicom(dicom_files.write(tmp_path / "a.dcm", np.full((4, 4), 7, np.uint16)))


def test_other_files_are_refused(tmp_path):
    report = dicom_files.dataset(RAMP)
    del report.PixelData
    report.save_as(tmp_path / "report.dcm", enforce_file_format=True)
    (tmp_path / "text.dcm").write_text("not a picture")
    (tmp_path / "empty.dcm").write_bytes(b"")
    for name, message in (("report", "no image"), ("text", "not a DICOM"), ("empty", "not a DICOM|damaged")):
        with pytest.raises(UserError, match=message):
            read_dicom(tmp_path / f"{name}.dcm")
    with pytest.raises(UserError, match="cannot be opened"):
        read_dicom(tmp_path / "nowhere.dcm")


SYNTAXES = {
    "implicit": ImplicitVRLittleEndian, "explicit": ExplicitVRLittleEndian, "big endian": ExplicitVRBigEndian,
    "deflated": DeflatedExplicitVRLittleEndian, "RLE": RLELossless, "JPEG 2000": JPEG2000Lossless,
    "JPEG-LS": JPEGLSLossless,
}  # fmt: skip


STORED = {"16 bits": RAMP, "8 bits": (RAMP - 1000).astype(np.uint8), "signed": RAMP.astype(np.int16) - 1020}


@pytest.mark.parametrize(("name", "stored"), [(name, stored) for stored in STORED for name in SYNTAXES
                                              if (name, stored) != ("JPEG-LS", "signed")])  # of which there is none
def test_all_supported_transfer_syntaxes_are_decoded(tmp_path, name, stored):
    pixels = _larger(STORED[stored])  # JPEG 2000 halves a picture five times
    syntax, made = SYNTAXES[name], dicom_files.dataset(pixels)
    if name == "JPEG 2000":
        pytest.importorskip("openjpeg")
        pytest.importorskip("pylibjpeg")
    if name == "JPEG-LS":
        pytest.importorskip("jpeg_ls")
    if syntax.is_compressed and name != "deflated":
        made.compress(syntax)
    made.file_meta.TransferSyntaxUID = syntax
    if name == "big endian":
        made.PixelData = pixels.astype(pixels.dtype.newbyteorder(">")).tobytes()
        plain = Dataset(made)  # without the byte order that `made` had
        plain.file_meta, plain.preamble = made.file_meta, made.preamble
        made = plain
    pydicom.dcmwrite(tmp_path / "a.dcm", made, enforce_file_format=True)
    np.testing.assert_array_equal(read_dicom(tmp_path / "a.dcm").pixels, _larger(FULL))
    np.testing.assert_array_equal(read_stored(tmp_path / "a.dcm"), pixels)


def _larger(pixels):
    return np.kron(pixels, np.ones((8, 8), pixels.dtype))


@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless])
@pytest.mark.parametrize("pixels", [RAMP, (RAMP - 1000).astype(np.uint8)])
def test_transfer_syntaxes_written_by_gdcm_are_decoded(tmp_path, syntax, pixels):
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(dicom_files.write(tmp_path / "plain.dcm", pixels)))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(str(syntax))))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(tmp_path / "a.dcm"))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()
    assert pydicom.dcmread(tmp_path / "a.dcm").file_meta.TransferSyntaxUID == syntax
    np.testing.assert_array_equal(read_dicom(tmp_path / "a.dcm").pixels, FULL)


def test_a_deflate_bomb_is_rejected(tmp_path, monkeypatch):
    made = dicom_files.dataset(np.zeros((1000, 1000), np.uint16))
    made.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    made.save_as(tmp_path / "a.dcm", enforce_file_format=True)
    assert (tmp_path / "a.dcm").stat().st_size < 10_000
    monkeypatch.setattr(dicom, "MAX_INFLATED", 1_000_000)
    with pytest.raises(UserError, match="inflates to more than"):
        read_dicom(tmp_path / "a.dcm")


def test_padding_is_black_and_does_not_count_as_a_grey(tmp_path):
    for value, photometric, expected in ((5, "MONOCHROME2", FULL), (60000, "MONOCHROME1", 65535 - FULL)):
        pixels = np.pad(RAMP, ((0, 0), (3, 0)), constant_values=value)
        path = dicom_files.write(tmp_path / "a.dcm", pixels, PixelPaddingValue=value,
                                 PhotometricInterpretation=photometric)  # fmt: skip
        shown = read_dicom(path).pixels
        assert (shown[:, :3] == 0).all()
        np.testing.assert_array_equal(shown[:, 3:], expected)


def test_padding_can_be_a_range_and_is_ignored_if_it_covers_all_pixels(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, PixelPaddingValue=1000, PixelPaddingRangeLimit=1007)
    shown = read_dicom(path).pixels
    assert (shown[0] == 0).all() and shown[1, 0] == 0 and shown[1, 1] > 0 and shown.max() == 65535
    whole = dicom_files.write(tmp_path / "b.dcm", RAMP, PixelPaddingValue=0, PixelPaddingRangeLimit=65535)
    np.testing.assert_array_equal(read_dicom(whole).pixels, FULL)


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_overlays_in_unused_bits_are_removed(tmp_path, dtype):
    values = (RAMP.astype(np.int32) - 1020 * (dtype == np.int16)).astype(dtype)
    noisy = (values & 0x0FFF) | (np.arange(48).reshape(6, 8) % 16 << 12).astype(dtype)
    path = dicom_files.write(tmp_path / "a.dcm", noisy, BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_stored(path), values)
    np.testing.assert_array_equal(read_dicom(path).pixels, FULL)


def test_voi_lut_sequence_takes_precedence_over_a_window(tmp_path):
    table, lut = Dataset(), (65535 - 1000 * np.arange(48)).astype("<u2")
    table.LUTDescriptor, table.LUTData = [48, 1000, 16], lut.tobytes()
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, SOPClassUID=dicom_files.MAMMOGRAPHY, VOILUTSequence=[table],
                             WindowCenter="1012", WindowWidth="8")  # fmt: skip
    np.testing.assert_array_equal(read_dicom(path).pixels, 65535 - FULL)


def test_a_sigmoid_window_is_applied(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, SOPClassUID=dicom_files.MAMMOGRAPHY, WindowCenter="1024",
                             WindowWidth="12", VOILUTFunction="SIGMOID")  # fmt: skip
    shown = read_dicom(path).pixels.ravel().astype(float) / 65535
    expected = 1 / (1 + np.exp(-4 * (RAMP.ravel() - 1024.0) / 12))
    np.testing.assert_allclose(shown, (expected - expected[0]) / (expected[-1] - expected[0]), atol=1e-4)


def test_tomosynthesis_is_rejected_by_name(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, NumberOfFrames=60, SOPClassUID=dicom.TOMOSYNTHESIS)
    with pytest.raises(UserError, match=r"one frame. Received: NumberOfFrames=60 \(tomosynthesis\)"):
        read_dicom(path)


def test_a_file_truncated_or_damaged_anywhere_is_read_or_rejected(tmp_path):
    whole = dicom_files.write(tmp_path / "a.dcm", RAMP).read_bytes()
    generator = np.random.default_rng(0)
    for cut in range(0, len(whole), 7):
        _read_or_refuse(whole[:cut])
    for _ in range(200):
        damaged = bytearray(whole)
        for place in generator.integers(0, len(whole), 4):
            damaged[place] = generator.integers(0, 256)
        _read_or_refuse(bytes(damaged))


def _read_or_refuse(content):
    with contextlib.suppress(UserError):
        assert read_dicom(content).pixels.dtype == np.uint16


def test_patient_data_do_not_appear_in_logs_or_warnings(tmp_path, caplog, capfd, recwarn):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, PatientID="Doe" * 30)  # too long, which pydicom would quote
    read_dicom(path)
    read_header(path)
    assert "Doe" not in caplog.text + "".join(capfd.readouterr()) + "".join(str(w.message) for w in recwarn)


def test_threads_that_overlap_are_silent_until_the_last_one_leaves():
    def state():
        return dicom.LOGGER.disabled, list(warnings.filters), settings.reading_validation_mode

    def stay():
        with dicom.quiet():
            inside.set()
            assert leave.wait(20)

    before, (inside, leave) = state(), (threading.Event(), threading.Event())
    other = threading.Thread(target=stay)
    with dicom.quiet():
        other.start()
        assert inside.wait(20)
        silent = state()
    assert state() == silent and silent[0] and silent[1][0][0] == "ignore" and silent[2] == IGNORE
    leave.set()
    other.join()
    assert state() == before


def test_header_is_read_without_pixels(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, SeriesInstanceUID="1.2.3", PatientID="P_1")
    path.write_bytes(path.read_bytes()[:-50])
    header = read_header(path)
    assert (header["SeriesInstanceUID"], header["PatientID"], header["SeriesDescription"]) == ("1.2.3", "P_1", "")
    (tmp_path / "b.dcm").write_text("nothing")
    assert read_header(tmp_path / "b.dcm") is None


def test_stored_values_are_returned_unchanged(tmp_path):
    path = dicom_files.write(tmp_path / "a.dcm", RAMP, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_stored(path), RAMP)


def test_stretch_is_monotone_and_fills_the_range():
    pixels = np.random.default_rng(1).integers(300, 9000, (30, 20)).astype(np.uint16)
    stretched = stretch(pixels)
    assert stretched.min() == 0 and stretched.max() == 65535
    assert (np.diff(stretched.ravel()[np.argsort(pixels.ravel(), kind="stable")].astype(int)) >= 0).all()
