"""Stage `predict`: pictures of any kind and size -> masks, probabilities, overlays and a table of sizes."""

import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tfrespam import cli
from tfrespam.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from tfrespam.data.crop import Box
    from tfrespam.serving.inputs import Picture
    from tfrespam.serving.saved_model import ExportedModel, Segmentation

FIELDS = ("file", "height", "width", "area_px", "longest_diameter_px", "area_mm2", "longest_diameter_mm",
          "tumour_fraction", "mean_probability", "region", "status", "name")  # fmt: skip
ENDINGS = ("_mask.png", "_probability.png", "_overlay.png")


@dataclasses.dataclass
class _Case:
    """One file on its way; `fault` says why it cannot be segmented."""

    file: Path
    name: str
    picture: "Picture | None" = None
    segmentation: "Segmentation | None" = None
    fault: str = ""
    region: Literal["picture", "film", "box"] = "picture"  # what the network is asked about
    square: "Box | None" = None  # around the user's box


def predict(*inputs: str, output: str, model: str | None = None, models_dir: str = "saved_models",
            threshold: float | None = None, batch_size: int = 8, film: Literal["auto", "always", "never"] = "auto",
            box: tuple[int, int, int, int] | None = None) -> None:  # fmt: skip
    """Segments PNG, JPEG, TIFF and DICOM files, folders and globs; writes masks, probabilities, overlays and a table.

    A network that was trained on crops around masses expects one: give it such crops, or films with --box. Whole films
    without a box are scanned at several scales, which finds suspicious places but also many that are none.

    Args:
        inputs: Pictures, folders (searched with their subfolders) or globs.
        output: Folder for <name>_mask.png, <name>_probability.png, <name>_overlay.png and predictions.csv.
        model: Folder of an exported model (default: models_dir/pretrained, or else the newest under models_dir).
        models_dir: Home of exported models.
        threshold: Probability from which a pixel belongs to the mask (default: the model's own).
        batch_size: Pictures that go through the network together.
        film: Whether pictures are whole films, on which the breast is found and scanned, or are shown to the network as
            they are. "auto": as films, if the model was trained on films; otherwise if a picture is at least 512
            pixels long and a fifth of it is dark background. Column `region` says what was done.
        box: Y0 X0 Y1 X1, pixels of the one picture, around a mass: the network is shown the square around the box with
            the margin that it was trained with, and the mask is put back at the picture's size.
    """
    from tfrespam.files import write_csv

    _check(output, threshold, batch_size)
    cases = _cases(inputs, Path(output))
    path = _model_path(model, models_dir)
    _check_box(box, cases, path)
    rows = _predict(cases, path, Path(output), threshold, batch_size, film, box)
    write_csv(Path(output) / "predictions.csv", rows, FIELDS)
    faults = [case for case in cases if case.fault]
    films = sum(case.region == "film" and not case.fault for case in cases)
    cli.console.print(f"{len(cases) - len(faults)} pictures segmented with {path}"
                      + (f", {films} of them scanned as whole films" if films else ""))  # fmt: skip
    cli.console.print(f"masks and predictions.csv: {output}")
    for case in faults:
        print(f"failed: {case.file}: {case.fault}", file=sys.stderr)
    if faults:
        raise UserError(f"{len(faults)} of {len(cases)} files could not be segmented (see status in predictions.csv)")


def _check(output: str, threshold: float | None, batch_size: int) -> None:
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output must be a folder. Received: {output}, a file")
    if threshold is not None and not 0 < threshold < 1:
        raise UserError(f"--threshold must be a probability between 0 and 1. Received: {threshold}")
    if batch_size < 1:
        raise UserError(f"--batch_size must be 1 or more. Received: {batch_size}")


def _check_box(box: "Box | None", cases: list[_Case], path: Path) -> None:
    from tfrespam.serving.saved_model import read_metadata

    if box is None:
        return
    if len(cases) != 1:
        raise UserError(f"--box belongs to one picture. Received: {len(cases)} pictures")
    if _trained_on(read_metadata(path))["view"] == "film":
        raise UserError(f"--box needs a model that was trained on crops; {path} was trained on whole films")


def _trained_on(metadata: dict[str, Any]) -> dict[str, Any]:
    return {"view": "roi", "context": 1.6} | dict(metadata.get("data") or {})


def _cases(inputs: Sequence[str], folder: Path) -> list[_Case]:
    """The files to segment; what an earlier call wrote into `folder` is none of them."""
    from tfrespam.serving import inputs as user_files

    earlier = [file for ending in ENDINGS for file in folder.glob(f"*{ending}")]
    files = user_files.find(inputs, leave_out=earlier)
    if not files:
        raise UserError(f"--output {folder} holds nothing but earlier results: expected pictures to segment")
    return [_Case(file, name) for file, name in zip(files, user_files.names(files), strict=True)]


def _model_path(model: str | None, models_dir: str) -> Path:
    from tfrespam.serving import saved_model

    if model is not None:
        return saved_model.locate(model)
    if (Path(models_dir) / "pretrained").is_dir():
        return saved_model.locate(Path(models_dir) / "pretrained")
    if newest := saved_model.newest(models_dir):
        return newest
    raise UserError(f"{models_dir}/ holds no exported model. Train one with: python -m tfrespam.train")


def _predict(cases: list[_Case], path: Path, folder: Path, threshold: float | None, batch_size: int,
             film: str, box: "Box | None") -> list[dict]:  # fmt: skip
    from tfrespam import runtime
    from tfrespam.serving.saved_model import load

    runtime.load_tensorflow()
    model = load(path)
    rows = []
    bar, advance = cli.progress("segmenting", len(cases))
    with bar:
        for start in range(0, len(cases), batch_size):
            batch = cases[start : start + batch_size]
            _read(batch)
            for case in batch:
                if case.picture:
                    _choose_region(case, model, film, box)
            for films in (False, True):
                _segment(model, [case for case in batch if not case.fault and (case.region == "film") == films])
            for case in batch:
                rows.append(_finish(case, folder, threshold))
                case.picture = case.segmentation = None  # films are large; only one batch is held
                advance()
    return rows


def _read(batch: list[_Case]) -> None:
    from tfrespam.serving import inputs as user_files

    for case in batch:
        try:
            case.picture = user_files.read(case.file)
        except UserError as error:
            case.fault = str(error)


def _choose_region(case: _Case, model: "ExportedModel", film: str, box: "Box | None") -> None:
    from tfrespam.serving import region

    trained = _trained_on(model.metadata)
    shape = case.picture.pixels.shape
    if box is not None:
        try:
            case.square, case.region = region.around(box, trained["context"], shape), "box"
        except UserError as error:
            case.fault = str(error)
    elif film == "always" or film == "auto" and model.takes_films:
        is_film = film == "always" or trained["view"] == "film" or region.looks_like_film(case.picture.pixels)
        case.region = "film" if is_film else "picture"


def _segment(model: "ExportedModel", batch: list[_Case]) -> None:
    """All at once, films or none; when the graph refuses one, one by one."""
    if not batch:
        return
    predict = model.predict_film if batch[0].region == "film" else model.predict_bytes
    try:
        answers = predict([_sent(case) for case in batch])
    except UserError as error:
        if len(batch) == 1:
            batch[0].fault = str(error)
        else:
            for case in batch:
                _segment(model, [case])
        return
    for case, answer in zip(batch, answers, strict=True):
        case.segmentation = _at_full_size(case, answer)


def _sent(case: _Case) -> bytes:
    from tfrespam.serving import region

    return region.cut(case.picture.pixels, case.square) if case.square else case.picture.encoded


def _at_full_size(case: _Case, answer: "Segmentation") -> "Segmentation":
    from tfrespam.serving import region

    return region.paste(answer, case.square, case.picture.pixels.shape) if case.square else answer


def _finish(case: _Case, folder: Path, threshold: float | None) -> dict:
    """Writes the three pictures of `case`; returns its row."""
    from tfrespam.evaluation.overlay import draw_contour, grey_to_rgb

    row = {"file": case.file, "name": case.name}
    if case.fault:
        return row | {"status": f"failed: {case.fault}"}
    probability, mask = _decoded(case.segmentation, threshold)
    overlay = draw_contour(grey_to_rgb(case.picture.pixels), mask)
    mask_png = case.segmentation.mask_png if threshold is None else _png(mask.astype("uint8") * 255)
    for ending, data in zip(ENDINGS, (mask_png, case.segmentation.probability_png, _png(overlay)), strict=True):
        _write(folder / f"{case.name}{ending}", data)
    return row | _measures(mask, probability, case.picture.spacing_mm) | {"region": case.region, "status": "ok"}


def _decoded(segmentation: "Segmentation", threshold: float | None) -> "tuple[np.ndarray, np.ndarray]":
    """Probability (H, W) uint16 of 65535, and mask (H, W) bool."""
    import cv2
    import numpy as np

    png = segmentation.probability_png, segmentation.mask_png
    probability, mask = (cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED) for data in png)
    return probability, mask > 0 if threshold is None else probability >= threshold * 65535


def _measures(mask: "np.ndarray", probability: "np.ndarray", spacing: float) -> dict:
    """Unknown lengths in mm, and the mean probability of an empty mask, are left empty."""
    from tfrespam.evaluation.extent import extent

    area, diameter = extent(mask)
    known = spacing > 0
    return {
        "height": mask.shape[0],
        "width": mask.shape[1],
        "area_px": area,
        "longest_diameter_px": round(diameter, 2),
        "area_mm2": round(area * spacing**2, 3) if known else "",
        "longest_diameter_mm": round(diameter * spacing, 3) if known else "",
        "tumour_fraction": round(area / mask.size, 6),
        "mean_probability": round(float(probability[mask].mean()) / 65535, 5) if area else "",
    }


def _png(picture: "np.ndarray") -> bytes:
    import cv2

    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if picture.ndim == 3 else picture
    return cv2.imencode(".png", bgr)[1].tobytes()


def _write(path: Path, data: bytes) -> None:
    from tfrespam.files import whole_file

    with whole_file(path) as temporary:
        temporary.write_bytes(data)


def main() -> None:
    cli.run(predict)


if __name__ == "__main__":
    main()
