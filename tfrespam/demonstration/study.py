"""One picture on the page: read, cut to a region, segmented, drawn and measured. Knows nothing of the page."""

import dataclasses
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tfrespam.data import crop
from tfrespam.demonstration.dicom_objects import source_header
from tfrespam.errors import UserError
from tfrespam.evaluation.confusion import binarise
from tfrespam.evaluation.extent import extent
from tfrespam.evaluation.overlay import draw_contour, grey_to_rgb
from tfrespam.serving import inputs
from tfrespam.serving.cases import trained_on
from tfrespam.serving.saved_model import ExportedModel

SMALLEST, LARGEST = 480, 1000  # pixels of a picture's longer side on the page
BOX, CORNER = (255, 90, 220), (255, 90, 220)


@dataclasses.dataclass(frozen=True)
class Study:
    """A picture, and what is known about it so far.

    Args:
        name: File name without suffix.
        pixels: (H, W) uint8 or uint16, bright = dense.
        spacing_mm: Side of a pixel, NaN when unknown.
        header: DICOM header for objects about it, None for other files.
        corner: First corner (x, y) of a box that is being drawn, in the picture's pixels.
        box: (y0, x0, y1, x1) around the suspected mass, None for the whole picture.
        probability: (H, W) float32 in [0, 1], 0 outside the region; None before the network has run.
    """

    name: str
    pixels: np.ndarray
    spacing_mm: float = float("nan")
    header: Any = None
    corner: tuple[int, int] | None = None
    box: crop.Box | None = None
    probability: np.ndarray | None = None

    @classmethod
    def read(cls, file: Path) -> "Study":
        """From a PNG, JPEG, TIFF or DICOM file. Raises UserError."""
        picture = inputs.read(file)
        return cls(file.stem, picture.pixels, picture.spacing_mm, source_header(file))

    @property
    def scale(self) -> float:
        """Pixels on the page for one of the picture."""
        longest = max(self.pixels.shape)
        return min(max(longest, SMALLEST), LARGEST) / longest

    def clicked(self, x: int, y: int) -> "Study":
        """With a click at (x, y) of the shown picture: the first corner of a box, or the one opposite to it."""
        point = round(x / self.scale), round(y / self.scale)
        if self.corner is None:
            return dataclasses.replace(self, corner=point, box=None)
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(self.corner, point, strict=True))
        rows, columns = self.pixels.shape
        box = max(top, 0), max(left, 0), min(bottom + 1, rows), min(right + 1, columns)
        if min(box[2] - box[0], box[3] - box[1]) < 8:
            raise UserError("the box is smaller than 8 pixels. Click two corners further apart")
        return dataclasses.replace(self, corner=None, box=box)

    def segmented(self, model: ExportedModel) -> "Study":
        """With the network's probability for the picture, or for the region around the box.

        A network that was trained on whole films is shown the whole film, as it was in training, whatever the box.
        """
        trained = trained_on(model.metadata)
        if self.box is None or trained["view"] == "film":
            return dataclasses.replace(self, probability=_predict(model, self.pixels, trained["view"] == "film"))
        region = crop.square_with_context(self.box, trained["context"])
        part = _predict(model, crop.cut(self.pixels, region))
        whole = crop.paste(part, region, self.pixels.shape)
        return dataclasses.replace(self, probability=whole)

    def mask(self, threshold: float) -> np.ndarray:
        """(H, W) bool."""
        return binarise(self.probability, threshold)

    def drawn(self, threshold: float) -> np.ndarray:
        """The picture with box and contour, (h, w, 3) uint8, at the page's size."""
        picture = grey_to_rgb(_scaled(self.pixels, self.scale))
        if self.probability is not None:
            picture = draw_contour(picture, binarise(_scaled(self.probability, self.scale), threshold))
        thickness = max(1, round(min(picture.shape[:2]) / 300))
        if self.box is not None:
            y0, x0, y1, x1 = (round(side * self.scale) for side in self.box)
            cv2.rectangle(picture, (x0, y0), (x1, y1), BOX, thickness)
        if self.corner is not None:
            x, y = (round(side * self.scale) for side in self.corner)
            cv2.drawMarker(picture, (x, y), CORNER, cv2.MARKER_CROSS, 12 * thickness, thickness)
        return picture

    def heat(self) -> np.ndarray:
        """The probability over the picture, (h, w, 3) uint8: dark violet 0, yellow 1."""
        grey = grey_to_rgb(_scaled(self.pixels, self.scale))
        probability = _scaled(self.probability, self.scale)
        levels = np.rint(probability.clip(0, 1) * 255).astype(np.uint8)
        colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        share = (0.15 + 0.5 * probability)[..., None]
        return np.rint(grey * (1 - share) + colours * share).astype(np.uint8)

    def measures(self, threshold: float) -> list[tuple[str, str]]:
        """Area and diameter with their units, the share of the picture, and the mean probability inside."""
        mask = self.mask(threshold)
        area, diameter = extent(mask)
        found = [("area", f"{area} px"), ("longest diameter", f"{diameter:.1f} px")]
        if self.spacing_mm > 0:
            found = [("area", f"{area * self.spacing_mm**2:.1f} mm² ({area} px)"),
                     ("longest diameter", f"{diameter * self.spacing_mm:.1f} mm ({diameter:.1f} px)")]  # fmt: skip
        inside = f"{float(self.probability[mask].mean()):.2f}" if area else "–"
        return [*found, ("share of the picture", f"{100 * mask.mean():.2f} %"), ("mean probability inside", inside),
                ("pixel spacing", f"{self.spacing_mm:.4g} mm" if self.spacing_mm > 0 else "unknown")]  # fmt: skip


def _predict(model: ExportedModel, pixels: np.ndarray, film: bool = False) -> np.ndarray:
    image = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    segment = model.scan_images if film else model.predict_images
    return segment(image[None, ..., None])[0, ..., 0]


def _scaled(picture: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return picture
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=kind)
