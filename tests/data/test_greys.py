"""Conversion of stored values to greys, against an independent implementation of the standard (greys_stated_again)."""

import io
import itertools

import dicom_files
import greys_stated_again
import numpy as np
import pydicom
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from tfrespam.core.errors import UserError
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.data.dicom.voi import window

CR, DX = "1.2.840.10008.5.1.4.1.1.1", "1.2.840.10008.5.1.4.1.1.1.1"
SIGNS, PHOTOMETRICS = (False, True), ("MONOCHROME1", "MONOCHROME2")
SLOPES = (None, (1, 0), (-1, 900), (0.5, -300), (-2, 40950))
VOIS = ("none", "LINEAR", "LINEAR_EXACT", "SIGMOID", "table of 8", "table of 8 in words", "table of 12", "table of 16")
PADDINGS = ("none", "lowest", "highest", "range", "other sign")


def stored_values(bits, signed):
    """Gradient of about 200 values in the middle of the range of `bits`, with the extreme values as border."""
    span = 1 << bits
    values = np.linspace(span * 0.2, span * 0.8, 24 * 20).astype(int).reshape(24, 20)
    values[0], values[-1] = 0, span - 1
    return values - span // 2 if signed else values


def case(bits, signed, slope, photometric, voi, padding):
    """Return stored values, DICOM elements, and the corresponding arguments of the independent implementation."""
    stored = stored_values(bits, signed)
    elements = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed),
                "PhotometricInterpretation": photometric, "SOPClassUID": dicom_files.MAMMOGRAPHY}  # fmt: skip
    said = {"photometric": photometric}
    if slope:
        elements |= {"RescaleSlope": str(slope[0]), "RescaleIntercept": str(slope[1])}
        said |= {"slope": slope[0], "intercept": slope[1]}
    ends = sorted(float(stored[row, 0]) * said.get("slope", 1) + said.get("intercept", 0) for row in (1, -2))
    _present(voi, ends, elements, said)
    _pad(padding, stored, bits, elements, said)
    return stored, elements, said


def _present(voi, ends, elements, said):
    centre, width = round(sum(ends) / 2), max(round((ends[1] - ends[0]) * 0.6), 2)
    if voi in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        elements |= {"WindowCenter": str(centre), "WindowWidth": str(width), "VOILUTFunction": voi}
        said |= {"window": (centre, width), "function": voi}
    elif voi.startswith("table"):
        bits, count = int(voi.split()[2]), min(width, 300)
        first = centre - count // 2
        assert -32768 <= first < 65536
        entries = np.rint(np.linspace(0, 1, count) ** 2 * ((1 << bits) - 1)).astype(int)
        item = Dataset()
        item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [count, first, bits])
        packed = voi == "table of 8"
        data = entries.astype("u1" if packed else "<u2").tobytes()
        item.add_new("LUTData", "OW", data + b"\0" * (len(data) % 2))
        elements["VOILUTSequence"] = [item]
        said["table"] = first, entries


def _pad(padding, stored, bits, elements, said):
    ends = {"lowest": (stored.min(),) * 2, "highest": (stored.max(),) * 2, "other sign": (stored.min(),) * 2,
            "range": (stored.min(), stored.min() + 3)}.get(padding)  # fmt: skip
    if ends:
        said["padding"] = tuple(map(int, ends))
        word = int(ends[0]) % 65536
        elements["PixelPaddingValue"] = ("US", word) if padding == "other sign" else _as_vr(ends[0])
        if padding == "range":
            elements["PixelPaddingRangeLimit"] = _as_vr(ends[1])


def _as_vr(value):
    return ("SS" if value < 0 else "US", int(value))


def file_of(stored, elements, dtype=None):
    """Return the bytes of a DICOM file; a pair is the VR and the value of an element."""
    dtype = dtype or f"<{'i' if elements['PixelRepresentation'] else 'u'}{1 if elements['BitsStored'] <= 8 else 2}"
    plain = {name: value for name, value in elements.items() if not isinstance(value, tuple)}
    made = dicom_files.dataset(stored.astype(dtype), **plain)
    for name, (vr, value) in ((name, value) for name, value in elements.items() if isinstance(value, tuple)):
        made.add_new(name, vr, value)
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def agree(image, expected):
    assert image.pixels.dtype == np.uint16
    assert np.abs(image.pixels.astype(int) - expected.astype(int)).max() <= 1


@pytest.mark.parametrize(("bits", "signed"), itertools.product((8, 10, 12, 14, 16), SIGNS))
def test_all_combinations_match_an_independent_implementation(bits, signed):
    tried = 0
    for slope, photometric, voi, padding in itertools.product(SLOPES, PHOTOMETRICS, VOIS, PADDINGS):
        stored, elements, said = case(bits, signed, slope, photometric, voi, padding)
        expected = greys_stated_again.shown(stored, **said)
        agree(read_dicom(file_of(stored, elements)), expected)
        tried += 1
    assert tried == 5 * 2 * 8 * 5


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_random_valid_headers_match_an_independent_implementation(data):
    bits, signed = data.draw(st.sampled_from((8, 10, 12, 16))), data.draw(st.booleans())
    low = -(1 << bits - 1) if signed else 0
    values = st.integers(low, low + (1 << bits) - 1)
    stored = np.array(data.draw(st.lists(values, min_size=16, max_size=16))).reshape(4, 4)
    slope = data.draw(st.sampled_from((1, -1, 0.5, 3, -7.25)))
    intercept = data.draw(st.integers(-5000, 5000))
    centre, width = data.draw(st.integers(-9000, 9000)), data.draw(st.integers(1, 9000))
    function = data.draw(st.sampled_from(("LINEAR", "LINEAR_EXACT", "SIGMOID")))
    photometric = data.draw(st.sampled_from(PHOTOMETRICS))
    assume(width > 1)
    said = {"slope": slope, "intercept": intercept, "photometric": photometric}
    presented = window(stored * slope + intercept, centre, width, function)
    assume(np.ptp(stored) and np.ptp(presented) > 1e-6)
    elements = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed),
                "PhotometricInterpretation": photometric, "SOPClassUID": dicom_files.MAMMOGRAPHY,
                "RescaleSlope": str(slope), "RescaleIntercept": str(intercept), "WindowCenter": str(centre),
                "WindowWidth": str(width), "VOILUTFunction": function}  # fmt: skip
    expected = greys_stated_again.shown(stored, window=(centre, width), function=function, **said)
    agree(read_dicom(file_of(stored, elements)), expected)


@settings(max_examples=150, deadline=None)
@given(elements=st.dictionaries(
    st.sampled_from(("WindowCenter", "WindowWidth", "RescaleSlope", "RescaleIntercept", "VOILUTFunction", "BitsStored",
                     "HighBit", "PixelPaddingValue", "PresentationLUTShape", "PhotometricInterpretation")),
    st.binary(max_size=12) | st.sampled_from((b"", b"  ", b"1,5", b"\\2", b"1e400", b"-1", b"\xff\xff"))))
def test_invalid_elements_give_an_image_or_a_user_error(elements):
    stored, plain, _ = case(12, False, None, "MONOCHROME2", "none", "none")
    made = pydicom.dcmread(io.BytesIO(file_of(stored, plain)))
    for name, value in elements.items():
        tag, vr = Tag(name), pydicom.datadict.dictionary_VR(Tag(name)).split()[0]
        value += b" " * (len(value) % 2)
        made[tag] = RawDataElement(tag, vr, len(value), value, 0, False, True)
    buffer = io.BytesIO()
    made.save_as(buffer, enforce_file_format=True)
    try:
        assert read_dicom(buffer.getvalue()).pixels.max() == 65535
    except UserError as error:
        assert "Error)" not in str(error), "told by the name of a Python error alone"


def shown_with(stored, signed=False, sop_class=dicom_files.MAMMOGRAPHY, bits=12, dtype=None, **elements):
    own = {"BitsStored": bits, "HighBit": bits - 1, "PixelRepresentation": int(signed), "SOPClassUID": sop_class}
    return read_dicom(file_of(stored, own | elements, dtype))


PLAIN = stored_values(12, False)


@pytest.mark.parametrize("kind", [CR, DX, "1.2.840.10008.5.1.4.1.1.13.1.4", "1.2.840.10008.5.1.4.1.1.13.1.3"])
def test_windows_apply_to_digital_images_of_other_classes(kind):
    image = shown_with(PLAIN, sop_class=kind, WindowCenter="2000", WindowWidth="900")
    agree(image, greys_stated_again.shown(PLAIN, window=(2000, 900)))


@pytest.mark.parametrize("elements", [{"sop_class": "1.2.840.10008.5.1.4.1.1.1.2.1"},
                                      {"sop_class": "1.2.840.10008.5.1.4.1.1.1.1.1"},
                                      {"PresentationIntentType": "FOR PROCESSING"}])
def test_raw_detector_values_are_refused(elements):
    with pytest.raises(UserError, match="FOR PROCESSING.*no display.*FOR PRESENTATION"):
        shown_with(PLAIN, **elements)


def test_a_modality_lut_replaces_slope_and_intercept():
    item, entries = Dataset(), np.rint(np.linspace(0, 255, 4096)[::-1]).astype("u1")
    item.add_new("LUTDescriptor", "US", [4096, 0, 8])
    item.add_new("LUTData", "OW", entries.tobytes())
    image = shown_with(PLAIN, ModalityLUTSequence=[item], RescaleSlope="1", RescaleIntercept="0")
    agree(image, greys_stated_again.shown(PLAIN, table=(0, entries)))


@pytest.mark.parametrize("first", [-2048, 63488])
def test_sign_of_the_first_value_of_a_lut_follows_the_pixel_values(first):
    stored, item = stored_values(12, True), Dataset()
    entries = np.rint(np.linspace(0, 1, 4096) ** 3 * 65535).astype("<u2")
    item.add_new("LUTDescriptor", "SS" if first < 0 else "US", [4096, first, 16])
    item.add_new("LUTData", "OW", entries.tobytes())
    agree(shown_with(stored, signed=True, VOILUTSequence=[item]),
          greys_stated_again.shown(stored, table=(-2048, entries)))  # fmt: skip


def test_an_unreadable_lut_is_reported_and_the_window_used():
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [4096, 0, 16])
    item.add_new("LUTData", "OW", bytes(100))
    image = shown_with(PLAIN, VOILUTSequence=[item], WindowCenter="2000", WindowWidth="900")
    agree(image, greys_stated_again.shown(PLAIN, window=(2000, 900)))
    assert any("VOI LUT" in note for note in image.notes)


@pytest.mark.parametrize(("elements", "told"), [
    ({"WindowCenter": "1012", "WindowWidth": "0"}, "Window Width are invalid"),
    ({"WindowCenter": "90000", "WindowWidth": "1"}, "a single grey value"),
    ({"RescaleSlope": "0"}, "Rescale Slope is 0"),
    ({"PresentationLUTShape": "INVERSE"}, "Presentation LUT Shape"),
    ({"VOILUTFunction": "NORMAL"}, "VOI LUT Function"),
])  # fmt: skip
def test_impossible_elements_are_ignored_and_reported(elements, told):
    image = shown_with(PLAIN, **elements)
    agree(image, greys_stated_again.shown(PLAIN))
    assert any(told in note for note in image.notes)


def test_an_ordinary_header_gives_no_note():
    assert shown_with(PLAIN, WindowCenter="2000", WindowWidth="900", RescaleSlope="1").notes == ()


def test_high_bit_that_contradicts_the_pixel_layout():
    high = {"HighBit": 15}
    agree(shown_with(PLAIN * 16, dtype="<u2", **high), greys_stated_again.shown(PLAIN))  # at the top of the word
    image = shown_with(PLAIN, dtype="<u2", **high)  # says so, but lies at the bottom
    agree(image, greys_stated_again.shown(PLAIN))
    assert any("High Bit" in note for note in image.notes)
    image = shown_with(PLAIN, HighBit=3)
    agree(image, greys_stated_again.shown(PLAIN))
    assert any("High Bit is 3" in note for note in image.notes)


def test_bits_stored_smaller_than_the_values_is_ignored():
    smooth = np.add.outer(np.arange(60), np.arange(60)) * 34
    image = shown_with(smooth, bits=10, dtype="<u2")
    agree(image, greys_stated_again.shown(smooth))
    assert any("Bits Stored is 10" in note and "all bits" in note for note in image.notes)


def test_an_overlay_in_the_unused_bits_is_removed():
    noise = np.random.default_rng(0).integers(0, 2, PLAIN.shape) << 12
    image = shown_with(PLAIN | noise, dtype="<u2")
    agree(image, greys_stated_again.shown(PLAIN))
    assert any("are ignored" in note for note in image.notes)


def test_padding_value_with_more_bits_than_stored():
    inside = PLAIN.copy()
    inside[:, :4] = 4095
    expected = greys_stated_again.shown(inside, padding=(4095, 4095))
    agree(shown_with(inside, dtype="<u2", PixelPaddingValue=("US", 65535)), expected)
    whole = np.where(inside == 4095, 65535, inside)
    agree(shown_with(whole, dtype="<u2", PixelPaddingValue=("SS", -1)), expected)
    bright = PLAIN.copy()  # saturated tissue is no padding
    bright[0], bright[-1], bright[10:12, 8:12] = 100, 100, 4095
    agree(shown_with(bright, dtype="<u2", PixelPaddingValue=("US", 65535)), greys_stated_again.shown(bright))
