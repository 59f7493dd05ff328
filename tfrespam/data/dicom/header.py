"""Read spacing, laterality and view from a mammogram's header, with the terms of DICOM PS3.3."""

from pydicom.dataset import Dataset

from tfrespam.data.dicom.values import number, numbers, texts, word

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SECONDARY_CAPTURES = (SECONDARY_CAPTURE, *(f"{SECONDARY_CAPTURE}.{kind}" for kind in range(1, 5)))  # one bit to colour
PLAUSIBLE_MM = (0.005, 2.0)  # detectors and scanners have 0.025 to 0.2; values outside are in other units or wrong
MAMMOGRAPHY = ("1.2.840.10008.5.1.4.1.1.1.2", "1.2.840.10008.5.1.4.1.1.1.2.1")  # for presentation, for processing
WHOLE_MM, CROP_MM = 150.0, 100.0  # longest side from which an exposure is a whole film, below which it is a crop
ROUNDING = 0.001  # Pixel Spacing and Imager Pixel Spacing that differ by less were written with fewer digits
AGREEMENT = 0.1  # of the estimated magnification factor with that from the distances
LATERALITIES = {"L": "LEFT", "R": "RIGHT"}
# PS3.16 CID 4014: SNOMED CT codes, and the SNOMED RT ones of older files
VIEW_CODES = {
    "399162004": "CC", "R-10242": "CC", "399368009": "MLO", "R-10226": "MLO", "399260004": "ML", "R-10224": "ML",
    "399352003": "LM", "R-10228": "LM", "399099002": "LMO", "R-10230": "LMO", "399196006": "FB", "R-10244": "FB",
    "399188001": "SIO", "R-102D0": "SIO", "441555000": "ISO", "R-40AAA": "ISO", "399265009": "XCC", "R-102CF": "XCC",
    "399192008": "XCCL", "R-1024A": "XCCL", "399101009": "XCCM", "R-1024B": "XCCM",
}  # fmt: skip
VIEWS = VIEW_CODES | {name: name for name in VIEW_CODES.values()}


def spacing_mm(dataset: Dataset) -> float:
    """Return the size of a pixel in the plane of the breast; NaN if unknown, unreliable or not square."""
    pair = spacings_mm(dataset)
    return pair[0] if pair and _near(*pair, 0.01) else float("nan")


def spacings_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Return row and column spacing in the plane of the breast; None if unknown or unreliable.

    PS3.3 10.7.1: Pixel Spacing is that of the breast if it is calibrated or differs from Imager Pixel Spacing. The
    latter is that of the detector and is divided by the magnification factor. For a secondary capture only a calibrated
    spacing, or that of the film scanner, is used.
    """
    pixel, imager = _pair(dataset, "PixelSpacing"), _pair(dataset, "ImagerPixelSpacing")
    calibrated = bool(word(dataset, "PixelSpacingCalibrationType"))
    if word(dataset, "SOPClassUID") in SECONDARY_CAPTURES and not calibrated:
        pixel, imager = None, _pair(dataset, "NominalScannedPixelSpacing")
    same = pixel and imager and all(_near(*both, ROUNDING) for both in zip(pixel, imager, strict=True))
    if pixel and (calibrated or not same):
        return pixel
    factor = magnification(dataset)
    return (imager[0] / factor, imager[1] / factor) if imager and factor else None


def magnification(dataset: Dataset) -> float | None:
    """Return the magnification factor of the breast on the detector; 1 if the header does not contain it.

    PS3.3 C.8.11.5: the ratio of Distance Source to Detector and to Patient. None if that contradicts the estimated
    factor, or is below 1, which is impossible.
    """
    detector, patient = number(dataset, "DistanceSourceToDetector"), number(dataset, "DistanceSourceToPatient")
    ratio = detector / patient if detector and patient and detector > 0 and patient > 0 else None
    factor = number(dataset, "EstimatedRadiographicMagnificationFactor") or ratio or 1.0
    contradicted = ratio is not None and not _near(factor, ratio, AGREEMENT)
    return None if contradicted or factor < 1 - AGREEMENT / 2 else factor


def laterality(dataset: Dataset) -> str:
    """Return LEFT, RIGHT or ""."""
    stored = word(dataset, "ImageLaterality") or word(dataset, "Laterality")
    return LATERALITIES.get(stored[:1], "")


def view(dataset: Dataset) -> str:
    """Return CC, MLO or another view of CID 4014; "" if there is none."""
    codes = dataset.get("ViewCodeSequence") or []
    found = [word(dataset, "ViewPosition"), *(text for code in codes for text in texts(code, "CodeValue")),
             "\\".join(texts(dataset, "PatientOrientation"))]  # fmt: skip
    return next((VIEWS[name.upper()] for name in found if name.upper() in VIEWS), "")


def _pair(dataset: Dataset, keyword: str) -> tuple[float, float] | None:
    """Return row and column spacing; None unless both are plausible lengths."""
    values = numbers(dataset, keyword)
    if len(values) != 2 or not all(value and PLAUSIBLE_MM[0] <= value <= PLAUSIBLE_MM[1] for value in values):
        return None
    return values[0], values[1]


def _near(one: float, other: float, tolerance: float) -> bool:
    return abs(one - other) <= tolerance * min(abs(one), abs(other))


def is_crop_file(dataset: Dataset) -> bool:
    """Return whether Series Description is that of CBIS-DDSM's crops, boxes around one mass with a margin."""
    return "cropped images" in word(dataset, "SeriesDescription").lower()


def whole_breast(dataset: Dataset) -> bool | None:
    """Return whether the image shows a whole breast by its header, or (False) a crop; None if that is unknown.

    CBIS-DDSM names its crops in Series Description. For the mammography classes the longest side in the plane of the
    breast decides: from WHOLE_MM a whole breast, below CROP_MM a crop.
    """
    described = word(dataset, "SeriesDescription").lower()
    if "crop" in described:
        return False
    if "full mammogram" in described:
        return True
    spacing, rows, columns = spacings_mm(dataset), number(dataset, "Rows"), number(dataset, "Columns")
    if word(dataset, "SOPClassUID") not in MAMMOGRAPHY or not (spacing and rows and columns):
        return None
    length = max(rows * spacing[0], columns * spacing[1])
    return True if length >= WHOLE_MM else False if length < CROP_MM else None
