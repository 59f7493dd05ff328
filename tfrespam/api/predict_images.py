"""`tfrespam.predict`: segment images or image files."""

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from tfrespam.api.load_model import Segmenter, grey_batch
from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.geometry import crop
from tfrespam.data.geometry.film_detection import looks_like_film
from tfrespam.evaluation.candidates import Candidate
from tfrespam.serving.inference import jobs, region
from tfrespam.serving.inference.film_chain import FilmChain, decoded
from tfrespam.serving.inference.jobs import trained_on
from tfrespam.serving.inference.region import InputDescription
from tfrespam.serving.inference.saved_model import Segmentation, check_threshold
from tfrespam.workflows import prediction, prediction_models

Files = str | os.PathLike | Sequence[str | os.PathLike]


@dataclasses.dataclass(frozen=True)
class SegmentedImage:
    """One image and its mask.

    Args:
        mask: (H, W) bool.
        probability: (H, W) float32 in [0, 1].
        file: The image's file; None for an array.
        region: Segmented region: "image" (the image as a crop), "film" (a whole film, searched for masses) or "box".
        candidates: Candidates on a film (score, box, area), best score first; () if no mass was found, None for crops.
        labels: (H, W) uint16 for a film: number, from 1, of the candidate whose outline contains the pixel, else 0.
        notes: Assumptions about the file, as in the column `notes` of predictions.csv.
    """

    mask: np.ndarray
    probability: np.ndarray
    file: Path | None = None
    region: str = "image"
    candidates: tuple[Candidate, ...] | None = None
    labels: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    @property
    def tumour_fraction(self) -> float:
        """Share of the image's pixels inside the mask."""
        return float(self.mask.mean())


def predict(images: Files | np.ndarray, model: "str | Path | Segmenter | None" = None, *,
            film_model: str | Path | None = None, threshold: float | None = None,
            film: Literal["auto", "always", "never"] = "auto", context: float | None = None, batch_size: int = 8,
            output: str | Path | None = None) -> list[SegmentedImage]:  # fmt: skip
    """Segment images; files are written only if `output` is given.

    Whole films are searched for candidates, as by the stage `predict`.

    Args:
        images: An array as for `Segmenter.predict`, or files and folders: PNG, JPEG, TIFF, BMP, PGM, DICOM.
        model: Path of an exported model, or the result of `load_model` (default, as for the stage `predict`:
            saved_models/pretrained, else the newest model under saved_models, else the pretrained one of tfrespam).
        film_model: Path of an exported model that finds masses on whole films (default: `model`; without `model`, if a
            pretrained one is used, saved_models/films, else the one of tfrespam).
        threshold: Probability threshold: pixels with at least this probability belong to the mask (default: that
            of the export).
        film: Whether images are whole films; "auto" detects it for each image.
        context: Longest side of each crop over the longest side of its mass, if it differs from that of the network's
            training crops; at least 1. For DICOM crop files of CBIS-DDSM 1.35 is assumed. Tighter crops are extended by
            mirroring, wider ones cut.
        batch_size: Files that are segmented together.
        output: Folder for masks, probabilities, overlays and predictions.csv, as the stage `predict` writes them.

    Returns:
        One result per image, in the order of the images; files of a folder are in its listed order.

    Raises:
        UserError: No model or images, a file that cannot be segmented, or an array of another shape or range.
    """
    check_threshold(threshold)
    if batch_size < 1:
        raise UserError(f"`batch_size` must be 1 or more. Received: {batch_size}")
    named = [] if isinstance(images, np.ndarray) else _named(images)
    about = InputDescription(film, context=context)
    path = model.path if isinstance(model, Segmenter) else model
    crop_path, film_path = (None if each is None else os.fspath(each) for each in (path, film_model))
    if isinstance(model, Segmenter) and film_model is None:
        chain = FilmChain(model.exported, threshold=threshold)
    else:
        chain, _ = prediction_models.on_disk(crop_path, film_path, models_dir="saved_models", threshold=threshold)
    if context is not None and trained_on(chain.metadata)["view"] == "film":
        raise UserError("`context` needs a model that was trained on crops; this one was trained on whole films")
    if isinstance(images, np.ndarray):
        if output is not None:
            raise UserError("`output` needs files as `images`, because results are named after them. Received: an "
                            "array")  # fmt: skip
        return _arrays(images, chain, threshold, about)
    if output is not None:
        prediction.predict_files(named, os.fspath(output), model=crop_path, film_model=film_path,
                                 threshold=threshold, film=film, context=context,
                                 batch_size=batch_size)  # fmt: skip
    return _files(named, chain, threshold, about, batch_size)


def _named(images: Files) -> list[str]:
    listed = [images] if isinstance(images, str | os.PathLike) else list(images)
    others = [type(each).__name__ for each in listed if not isinstance(each, str | os.PathLike)]
    if others or not listed:
        raise UserError("`images` must be an array, or one or more files and folders. Received: "
                        + (f"a list with {others[0]}" if others else "an empty list"))  # fmt: skip
    return [os.fspath(each) for each in listed]


def _arrays(images: np.ndarray, chain: FilmChain, threshold: float | None,
            about: InputDescription) -> list[SegmentedImage]:  # fmt: skip
    """Segment an array: each image as a film or as a crop; films one by one, crops together."""
    greys = grey_batch(images)
    films = np.array([_is_film(grey, chain, about.film) for grey in greys])
    if films.any() and greys.shape[-1] != 1:
        raise UserError(f"whole films must be grey, (N, H, W) or (N, H, W, 1). Received: {greys.shape}")
    crops = iter([] if films.all() else _crops(greys[~films], Segmenter(chain.crops), threshold, about.context))
    return [_film(grey, chain, threshold) if film else next(crops) for grey, film in zip(greys, films, strict=True)]


def _is_film(grey: np.ndarray, chain: FilmChain, film: Literal["auto", "always", "never"]) -> bool:
    if film != "auto" or grey.shape[-1] != 1:
        return film == "always"
    return (trained_on(chain.metadata)["view"] == "film" or looks_like_film(_deep(grey))) and chain.takes_films


def _deep(grey: np.ndarray) -> np.ndarray:
    return np.rint(grey[..., 0] * 65535).astype(np.uint16)


def _film(grey: np.ndarray, chain: FilmChain, threshold: float | None) -> SegmentedImage:
    (result,) = chain.predict_film([png.encode(_deep(grey))])
    return _segmented(result, threshold, None, "film")


def _crops(greys: np.ndarray, network: Segmenter, threshold: float | None,
           context: float | None) -> list[SegmentedImage]:  # fmt: skip
    """Segment crops (N, H, W, C) of one size, at the network's context if their own is known."""
    shape = greys.shape[1:3]
    square = region.shown(shape, network.metadata, context)
    if square is None:
        return [SegmentedImage(*pair) for pair in zip(*network.predict(greys, threshold), strict=True)]
    shown = [np.dstack([region.cut(channel, square, True) for channel in np.moveaxis(grey, -1, 0)]) for grey in greys]
    pairs = zip(*network.predict(np.stack(shown), threshold), strict=True)
    return [SegmentedImage(crop.paste(mask, square, shape), crop.paste(probability, square, shape))
            for mask, probability in pairs]  # fmt: skip


def _files(named: list[str], chain: FilmChain, threshold: float | None, about: InputDescription,
           batch_size: int) -> list[SegmentedImage]:  # fmt: skip
    cases = jobs.find(named)
    found = []
    for start in range(0, len(cases), batch_size):
        for case in jobs.segment(cases[start : start + batch_size], chain, about, False):
            if case.fault:
                raise UserError(f"{case.file} could not be segmented: {case.fault}")
            assert case.segmentation is not None and case.image is not None  # a case without a fault has both
            segmented = _segmented(case.segmentation, threshold, case.file, case.region)
            found.append(dataclasses.replace(segmented, notes=case.image.notes))
            case.image = case.segmentation = None  # films are large
    return found


def _segmented(result: Segmentation, threshold: float | None, file: Path | None, region: str) -> SegmentedImage:
    probability = decoded(result.probability_png)
    thresholded = threshold is None or result.labels is not None  # a threshold was applied to the candidates already
    mask = decoded(result.mask_png) > 0 if thresholded else probability >= threshold
    return SegmentedImage(mask, probability, file, region, result.candidates, result.labels)
