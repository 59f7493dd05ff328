"""Stage `predict`: pictures of any kind and size -> masks, probabilities, overlays and a table of sizes."""

import functools
import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tfrespam import cli
from tfrespam.errors import UserError

if TYPE_CHECKING:
    import numpy as np

    from tfrespam.data.crop import Box
    from tfrespam.serving.cases import Case, Segmenter
    from tfrespam.serving.dicom_out import Wanted
    from tfrespam.serving.dicom_source import Algorithm
    from tfrespam.serving.journal import Journal
    from tfrespam.serving.saved_model import Segmentation

FIELDS = ("file", "height", "width", "area_px", "longest_diameter_px", "area_mm2", "longest_diameter_mm",
          "tumour_fraction", "mean_probability", "region", "patient", "status", "name")  # fmt: skip
IN_FLIGHT = 4  # batches that a server is asked at the same time


def predict(*inputs: str, output: str, model: str | None = None, models_dir: str = "saved_models",
            threshold: float | None = None, batch_size: int = 8, film: Literal["auto", "always", "never"] = "auto",
            box: tuple[int, int, int, int] | None = None, server: str | None = None, served_name: str = "tfrespam",
            ca: str | None = None, timeout: float = 300.0, remove_labels: bool = False, dicom_seg: bool = False,
            dicom_probability: bool = False, dicom_sr: bool = False, patient_ids: bool = False) -> None:  # fmt: skip
    """Segments PNG, JPEG, TIFF and DICOM files, folders and globs; writes masks, probabilities, overlays and a table.

    A network that was trained on crops around masses expects one: give it such crops, or films with --box. Whole films
    without a box are scanned at several scales, which finds suspicious places but also many that are none. A call that
    was killed, or whose server went away, goes on where it was when it is made again.

    Args:
        inputs: Pictures, folders (searched with their subfolders) or globs.
        output: Folder for <name>_mask.png, <name>_probability.png, <name>_overlay.png and predictions.csv, which tells
            of the last call. Pictures of earlier calls are replaced where they have the same name, other files never.
        model: Folder of an exported model (default: models_dir/pretrained, or else the newest under models_dir, or
            else the pretrained one that comes with tfrespam). With --server only what is known about it is taken from
            there; without it the served network counts as one that was trained on crops.
        models_dir: Home of exported models.
        threshold: Probability from which a pixel belongs to the mask (default: the model's own).
        batch_size: Pictures that go through the network together.
        film: Whether pictures are whole films, on which the breast is found and scanned, or are shown to the network as
            they are. "auto": as films, if the model was trained on films; otherwise if a picture is at least 512
            pixels long and a fifth of it is dark background. Column `region` says what was done.
        box: Y0 X0 Y1 X1, pixels of the one picture, around a mass: the network is shown the square around the box with
            the margin that it was trained with, and the mask is put back at the picture's size.
        server: TensorFlow Serving instead of a model on disk: host:8500, grpcs://host:8500, http://host:8501, https://…
        served_name: The model's name on that server.
        ca: File with the certificates to trust (PEM), for a server with one of its own.
        timeout: Seconds that the server may take for one request: a whole film, or batch_size other pictures.
        remove_labels: Whether labels and white borders of scanned films are made black before anything else.
        dicom_seg: Whether to write <name>_seg.dcm, a DICOM segmentation of each DICOM file.
        dicom_probability: Whether to write <name>_probability.dcm, a fractional DICOM segmentation.
        dicom_sr: Whether to write <name>_seg.dcm and, where there is a mass, <name>_sr.dcm, a DICOM report of its area
            and longest diameter.
        patient_ids: Whether predictions.csv names DICOM patients by their IDs instead of by a hash.
    """
    from tfrespam.files import only_one, write_csv
    from tfrespam.serving import cases as on_their_way
    from tfrespam.serving import written
    from tfrespam.serving.dicom_out import Wanted

    cli.check_threshold(threshold)
    _check(output, batch_size, timeout)
    if box is not None and server is not None and model is None:
        raise UserError("--box with --server needs --model, the exported folder: a server does not tell which margin "
                        "its network was trained with")
    cases = on_their_way.find(inputs)
    segmenter, place = _segmenter(model, models_dir, server, served_name, ca, timeout)
    _check_box(box, cases, segmenter.metadata)
    settings = {"model": place, "threshold": threshold, "film": film, "box": box, "cleaned": remove_labels,
                "patient_ids": patient_ids, "dicom": Wanted(dicom_seg, dicom_probability, dicom_sr),
                "algorithms": _algorithms(segmenter, served_name, threshold)}  # fmt: skip
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, "Wait for it, or choose another --output"):
        written.claim(folder, {case.name: _endings(case, settings["dicom"]) for case in cases})
        rows = _predict(cases, segmenter, folder, settings, batch_size, 1 if server is None else IN_FLIGHT)
        write_csv(folder / "predictions.csv", rows, FIELDS)
        written.settle(folder)
    _say(cases, rows, place, output)


def _endings(case: "Case", wanted: "Wanted") -> tuple[str, ...]:
    """Of the files that are written about `case`."""
    from tfrespam.serving.written import PICTURES

    return PICTURES + (wanted.endings if case.is_dicom else ())


def _say(cases: "list[Case]", rows: list[dict], place: str, output: str) -> None:
    """What came of it; UserError when that was not everything."""
    done = [row for row in rows if row["status"] == "ok"]
    films = sum(row["region"] == "film" for row in done)
    cli.console.print(f"{len(done)} pictures segmented with {place}"
                      + (f", {films} of them scanned as whole films" if films else ""))  # fmt: skip
    cli.console.print(f"masks and predictions.csv: {output}")
    undone, failed = ([case for case in cases if case.fault and case.undone == kind] for kind in (True, False))
    for title, those in (("failed", failed), ("undone", undone)):
        for case in those:
            print(f"{title}: {case.file}: {case.fault}", file=sys.stderr)
    if undone:
        raise UserError(f"{len(undone)} of {len(cases)} files are undone: the server gave no masks (see above, and "
                        "status in predictions.csv). Make the same call again: it does what is undone, and no more")
    if failed:
        raise UserError(f"{len(failed)} of {len(cases)} files could not be segmented (see status in predictions.csv)")


def _check(output: str, batch_size: int, timeout: float) -> None:
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"--output must be a folder. Received: {output}, a file")
    if batch_size < 1:
        raise UserError(f"--batch_size must be 1 or more. Received: {batch_size}")
    if not 0 < timeout < float("inf"):
        raise UserError(f"--timeout must be a number of seconds above 0. Received: {timeout}")


def _check_box(box: "Box | None", cases: "list[Case]", metadata: dict[str, Any]) -> None:
    from tfrespam.serving.cases import trained_on

    if box is None:
        return
    if len(cases) != 1:
        raise UserError(f"--box belongs to one picture. Received: {len(cases)} pictures")
    if trained_on(metadata)["view"] == "film":
        raise UserError("--box needs a model that was trained on crops; this one was trained on whole films")


def _segmenter(model: str | None, models_dir: str, server: str | None, served_name: str, ca: str | None,
               timeout: float) -> "tuple[Segmenter, str]":  # fmt: skip
    """What segments, and its name: a folder, or a server with the version that it has loaded."""
    from tfrespam import runtime
    from tfrespam.serving import saved_model

    if server is None:
        path = _model_path(model, models_dir)
        saved_model.refuse_pairs(saved_model.read_metadata(path), path)
        runtime.load_tensorflow()
        return saved_model.load(path), str(path)
    metadata = {} if model is None else saved_model.read_metadata(saved_model.locate(model))
    return _served(server, served_name, ca, timeout, metadata)


def _served(server: str, name: str, ca: str | None, timeout: float,
            metadata: dict[str, Any]) -> "tuple[Segmenter, str]":  # fmt: skip
    """A client of `server`, which is there and serves a model of ours."""
    from tfrespam.serving.client import Client, newest_version
    from tfrespam.serving.failures import ServingError

    client = Client(server, model=name, ca=ca, timeout=timeout)
    client.metadata = metadata
    try:
        version, signatures = newest_version(client), sorted(client.signatures())
    except ServingError as error:
        raise UserError(f"{error}. Expected TensorFlow Serving with the model {name!r} (--served_name): gRPC is "
                        "host:8500, REST http://host:8501") from None
    if "predict_bytes" not in signatures:
        raise UserError(f"{server}: {name!r} has the signatures {', '.join(signatures)}; expected predict_bytes. Serve "
                        "a model of tfrespam.export that takes single pictures")
    return client, f"{server}, model {name}, version {version}"


def _algorithms(segmenter: "Segmenter", served_name: str, threshold: float | None) -> "dict[str, Algorithm]":
    """How DICOM objects name the network, for each region; what a server does not tell about it is unknown."""
    from tfrespam.serving.dicom_source import Algorithm
    from tfrespam.serving.saved_model import ExportedModel, fingerprint

    metadata = segmenter.metadata
    if isinstance(segmenter, ExportedModel) and "sha256" not in metadata:
        metadata = {**metadata, "sha256": fingerprint(segmenter.path)}
    return {region: Algorithm.of(metadata, served_name, threshold, film=region == "film")
            for region in ("picture", "film", "box")}  # fmt: skip


def _model_path(model: str | None, models_dir: str) -> Path:
    from tfrespam.serving import saved_model
    from tfrespam.serving.shipped import shipped

    if model is not None:
        return saved_model.locate(model)
    if (Path(models_dir) / "pretrained").is_dir():
        return saved_model.locate(Path(models_dir) / "pretrained")
    if found := saved_model.newest(models_dir) or shipped():
        return found
    raise UserError(f"{models_dir}/ holds no exported model. Train one with: python -m tfrespam.train")


def _predict(cases: "list[Case]", model: "Segmenter", folder: Path, settings: dict[str, Any], batch_size: int,
             in_flight: int) -> list[dict]:  # fmt: skip
    """A row for every case, in their order."""
    from tfrespam.serving.cases import segment
    from tfrespam.serving.inflight import in_order
    from tfrespam.serving.journal import Journal

    journal = Journal(folder / ".predict.unfinished", settings, {case.name: case.file for case in cases})
    rows = {case.name: _earlier(case, journal, folder, settings["dicom"]) for case in cases}
    left = [case for case in cases if rows[case.name] is None]
    if len(left) < len(cases):
        cli.console.print(f"{len(cases) - len(left)} of {len(cases)} pictures were done by an earlier call")
    batches = [left[start : start + batch_size] for start in range(0, len(left), batch_size)]
    asked = {name: settings[name] for name in ("film", "box", "cleaned")}
    work = functools.partial(segment, model=model, **asked)
    bar, advance = cli.progress("segmenting", len(left))
    with bar:
        for batch in in_order(work, batches, in_flight):
            for case in batch:
                rows[case.name] = _finish(case, folder, settings)
                if not case.fault:
                    journal.add(case.file, rows[case.name])
                case.picture = case.segmentation = None  # films are large; only what is in flight is held
                advance()
    if not any(case.undone for case in cases):
        journal.close()
    return [rows[case.name] for case in cases]


def _earlier(case: "Case", journal: "Journal", folder: Path, wanted: "Wanted") -> dict | None:
    """The case's row by an earlier call that was not finished, while what that call wrote is still there."""
    there = all((folder / f"{case.name}{ending}").is_file() for ending in _endings(case, wanted))
    return journal.row(case.file, case.name) if there else None


def _finish(case: "Case", folder: Path, settings: dict[str, Any]) -> dict:
    """Writes the three pictures of `case`; returns its row."""
    import numpy as np

    from tfrespam.evaluation.extent import extent
    from tfrespam.evaluation.overlay import draw_contour, grey_to_rgb
    from tfrespam.serving.dicom_out import write_objects
    from tfrespam.serving.written import PICTURES

    row = {"file": case.file, "name": case.name}
    if case.fault:
        return row | {"status": f"{'undone' if case.undone else 'failed'}: {case.fault}"}
    threshold = settings["threshold"]
    probability, mask = _decoded(case.segmentation, threshold)
    overlay = draw_contour(grey_to_rgb(case.picture.pixels), mask)
    mask_png = case.segmentation.mask_png if threshold is None else _png(mask.astype("uint8") * 255)
    for ending, data in zip(PICTURES, (mask_png, case.segmentation.probability_png, _png(overlay)), strict=True):
        _write(folder / f"{case.name}{ending}", data)
    if case.is_dicom and any(settings["dicom"]):
        try:
            write_objects(case.file, folder / case.name, mask, probability / np.float32(65535), extent(mask),
                          case.picture.spacing_mm, settings["algorithms"][case.region], settings["dicom"])  # fmt: skip
        except UserError as error:
            case.fault = str(error)
            return row | {"status": f"failed: {error}"}
    known = {"region": case.region, "patient": _patient(case, settings["patient_ids"]), "status": "ok"}
    return row | _measures(mask, probability, case.picture.spacing_mm) | known


def _patient(case: "Case", in_clear: bool) -> str:
    """A DICOM file's patient, hashed unless asked for; "" when there is none."""
    from tfrespam.data.dicom import read_header

    known = (case.is_dicom and read_header(case.file) or {}).get("PatientID", "")
    return known if in_clear or not known else hashlib.sha256(f"patient {known}".encode()).hexdigest()[:16]


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
