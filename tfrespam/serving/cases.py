"""Files on their way through a network, wherever that runs: in this process, or behind a server."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Protocol

from tfrespam.data.crop import Box
from tfrespam.errors import UserError
from tfrespam.serving import inputs, region, written
from tfrespam.serving.failures import PictureRefusedError, ServingError
from tfrespam.serving.saved_model import Segmentation


class Segmenter(Protocol):
    """What segments: an `ExportedModel` or a `Client`."""

    metadata: Mapping[str, Any]
    takes_films: bool

    def predict_bytes(self, pictures: Sequence[bytes]) -> list[Segmentation]: ...

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]: ...


@dataclasses.dataclass
class Case:
    """One file; `fault` says why it cannot be segmented, `undone` that this was the server's fault and not its own."""

    file: Path
    name: str
    picture: inputs.Picture | None = None
    segmentation: Segmentation | None = None
    fault: str = ""
    undone: bool = False
    region: Literal["picture", "film", "box"] = "picture"  # what the network is asked about
    square: Box | None = None  # around the user's box

    @property
    def is_dicom(self) -> bool:
        """False where the file cannot be opened; reading it says why."""
        try:
            return inputs.kind(self.file) == "DICOM"
        except UserError:
            return False


def find(named: Sequence[str]) -> list[Case]:
    """The files to segment; what earlier calls wrote is none of them."""
    found = inputs.find(named)
    earlier = set().union(*map(written.files, {file.parent for file in found}))
    files = [file for file in found if file not in earlier]
    if not files:
        raise UserError(f"{', '.join(named)} holds nothing but earlier results: expected pictures to segment")
    return [Case(file, name) for file, name in zip(files, inputs.names(files), strict=True)]


def trained_on(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """How the model's training pictures were cut out."""
    return {"view": "roi", "context": 1.6} | dict(metadata.get("data") or {})


def segment(cases: Sequence[Case], model: Segmenter, film: str, box: Box | None, cleaned: bool) -> Sequence[Case]:
    """Reads and segments `cases`, films one by one and other pictures together; returns them.

    The graph takes one film after the other anyway; in a request of its own, a film meets a server's deadline.
    """
    _read(cases, cleaned)
    for case in cases:
        if case.picture:
            _choose_region(case, model, film, box)
    _ask(model, [case for case in cases if not case.fault and case.region != "film"])
    for case in cases:
        if not case.fault and case.region == "film":
            _ask(model, [case])
    return cases


def _read(cases: Iterable[Case], cleaned: bool) -> None:
    for case in cases:
        try:
            case.picture = inputs.read(case.file, cleaned)
        except UserError as error:
            case.fault = str(error)


def _choose_region(case: Case, model: Segmenter, film: str, box: Box | None) -> None:
    trained = trained_on(model.metadata)
    shape = case.picture.pixels.shape
    if box is not None:
        try:
            case.square, case.region = region.around(box, trained["context"], shape), "box"
        except UserError as error:
            case.fault = str(error)
    elif film == "always" or film == "auto" and _takes_films(case, model):
        is_film = film == "always" or trained["view"] == "film" or region.looks_like_film(case.picture.pixels)
        case.region = "film" if is_film else "picture"


def _takes_films(case: Case, model: Segmenter) -> bool:
    try:
        return model.takes_films
    except ServingError as error:  # a client asks its server
        case.fault, case.undone = str(error), True
        return False


def _ask(model: Segmenter, cases: list[Case]) -> None:
    """All at once; when the graph refuses one, one by one."""
    if not cases:
        return
    predict = model.predict_film if cases[0].region == "film" else model.predict_bytes
    try:
        answers = predict([_sent(case) for case in cases])
    except UserError as error:
        servers = isinstance(error, ServingError) and not isinstance(error, PictureRefusedError)
        if len(cases) == 1 or servers:
            for case in cases:
                case.fault, case.undone = str(error), servers
        else:
            for case in cases:
                _ask(model, [case])
        return
    for case, answer in zip(cases, answers, strict=True):
        case.segmentation = _at_full_size(case, answer)


def _sent(case: Case) -> bytes:
    return region.cut(case.picture.pixels, case.square) if case.square else case.picture.encoded


def _at_full_size(case: Case, answer: Segmentation) -> Segmentation:
    return region.paste(answer, case.square, case.picture.pixels.shape) if case.square else answer
