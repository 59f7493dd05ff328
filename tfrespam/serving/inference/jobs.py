"""Read and segment files, with a model in this process or on a server."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.geometry import film_detection
from tfrespam.data.geometry.crop import Box
from tfrespam.data.geometry.plausibility import implausible
from tfrespam.serving.client.failures import ImageRefusedError, ServingError, TooMuchDataError, WrongAnswerError
from tfrespam.serving.inference import inputs, journal, region, written
from tfrespam.serving.inference.region import InputDescription
from tfrespam.serving.inference.saved_model import Segmentation


class Segmenter(Protocol):
    """Interface of `ExportedModel` and `Client`."""

    @property
    def metadata(self) -> Mapping[str, Any]: ...

    @property
    def takes_films(self) -> bool: ...

    def predict_bytes(self, images: Sequence[bytes]) -> list[Segmentation]: ...

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]: ...


@dataclasses.dataclass
class Case:
    """One file; `fault` says why it cannot be segmented, and `undone` that the server is the reason, not the file."""

    file: Path
    name: str
    image: inputs.InputImage | None = None
    segmentation: Segmentation | None = None
    fault: str = ""
    undone: bool = False
    region: Literal["image", "film", "box"] = "image"  # what the network is applied to
    square: Box | None = None  # part of the image that the network gets; None: all of it
    state: list[int] = dataclasses.field(default_factory=list)  # of the file when it was read (`journal.state`)

    @functools.cached_property
    def is_dicom(self) -> bool:
        """True if the content is DICOM; False if the file cannot be opened, which reading it reports."""
        try:
            return inputs.kind(self.file) == "DICOM"
        except UserError:
            return False

    @functools.cached_property
    def is_film(self) -> bool:
        """`is_film` of the image, which is searched for the breast only once."""
        return is_film(self.image)


def find(named: Sequence[str], passed_over: Counter | None = None) -> list[Case]:
    """Find the files to segment, except results of earlier calls; `passed_over` as in `inputs.find`."""
    found = inputs.find(named, passed_over)
    earlier = set().union(*map(written.files, {file.parent for file in found}))
    files = [file for file in found if file not in earlier]
    if not files:
        raise UserError(f"{', '.join(named)} contains only earlier results; expected images to segment")
    return [Case(file, name) for file, name in zip(files, inputs.names(files), strict=True)]


def trained_on(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return view and context of the model's training images."""
    return {"view": "roi", "context": 1.6} | dict(metadata.get("data") or {})


def segment(cases: Sequence[Case], model: Segmenter, about: InputDescription, cleaned: bool) -> Sequence[Case]:
    """Read and segment `cases`, and return them."""
    return answer(read(cases, cleaned, about.film), model, about)


def read(cases: Sequence[Case], cleaned: bool, film: str) -> Sequence[Case]:
    """Read the files of `cases`, and return them."""
    for case in cases:
        case.state = journal.state(case.file)
        try:
            case.image = inputs.read(case.file, cleaned, film != "never")
        except UserError as error:
            case.fault = str(error)
    return cases


def answer(cases: Sequence[Case], model: Segmenter, about: InputDescription) -> Sequence[Case]:
    """Segment `cases` that have been read, films one by one and other images together, and return them.

    The graph processes films one by one; in separate requests they meet a server's deadline.
    """
    for case in cases:
        if case.image:
            _choose_region(case, model, about)
    _ask(model, [case for case in cases if not case.fault and case.region != "film"])
    for case in cases:
        if not case.fault and case.region == "film":
            _ask(model, [case])
    return cases


def _choose_region(case: Case, model: Segmenter, about: InputDescription) -> None:
    trained, film = trained_on(model.metadata), about.film
    shape = case.image.pixels.shape
    if about.box is not None:
        try:
            case.square, case.region = region.around(about.box, trained["context"], shape), "box"
        except UserError as error:
            case.fault = str(error)
    elif film == "always" or (film == "auto" and (trained["view"] == "film" or case.is_film)
                              and _takes_films(case, model)):  # fmt: skip
        case.region = "film"
    if film == "auto" and not case.fault:
        unsearched = case.region == "image" and case.is_film
        case.fault = implausible(case.image.pixels, case.region != "image" or unsearched)  # most may be black
        _note_film(case, unsearched)
    if case.region == "image" and not case.fault:
        _recentre(case, model, about.context)


def _recentre(case: Case, model: Segmenter, stated: float | None) -> None:
    """Choose the square that shows a crop of stated context, or of one that its header implies, as in training."""
    implied = case.image.context
    case.square = region.shown(case.image.pixels.shape, model.metadata, stated, implied)
    if stated is None and case.square is not None:
        note = f"a crop file of CBIS-DDSM: context {implied:g} assumed (`context` states another)"
        case.image = dataclasses.replace(case.image, notes=(*case.image.notes, note))


def is_film(image: inputs.InputImage) -> bool:
    """Return whether this is a whole film, by its header, or else by size, proportions, background and breast."""
    return film_detection.looks_like_film(image.pixels) if image.is_film is None else image.is_film


def _note_film(case: Case, unsearched: bool) -> None:
    """Add a note to a film that is not searched, and to a square that may be a film, unless it is searched.

    Crops at the edge of a breast also have a dark background.
    """
    note = "a whole film, but this model has no predict_film: treated as a crop" if unsearched else ""
    unknown = case.region == "image" and case.image.is_film is None
    if not note and unknown and film_detection.shows_background(case.image.pixels):
        note = "treated as a crop around a mass (if it is a whole film, set `film` to always)"
    if note:
        case.image = dataclasses.replace(case.image, notes=(*case.image.notes, note))


def _takes_films(case: Case, model: Segmenter) -> bool:
    try:
        return model.takes_films
    except UserError as error:  # a damaged film network, or from the server of a client
        case.fault, case.undone = str(error), isinstance(error, ServingError)
        return False


def _ask(model: Segmenter, cases: list[Case]) -> None:
    """Segment all cases at once; one by one if they are too large together, or if the graph rejects one of them."""
    if not cases:
        return
    predict = model.predict_film if cases[0].region == "film" else model.predict_bytes
    try:
        answers = predict([_sent(case) for case in cases])
    except UserError as error:
        of_image = isinstance(error, ImageRefusedError | TooMuchDataError)  # the same in every call
        servers = isinstance(error, ServingError) and not of_image
        answers = error.answers if isinstance(error, WrongAnswerError) else [str(error)] * len(cases) * servers
        if not answers and len(cases) > 1:
            for case in cases:
                _ask(model, [case])
            return
        for case in cases:
            case.undone = servers
        answers = answers or [str(error)]
    for case, found in zip(cases, answers, strict=True):
        if isinstance(found, str):
            case.fault = found
        else:
            case.segmentation, case.undone = _at_full_size(case, found), False


def _sent(case: Case) -> bytes:
    if case.square is None:
        return case.image.encoded
    return png.encode(region.cut(case.image.pixels, case.square, mirrored=case.region == "image"))


def _at_full_size(case: Case, answer: Segmentation) -> Segmentation:
    return region.paste(answer, case.square, case.image.pixels.shape) if case.square else answer
