"""From one film to its stored examples: what a worker process of `prepare` does. Knows no TensorFlow."""

import dataclasses
import importlib

import cv2
import numpy as np

from tfrespam.data import breast, crop
from tfrespam.data.records import Action, Film, FilmPixels, LedgerRow, Lesion


@dataclasses.dataclass(frozen=True)
class CropPolicy:
    """How examples are cut out of films: `view` "roi" or "film", `context` >= 1, `image_size` in pixels."""

    view: str
    context: float
    image_size: int


def film_examples(source: str, film: Film, policy: CropPolicy) -> tuple[list[dict], list[LedgerRow]]:
    """Reads `film` with the source module named `source`; returns its examples and a ledger row for each lesion.

    An example is a dict of the stored features; `image` and `mask` are PNG bytes (16 and 8 bit).
    """
    cv2.setNumThreads(1)  # the pool already uses every core
    pixels = importlib.import_module(source).read(film)
    if pixels.image is None or not pixels.masks:
        return [], list(pixels.ledger)
    cut = _lesion_examples if policy.view == "roi" else _film_example
    examples, united = cut(film, pixels, policy)
    return examples, [_unite(row) if row.lesion_id in united else row for row in pixels.ledger]


def _lesion_examples(film: Film, pixels: FilmPixels, policy: CropPolicy) -> tuple[list[dict], set[str]]:
    """One crop per lesion; whatever belongs to another lesion of the film inside the crop is mass as well."""
    examples, united = [], set()
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    for lesion, mask in pixels.masks:
        box = crop.roi_box(mask, lesion.lesion_id, policy.context)
        whole = crop.cut(every.view(np.uint8), box)
        if np.count_nonzero(whole) > np.count_nonzero(crop.cut(mask.view(np.uint8), box)):
            united.add(lesion.lesion_id)
        image = crop.cut(pixels.image, box)
        examples.append(_example(lesion, image, whole, box, pixels.pixel_spacing_mm, policy.image_size))
    return examples, united


def _film_example(film: Film, pixels: FilmPixels, policy: CropPolicy) -> tuple[list[dict], set[str]]:
    """The whole breast with all its lesions, at true aspect, squared with black; all that is no breast is black."""
    cells, shape = breast.region(pixels.image), pixels.image.shape
    box = crop.square_around(breast.box(cells, shape))
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    lesion = dataclasses.replace(pixels.masks[0][0], lesion_id=film.film_id)
    unlabelled = np.where(breast.pixels(cells, shape), pixels.image, 0)
    image, mask = (crop.cut(picture, box) for picture in (unlabelled, every.view(np.uint8)))
    united = {lesion.lesion_id for lesion, _ in pixels.masks} if len(pixels.masks) > 1 else set()
    return [_example(lesion, image, mask, box, pixels.pixel_spacing_mm, policy.image_size)], united


def _example(lesion: Lesion, image: np.ndarray, mask: np.ndarray, box: crop.Box, spacing: float, size: int) -> dict:
    small = crop.resize_mask(mask, size)
    return {
        **dataclasses.asdict(lesion),
        "image": _png(crop.resize_image(image, size)),
        "mask": _png(small),
        "copy": 0,
        "crop": np.array(box, np.int32),
        "pixel_spacing_mm": np.float32(spacing),
        "mass_pixels": int(small.sum()),
    }


def _png(picture: np.ndarray) -> bytes:
    # the grain of films leaves nothing longer than runs to find; looking for it takes half as long again
    options = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    return cv2.imencode(".png", picture, options)[1].tobytes()


def _unite(row: LedgerRow) -> LedgerRow:
    """A repair is the more serious news; then the union goes into the detail."""
    if row.action is Action.USED:
        detail = row.detail or "shares its crop with another lesion"
        return dataclasses.replace(row, action=Action.UNITED, detail=detail)
    return dataclasses.replace(row, detail="; ".join(filter(None, [row.detail, "united with another lesion"])))
