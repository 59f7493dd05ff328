"""One image of the page: reading, cropping, segmentation, drawing and measurement, independent of the page."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.evaluation.candidates import Candidate
from tfrespam.evaluation.confusion import binarise
from tfrespam.evaluation.extent import extent
from tfrespam.evaluation.overlay import draw_candidates, draw_contour, grey_to_rgb
from tfrespam.serving.dicom.source import Algorithm
from tfrespam.serving.inference import inputs, region
from tfrespam.serving.inference.film_chain import FilmChain, decoded
from tfrespam.serving.inference.jobs import is_film, trained_on
from tfrespam.serving.inference.saved_model import ExportedModel
from tfrespam.studies.demonstration.dicom_objects import source_header
from tfrespam.workflows.prediction_models import algorithms

SMALLEST, LARGEST = 480, 1000  # pixels of an image's longer side on the page
BOX, CORNER = (255, 90, 220), (255, 90, 220)


@dataclasses.dataclass(frozen=True)
class Study:
    """An image and its current state.

    Args:
        name: File name without suffix.
        pixels: (H, W) uint8 or uint16, bright = dense.
        spacing_mm: Side of a pixel, NaN if unknown.
        context: Longest side over that of its mass, if the header implies it.
        header: DICOM header for objects about it, None for other files.
        corner: First corner (x, y) of a box that is being drawn, in the image's pixels.
        box: (y0, x0, y1, x1) around the suspected mass, None for the whole image.
        probability: (H, W) float32 in [0, 1], 0 outside the region; None before the network has run.
        is_film: Whether the image is a whole film.
        found: Candidates of a film, best score first; None before a search.
        labels: (H, W) uint16, number of the candidate whose outline contains the pixel, 0 elsewhere.
    """

    name: str
    pixels: np.ndarray
    spacing_mm: float = float("nan")
    context: float | None = None
    header: Any = None
    corner: tuple[int, int] | None = None
    box: crop.Box | None = None
    probability: np.ndarray | None = None
    is_film: bool = False
    found: tuple[Candidate, ...] | None = None
    labels: np.ndarray | None = None

    @classmethod
    def read(cls, file: Path) -> "Study":
        """Read a file that `predict` accepts. Raises UserError."""
        image = inputs.read(file)
        return cls(file.stem, image.pixels, image.spacing_mm, image.context, source_header(file),
                   is_film=is_film(image))  # fmt: skip

    @property
    def scale(self) -> float:
        """Pixels on the page per pixel of the image."""
        longest = max(self.pixels.shape)
        return min(max(longest, SMALLEST), LARGEST) / longest

    def clicked(self, x: int, y: int) -> "Study":
        """Return the state after a click at (x, y) of the displayed image, a first or opposite corner of a box."""
        point = round(x / self.scale), round(y / self.scale)
        if self.corner is None:
            return dataclasses.replace(self, corner=point, box=None)
        (left, right), (top, bottom) = (sorted(pair) for pair in zip(self.corner, point, strict=True))
        rows, columns = self.pixels.shape
        box = max(top, 0), max(left, 0), min(bottom + 1, rows), min(right + 1, columns)
        if min(box[2] - box[0], box[3] - box[1]) < 8:
            raise UserError("the box is smaller than 8 pixels. Click two corners further apart")
        return dataclasses.replace(self, corner=None, box=box)

    def segmented(self, model: ExportedModel, finder: ExportedModel | None = None) -> "Study":
        """Return the state with the network's probability for the image, or for the region around the box.

        A network that was trained on whole films always segments the whole film, as in training. Without a box,
        `finder`, another such network, finds candidates of a film, and `model` outlines them.
        """
        chain = self._chain(model, finder)
        if chain is not None:
            return self._searched(chain)
        return dataclasses.replace(self, probability=self._probability(model), found=None, labels=None)

    def _probability(self, model: ExportedModel) -> np.ndarray:
        """Return the network's probability (H, W) for the crop, or for the square around the box, 0 outside."""
        square = self.square(model.metadata)
        if square is None:
            return _predict(model, self.pixels)
        part = region.cut(self.pixels, square, mirrored=self.box is None)
        return crop.paste(_predict(model, part), square, self.pixels.shape)

    def square(self, metadata: Mapping[str, Any]) -> crop.Box | None:
        """Return the square that a network for crops gets: that of the box, or of the crop's implied context; or None.
        """
        if self.box is None:
            return region.shown(self.pixels.shape, metadata, None, self.context)
        return crop.square_with_context(self.box, trained_on(metadata)["context"])

    def _chain(self, model: ExportedModel, finder: ExportedModel | None) -> FilmChain | None:
        """Return the networks that search the whole film; None if only the image or a region is segmented."""
        if trained_on(model.metadata)["view"] == "film":
            return FilmChain(model, every=True)
        return FilmChain(finder, model, every=True) if self.box is None and self.is_film and finder else None

    def algorithm(self, model: ExportedModel, finder: ExportedModel | None, threshold: float) -> Algorithm:
        """Return the description, for DICOM objects, of the networks that `segmented` used."""
        chain = self._chain(model, finder) if self.labels is not None else None  # None: a box or a crop was segmented
        if chain is None:
            return algorithms(FilmChain(model), "tfrespam", threshold)["image"]
        return algorithms(chain, "tfrespam", None)["film"]  # `threshold` is that of the scores

    def _searched(self, chain: FilmChain) -> "Study":
        (result,) = chain.predict_film([png.encode(self.pixels)])
        return dataclasses.replace(self, probability=decoded(result.probability_png), found=result.candidates,
                                   labels=result.labels)  # fmt: skip

    def candidates(self, threshold: float) -> list[Candidate]:
        """Return the candidates whose score reaches `threshold`, which are the first ones; [] before a search."""
        return [each for each in self.found or () if each.score >= threshold]

    def numbers(self, threshold: float) -> np.ndarray:
        """Return the number of the candidate of each pixel in the mask, (H, W) int32; 1 without a search."""
        if self.labels is None:
            return binarise(self.probability, threshold).astype(np.int32)
        return np.where(self.labels <= len(self.candidates(threshold)), self.labels, 0)

    def mask(self, threshold: float) -> np.ndarray:
        """Return the mask (H, W) bool: probabilities, or for a film candidates with scores, of at least `threshold`."""
        return self.numbers(threshold) > 0

    def rows(self, threshold: float) -> list[list]:
        """Return number, score, area and longest diameter of each candidate, for the table of the page."""
        unit, rows = self.spacing_mm if self.spacing_mm > 0 else 1.0, []
        for number, each in enumerate(self.candidates(threshold), 1):
            area, diameter = extent(self.labels == number)
            rows.append([number, round(each.score, 3), round(area * unit**2, 1), round(diameter * unit, 1)])
        return rows

    def zoomed(self, number: int) -> np.ndarray:
        """Draw the surroundings of a candidate with its outline, (h, w, 3) uint8."""
        y0, x0, y1, x1 = crop.square_with_context(self.found[number - 1].box, 3.0)
        rows, columns = slice(max(y0, 0), y1), slice(max(x0, 0), x1)
        part, own = self.pixels[rows, columns], self.labels[rows, columns] == number
        scale = SMALLEST / max(part.shape)
        outline = _scaled(own.astype(np.float32), scale) >= 0.5
        return draw_contour(grey_to_rgb(_scaled(part, scale)), outline)

    def drawn(self, threshold: float) -> np.ndarray:
        """Draw the image with box and contour, (h, w, 3) uint8, at the page's size."""
        image = grey_to_rgb(_scaled(self.pixels, self.scale))
        if self.probability is not None:
            outline = _scaled(self.mask(threshold).astype(np.float32), self.scale) >= 0.5
            image = draw_contour(image, outline)
        if shown := self.candidates(threshold):
            image = draw_candidates(image, [(self._on_page(each.box), each.score) for each in shown])
        thickness = max(1, round(min(image.shape[:2]) / 300))
        if self.box is not None:
            y0, x0, y1, x1 = self._on_page(self.box)
            cv2.rectangle(image, (x0, y0), (x1, y1), BOX, thickness)
        if self.corner is not None:
            x, y = (round(side * self.scale) for side in self.corner)
            cv2.drawMarker(image, (x, y), CORNER, cv2.MARKER_CROSS, 12 * thickness, thickness)
        return image

    def _on_page(self, box: crop.Box) -> crop.Box:
        y0, x0, y1, x1 = (round(side * self.scale) for side in box)
        return y0, x0, y1, x1

    def heat(self) -> np.ndarray:
        """Draw the probability over the image, (h, w, 3) uint8: dark violet 0, yellow 1."""
        grey = grey_to_rgb(_scaled(self.pixels, self.scale))
        probability = _scaled(self.probability, self.scale)
        levels = np.rint(probability.clip(0, 1) * 255).astype(np.uint8)
        colours = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS), cv2.COLOR_BGR2RGB)
        share = (0.15 + 0.5 * probability)[..., None]
        return np.rint(grey * (1 - share) + colours * share).astype(np.uint8)

    def measures(self, threshold: float) -> list[tuple[str, str]]:
        """Return area and diameter with units, share of the image, and mean probability inside."""
        mask = self.mask(threshold)
        area, diameter = extent(mask)
        found = [("area", f"{area} px"), ("longest diameter", f"{diameter:.1f} px")]
        if self.spacing_mm > 0:
            found = [("area", f"{area * self.spacing_mm**2:.1f} mm² ({area} px)"),
                     ("longest diameter", f"{diameter * self.spacing_mm:.1f} mm ({diameter:.1f} px)")]  # fmt: skip
        inside = f"{float(self.probability[mask].mean()):.2f}" if area else "–"
        return [*found, ("share of the image", f"{100 * mask.mean():.2f} %"), ("mean probability inside", inside),
                ("pixel spacing", f"{self.spacing_mm:.4g} mm" if self.spacing_mm > 0 else "unknown")]  # fmt: skip


def _predict(model: ExportedModel, pixels: np.ndarray) -> np.ndarray:
    image = pixels.astype(np.float32) / np.iinfo(pixels.dtype).max
    return model.predict_images(image[None, ..., None])[0, ..., 0]


def _scaled(image: np.ndarray, scale: float) -> np.ndarray:
    if scale == 1:
        return image
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind)
