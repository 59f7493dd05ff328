"""How a network outlines masses in crops of several kinds: four contexts, and the source's own crop files.

    python experiments/any_crop.py saved_models/A saved_models/B --source CBIS_DDSM --output any_crop.csv

Each network sees the held-out lesions as a user has them: square crops by the crop policy at each context, in the
film's own pixels, and the crop files of the download, which are tighter, hardly square, and say nowhere where they
were cut out. Their place is found in the film by correlation, which gives their part of the reference mask. Dice is
counted in the crop's own pixels, averaged over lesions; intervals and differences from the first network resample
patients. "Size told" is the Dice of as many of the likeliest pixels as the reference has: how much of a loss lies in
the size of the mass, which a network of one context takes from the crop's. "Margin told" is the Dice of a network that
is shown the crop at its own context, since somebody told it that of the crop: with reflected borders where the crop is
tighter, its middle where it is wider.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from tfrespam import cli
from tfrespam.config import DataConfig, Experiment
from tfrespam.core import runtime
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.data.dicom.greys import stretch
from tfrespam.data.dicom.reader import read_dicom
from tfrespam.data.geometry import crop
from tfrespam.data.readers import cbis_ddsm
from tfrespam.data.readers.image_file import SUFFIXES, read_grey
from tfrespam.data.readers.records import Film, FilmPixels
from tfrespam.evaluation import confusion, statistics
from tfrespam.serving.inference import region

CROP_FILE = "crop file"
STATED = "crop file, context {:g} stated"
TOLD = "size_told", "margin_told"
LEAST_CORRELATION = 0.98  # of a crop file with its place in the film; JPEG costs less than this


class Shown(NamedTuple):
    """One crop of one lesion: `image` (H, W) uint16 and `reference` (H, W) bool; `longest` box side in pixels."""

    lesion_id: str
    patient_id: str
    longest: int
    kind: str
    image: np.ndarray
    reference: np.ndarray


def shown(film: Film, pixels: FilmPixels, contexts: Sequence[float]) -> Iterator[Shown]:
    """The lesions of a film that was read, each in crops of every kind."""
    every = np.logical_or.reduce([mask for _, mask in pixels.masks])
    for lesion, mask in pixels.masks:
        y0, x0, y1, x1 = crop.bounding_box(mask)
        who = lesion.lesion_id, lesion.patient_id, max(y1 - y0, x1 - x0)
        for context in contexts:
            box = crop.roi_box(mask, lesion.lesion_id, context)
            yield Shown(*who, f"context {context:g}", crop.cut(pixels.image, box), _part(every, box))
        for image in _crop_files(film, pixels, lesion.lesion_id):
            if box := place(image, pixels.image):
                yield Shown(*who, CROP_FILE, image, _part(every, box))


def place(image: np.ndarray, film: np.ndarray) -> crop.Box | None:
    """Where `image` was cut out of `film`, both uint16; None where it fits nowhere. Grey values may be rescaled."""
    (height, width), (rows, columns) = image.shape, film.shape
    if height > rows or width > columns or image.min() == image.max():
        return None
    fit = cv2.matchTemplate(film.astype(np.float32), image.astype(np.float32), cv2.TM_CCOEFF_NORMED)
    _, best, _, (left, top) = cv2.minMaxLoc(np.nan_to_num(fit, nan=-1.0, posinf=-1.0))
    return (top, left, top + height, left + width) if best >= LEAST_CORRELATION else None


def _part(mask: np.ndarray, box: crop.Box) -> np.ndarray:
    return crop.cut(mask.view(np.uint8), box) > 0


def _crop_files(film: Film, pixels: FilmPixels, lesion_id: str) -> Iterator[np.ndarray]:
    """The lesion's file that is not its mask, as `predict` reads it."""
    masks = {row.lesion_id: row.mask_file for row in pixels.ledger}
    for lesion, candidates in zip(film.lesions, film.files.masks, strict=True):
        others = [each.path for each in candidates if each.path != masks[lesion.lesion_id]]
        if lesion.lesion_id == lesion_id and len(others) == 1:
            path = Path(film.files.root) / others[0]
            yield stretch(read_grey(path)) if path.suffix.lower() in SUFFIXES else read_dicom(path).pixels


def judge(models: dict, films: Sequence[Film], lesions: set[str], contexts: Sequence[float],
          stated: float | None = None) -> Iterator[dict]:  # fmt: skip
    """A row for each network, lesion and kind of crop; only those of `lesions` are looked at."""
    for film in films:
        pixels = cbis_ddsm.read(film)
        for each in shown(film, pixels, contexts) if pixels.image is not None else ():
            if each.lesion_id not in lesions:
                continue
            for name, model in models.items():
                yield {"model": name, **row(model, each)}
                if stated and each.kind == CROP_FILE:
                    yield {"model": name, **row(model, each._replace(kind=STATED.format(stated)), stated)}


def row(model, each: Shown, stated: float | None = None) -> dict:
    """The scores of one network on one crop, whose context it is told if it is `stated`."""
    image, threshold = each.image / np.float32(65535), model.metadata.get("threshold", 0.5)
    probability = predicted(model, image, stated)
    found = confusion.binarise(probability, threshold)
    told = confusion.binarise(predicted(model, image, max(image.shape) / each.longest), threshold)
    return {"kind": each.kind, "lesion_id": each.lesion_id, "patient_id": each.patient_id,
            "height": found.shape[0], "width": found.shape[1],
            "coverage": round(float(each.reference.mean()), 6), "found": round(float(found.mean()), 6),
            "dice": _dice(each.reference, found),
            "size_told": _dice(each.reference, confusion.likeliest(probability, each.reference.sum())),
            "margin_told": _dice(each.reference, told)}  # fmt: skip


def predicted(model, image: np.ndarray, context: float | None = None) -> np.ndarray:
    """The probabilities (H, W) of `image` (H, W) in [0, 1]; with its `context` as `predict --context` shows it."""
    if context is None:
        return model.predict_images(image[None, ..., None])[0, ..., 0]
    square = region.recentred(image.shape, context, region.trained_contexts(model.metadata))
    probability = model.predict_images(region.cut(image, square, mirrored=True)[None, ..., None])[0, ..., 0]
    return crop.paste(probability, square, image.shape)


def _dice(reference: np.ndarray, found: np.ndarray) -> float:
    return round(float(confusion.dice(confusion.count_pixels(reference[None], found[None]))[0]), 6)


def table(rows: Sequence[dict]) -> list[dict]:
    """Mean Dice of each network on each kind of crop with its 95 % interval, and its difference from the first's."""
    found, first = [], rows[0]["model"]
    for kind, model in sorted({(row["kind"], row["model"]): None for row in rows}):
        one, own = ({row["lesion_id"]: row for row in rows if (row["kind"], row["model"]) == (kind, name)}
                    for name in (first, model))  # fmt: skip
        patients = [row["patient_id"] for row in own.values()]
        dice = [row["dice"] for row in own.values()]
        low, high = statistics.patient_bootstrap(dice, patients)
        less = statistics.paired_bootstrap_difference(dice, [one[name]["dice"] for name in own], patients)
        found.append({"kind": kind, "model": model, "lesions": len(own), "patients": len(set(patients)),
                      "dice": float(np.mean(dice)), "low": low, "high": high,
                      **{told: float(np.mean([row[told] for row in own.values()])) for told in TOLD},
                      "difference": less.mean, "difference_low": less.low, "difference_high": less.high})  # fmt: skip
    return found


def held_out(known: dict[str, np.ndarray], fold: int, models: Sequence) -> np.ndarray:
    """Bool per row of index.csv: the lesions of a fold, without the films that a network excludes."""
    from tfrespam.data.loading import protocols

    excluded = {film for model in models for film in model.metadata["data"].get("exclude_films", ())}
    return protocols.splits(known, "folds", fold, 0, tuple(excluded & set(known["film_id"].tolist())))["validation"]


def report(*models: str, source: str, data_dir: str | None = None, fold: int = 0, output: str = "",
           contexts: tuple[float, ...] = (1.2, 1.6, 2.0, 2.4), stated: float | None = None) -> None:  # fmt: skip
    """How networks outline the held-out masses of CBIS-DDSM in crops of several kinds.

    Args:
        models: Folders of exported models; differences are from the first.
        source: The CBIS-DDSM download.
        data_dir: Home of the prepared data sets, which tell the folds (default: $TFRESPAM_DATA_DIR, or datasets/).
        fold: The fold of patients that is judged, 0-4.
        output: File for a row for each network, lesion and kind of crop, as CSV (default: none is written).
        contexts: Contexts of the square crops.
        stated: Context that a user states for all crop files by `predict --context`, as a further kind of crop.
    """
    runtime.load_tensorflow()
    from tfrespam.data.loading import prepared, protocols
    from tfrespam.serving.inference import saved_model

    if not models:
        raise UserError("expected the folder of at least one exported model")
    exported = {model: saved_model.load(model) for model in models}
    config = DataConfig.of({**next(iter(exported.values())).metadata["data"], "protocol": "folds", "fold": fold})
    known = prepared.find(data_dir or Experiment().data_dir, config)
    judged = held_out(known.table, fold, list(exported.values()))
    for name, model in exported.items():
        audit = protocols.leak_audit(known.table, judged, model.metadata.get("trained_on"))
        console.print(f"{name}: of {judged.sum()} lesions, {audit['patient']} are of patients that it was trained on")
    films = {str(name) for name in known.table["film_id"][judged]}
    inventory = [film for film in cbis_ddsm.scan(Path(source)).films if film.film_id in films]
    rows = list(judge(exported, inventory, {str(name) for name in known.table["lesion_id"][judged]}, contexts,
                      stated))
    if not rows:
        raise UserError(f"{source} holds none of the {len(films)} films of fold {fold}")
    for line in table(rows):
        console.print("{kind} | {model} | {lesions} of {patients} patients | {dice:.4f} ({low:.4f}-{high:.4f}) | "
                      "{difference:+.4f} ({difference_low:+.4f} to {difference_high:+.4f}) | size told "
                      "{size_told:.4f}, margin told {margin_told:.4f}".format(**line))
    if output:
        write_csv(output, rows)


if __name__ == "__main__":
    cli.run(report)
