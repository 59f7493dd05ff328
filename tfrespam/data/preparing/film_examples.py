"""Convert one film to examples, in a worker process of `prepare`; does not use TensorFlow."""

import dataclasses
import importlib

import cv2
import numpy as np

from tfrespam.core import png
from tfrespam.data.geometry import breast, crop
from tfrespam.data.readers.records import Action, Film, FilmPixels, LedgerRow, Lesion


@dataclasses.dataclass(frozen=True)
class CropPolicy:
    """Settings for cropping examples from films.

    `view` is "roi" or "film", `context` at least 1, `image_size` in pixels the side of a square, or height and width.
    """

    view: str
    context: float
    image_size: crop.Size


def film_examples(source: str, film: Film, policy: CropPolicy) -> tuple[list[dict], list[LedgerRow]]:
    """Read `film` with the module of the source `source`; return its examples and a ledger row for each lesion.

    An example is a dict of the stored features; `image` and `mask` are PNG bytes (16 and 8 bit).
    """
    cv2.setNumThreads(1)  # the pool already uses all cores
    pixels = importlib.import_module(source).read(film)
    if pixels.image is None or not pixels.masks:
        return [], list(pixels.ledger)
    cut = _lesion_examples if policy.view == "roi" else _film_example
    examples, united = cut(film, pixels, policy)
    return examples, [_unite(row) if row.lesion_id in united else row for row in pixels.ledger]


def _lesion_examples(film: Film, pixels: FilmPixels, policy: CropPolicy) -> tuple[list[dict], set[str]]:
    """Create one crop per lesion; pixels of other lesions inside the crop are mass too."""
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
    """Create one example of the whole breast with all lesions, at true aspect, padded with black."""
    cells, shape = breast.region(pixels.image), pixels.image.shape
    box = crop.frame_around(breast.box(cells, shape), policy.image_size)
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    lesion = _common([lesion for lesion, _ in pixels.masks], film.film_id)
    unlabelled = np.where(breast.pixels(cells, shape), pixels.image, 0)
    image, mask = crop.cut(unlabelled, box), crop.cut(every.view(np.uint8), box)
    united = {lesion.lesion_id for lesion, _ in pixels.masks} if len(pixels.masks) > 1 else set()
    return [_example(lesion, image, mask, box, pixels.pixel_spacing_mm, policy.image_size)], united


def _common(lesions: list[Lesion], film_id: str) -> Lesion:
    """Return a lesion for the whole film, with the facts in which its lesions agree; the others are unknown."""
    first, unknown = lesions[0], {field.name: field.default for field in dataclasses.fields(Lesion)}
    differing = {name: default for name, default in unknown.items()
                 if default is not dataclasses.MISSING and any(getattr(lesion, name) != getattr(first, name)
                                                               for lesion in lesions)}  # fmt: skip
    return dataclasses.replace(first, **differing, lesion_id=film_id)


def _example(lesion: Lesion, image: np.ndarray, mask: np.ndarray, box: crop.Box, spacing: float,
             size: crop.Size) -> dict:  # fmt: skip
    small = crop.resize_mask(mask, size)
    return {
        **dataclasses.asdict(lesion),
        "image": png.encode(crop.resize_image(image, size)),
        "mask": png.encode(small),
        "copy": 0,
        "crop": np.array(box, np.int32),
        "pixel_spacing_mm": np.float32(spacing),
        "mass_pixels": int(small.sum()),
    }


def _unite(row: LedgerRow) -> LedgerRow:
    """Record that a lesion was united with another one; a repair keeps its action, with the union in the detail."""
    if row.action is Action.USED:
        detail = row.detail or "another lesion is in the same image"
        return dataclasses.replace(row, action=Action.UNITED, detail=detail)
    detail = "; ".join(filter(None, [row.detail, "united with another lesion in the same image"]))
    return dataclasses.replace(row, detail=detail)
