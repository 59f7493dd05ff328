"""What a mammogram's header says about its geometry: spacing, side, view. Terms are those of DICOM PS3.3."""

from pydicom.dataset import Dataset

SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
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
    """Size of a pixel in the plane of the breast, or NaN where it is unknown, not to be trusted, or not square."""
    pair = spacings_mm(dataset)
    return pair[0] if pair and abs(pair[0] - pair[1]) <= 0.01 * pair[0] else float("nan")


def spacings_mm(dataset: Dataset) -> tuple[float, float] | None:
    """Spacing of rows and of columns in the plane of the breast, or None where it is unknown or not to be trusted.

    PS3.3 10.7.1: Pixel Spacing counts as that of the breast when it is calibrated or differs from Imager Pixel
    Spacing; the latter is measured at the detector, from which the breast is away by the magnification factor. On a
    secondary capture only a calibrated spacing counts, or that of the scanner in which the film lay.
    """
    pixel, imager = _pair(dataset.get("PixelSpacing")), _pair(dataset.get("ImagerPixelSpacing"))
    calibrated = bool(dataset.get("PixelSpacingCalibrationType"))
    if dataset.get("SOPClassUID") == SECONDARY_CAPTURE and not calibrated:
        pixel, imager = None, _pair(dataset.get("NominalScannedPixelSpacing"))
    if pixel and (calibrated or pixel != imager):
        return pixel
    magnification = _number(dataset.get("EstimatedRadiographicMagnificationFactor")) or 1.0
    return (imager[0] / magnification, imager[1] / magnification) if imager else None


def laterality(dataset: Dataset) -> str:
    """LEFT, RIGHT or ""."""
    stored = dataset.get("ImageLaterality") or dataset.get("Laterality") or ""
    return LATERALITIES.get(str(stored).strip().upper()[:1], "")


def view(dataset: Dataset) -> str:
    """CC, MLO or another view of CID 4014, or "" where the file names none."""
    codes = dataset.get("ViewCodeSequence") or []
    found = [dataset.get("ViewPosition"), *(code.get("CodeValue") for code in codes), dataset.get("PatientOrientation")]
    return next((VIEWS[str(name)] for name in found if str(name) in VIEWS), "")


def _pair(spacing: object) -> tuple[float, float] | None:
    """Row and column spacing; None unless both are positive numbers."""
    try:
        vertical, horizontal = (float(value) for value in spacing)
    except (TypeError, ValueError):
        return None
    return (vertical, horizontal) if vertical > 0 and horizontal > 0 else None


def _number(value: object) -> float:
    try:
        return max(float(value), 0.0)
    except (TypeError, ValueError):
        return 0.0
