"""Segment image files and write masks, probabilities, overlays and a table of sizes."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from tfrespam.core.console import log, progress, shown
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.core.locks import only_one
from tfrespam.data.geometry.crop import Box
from tfrespam.serving.client.client import Client
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.inflight import in_order
from tfrespam.serving.dicom.write import Wanted
from tfrespam.serving.inference import jobs, written
from tfrespam.serving.inference.film_chain import FilmChain
from tfrespam.serving.inference.jobs import Case, trained_on
from tfrespam.serving.inference.journal import Journal
from tfrespam.serving.inference.region import InputDescription
from tfrespam.serving.inference.saved_model import check_threshold
from tfrespam.serving.inference.written import CANDIDATES, IMAGE_ENDINGS, SR
from tfrespam.workflows.prediction_models import algorithms, on_disk, on_server
from tfrespam.workflows.prediction_results import CANDIDATE_FIELDS, FIELDS, LISTED, finish

IN_FLIGHT = 4  # simultaneous requests to a server
BESIDE = 2  # batches that are read, and that are written, while the network processes another
LARGEST_BATCH = 1 << 24  # bytes of the files in a batch, which limits memory


def predict_files(inputs: Sequence[str], output: str, *, model: str | None = None, film_model: str | None = None,
                  models_dir: str = "saved_models", threshold: float | None = None, batch_size: int = 8,
                  film: Literal["auto", "always", "never"] = "auto", box: Box | None = None,
                  context: float | None = None,
                  server: str | None = None, served_name: str = "tfrespam", timeout: float = 300.0,
                  credentials: Credentials = Credentials(), keepalive: float | None = None,  # noqa: B008  frozen
                  proxy: str | None = None, remove_labels: bool = False, dicom: Wanted = Wanted(),  # noqa: B008  frozen
                  patient_ids: bool = False) -> list[dict]:  # fmt: skip
    """Segment the files that `inputs` specify and write the results into `output`; resume a killed call.

    On whole films candidates are found (`tfrespam.serving.inference.film_chain`). The arguments are those of the stage
    `predict`; `dicom` are the DICOM objects to write, and `credentials` those for a server.

    Returns:
        The rows of predictions.csv.

    Raises:
        UserError: Some files were not segmented; the results of the others are written.
    """
    check_threshold(threshold)
    _check(output, batch_size, timeout, keepalive)
    about = InputDescription(film, box, context)
    if (box is not None or context is not None) and server is not None and model is None:
        raise UserError("`box` and `context` with `server` need `model`, the exported folder: a server does not report "
                        "the margin of the training crops")
    if box is not None and film_model is not None:
        raise UserError("`film_model` searches films, and `box` names the mass: give one of the two. Received: both")
    if film_model is not None and server is not None:
        raise UserError("`film_model` is used on this machine, and `server` segments films with the model it serves: "
                        "give one of the two. Received: both")  # fmt: skip
    passed_over: Counter = Counter()
    cases = jobs.find(inputs, passed_over)
    if server is None:
        segmenter, place = on_disk(model, film_model, models_dir, threshold, boxed=box is not None)
    else:
        client = Client(server, model=served_name, timeout=timeout, keepalive=keepalive, proxy=proxy,
                        **dataclasses.asdict(credentials))  # fmt: skip
        client, place = on_server(client, model)
        segmenter = FilmChain(client, threshold=threshold)
    _check_description(about, cases, segmenter.metadata)
    settings = {"model": place, "threshold": threshold, "about": about, "cleaned": remove_labels,
                "patient_ids": patient_ids, "dicom": dicom,
                "algorithms": algorithms(segmenter, served_name, threshold)}  # fmt: skip
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, "Wait for it, or choose another `output`"):
        written.claim(folder, {case.name: _endings(case, settings["dicom"]) for case in cases})
        journal = Journal(folder / ".predict.unfinished", settings, {case.name: case.file for case in cases})
        rows = _predict(cases, segmenter, folder, settings, batch_size, journal)
        _write_tables(folder, rows)
        if not any(case.undone for case in cases):
            journal.close()
        written.settle(folder)
    _say_notes(rows, passed_over)
    _say(cases, rows, place, output)
    return rows


def _write_tables(folder: Path, rows: list[dict]) -> None:
    """Write predictions.csv, and candidates.csv if films were segmented."""
    listed = [each for row in rows for each in row.pop(LISTED, [])]
    write_csv(folder / "predictions.csv", rows, FIELDS)  # first: `written.claim` knows a folder by it
    if any(row.get("region") == "film" for row in rows):
        write_csv(folder / CANDIDATES, listed, CANDIDATE_FIELDS)
    else:
        (folder / CANDIDATES).unlink(missing_ok=True)  # from an earlier call


def _endings(case: Case, wanted: Wanted) -> tuple[str, ...]:
    """Return the endings of the files that are written for `case`."""
    return IMAGE_ENDINGS + (wanted.endings if case.is_dicom else ())


def _say_notes(rows: list[dict], passed_over: Counter) -> None:
    """Log each assumption once with one of its files, and the DICOM classes without images."""
    said: dict[str, list] = {}
    for row in rows:
        for note in filter(None, str(row.get("notes") or "").split("; ")):
            said.setdefault(note, []).append(row["file"])
    for note, files in said.items():
        log.info(f"note: {shown(files[0])}{f' and {len(files) - 1} more' if len(files) > 1 else ''}: {note}")
    if passed_over:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(passed_over.items()))
        log.info(f"note: skipped, because they contain no images: {kinds}")


def _say(cases: list[Case], rows: list[dict], place: str, output: str) -> None:
    """Log the results; raise UserError if some files were not segmented."""
    done = [row for row in rows if row["status"] == "ok"]
    films = sum(row["region"] == "film" for row in done)
    log.info(f"{len(done)} images segmented with {place}"
                      + (f", {films} of them as whole films: {_candidate_counts(done)}" if films else ""))  # fmt: skip
    log.info(f"masks and predictions.csv: {output}")
    undone, failed = ([case for case in cases if case.fault and case.undone == kind] for kind in (True, False))
    for title, those in (("failed", failed), ("undone", undone)):
        for case in those:
            log.warning(f"{title}: {shown(case.file)}: {case.fault}", extra={"file": str(case.file), "status": title})
    if undone:
        raise UserError(f"{len(undone)} of {len(cases)} files were not segmented: the server gave no masks (see above, "
                        "and undone in predictions.csv). Repeat the same call: it segments only these")
    if failed:
        raise UserError(f"{len(failed)} of {len(cases)} files could not be segmented (see status in predictions.csv)")


def _candidate_counts(rows: list[dict]) -> str:
    """Describe the number of candidates of the films in `rows`."""
    counts = [int(row["candidates"] or 0) for row in rows if row["region"] == "film"]
    return f"{sum(counts)} candidates on {sum(map(bool, counts))}, no mass found on {counts.count(0)}"


def _check(output: str, batch_size: int, timeout: float, keepalive: float | None) -> None:
    if Path(output).exists() and not Path(output).is_dir():
        raise UserError(f"`output` must be a folder. Received: {output}, a file")
    if batch_size < 1:
        raise UserError(f"`batch_size` must be 1 or more. Received: {batch_size}")
    if not 0 < timeout < float("inf"):
        raise UserError(f"`timeout` must be a number of seconds above 0. Received: {timeout}")
    if keepalive is not None and not 1 <= keepalive < float("inf"):
        raise UserError(f"`keepalive` must be a number of seconds, 1 or more. Received: {keepalive}")


def _check_description(about: InputDescription, cases: list[Case], metadata: dict[str, Any]) -> None:
    if about.box is None and about.context is None:
        return
    if about.box is not None and len(cases) != 1:
        raise UserError(f"`box` requires a single image. Received: {len(cases)} images")
    if trained_on(metadata)["view"] == "film":
        raise UserError(f"`{'context' if about.box is None else 'box'}` needs a model that was trained on crops; this "
                        "one was trained on whole films")


def _predict(cases: list[Case], model: FilmChain, folder: Path, settings: dict[str, Any],
             batch_size: int, journal: Journal) -> list[dict]:  # fmt: skip
    """Return one row for every case, in their order."""
    rows = {case.name: _earlier(case, journal, folder, settings["dicom"]) for case in cases}
    left = [case for case in cases if rows[case.name] is None]
    if len(left) < len(cases):
        log.info(f"{len(cases) - len(left)} of {len(cases)} images were finished by an earlier call")
    finish = functools.partial(_finish_batch, folder=folder, settings=settings)
    bar, advance = progress("segmenting", len(left))
    with bar:
        for batch in in_order(finish, _answered(_batches(left, batch_size), model, settings), BESIDE):
            for case, row in batch:
                rows[case.name] = row
                if not case.fault:
                    journal.add(case.file, case.state, row)
                advance()
    return [rows[case.name] for case in cases]


def _batches(cases: list[Case], batch_size: int) -> Iterator[list[Case]]:
    """Divide cases into batches of `batch_size`, or fewer for large files; films are segmented one by one anyway."""
    batch, size = [], 0
    for case in cases:
        of_file = _size(case.file)
        if batch and (len(batch) == batch_size or size + of_file > LARGEST_BATCH):
            yield batch
            batch, size = [], 0
        batch.append(case)
        size += of_file
    if batch:
        yield batch


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0  # reading it will report the error


def _answered(batches: Iterable[list[Case]], model: FilmChain, settings: dict[str, Any]) -> Iterator[Sequence[Case]]:
    """Read and segment batches: several requests at a time with a server, one batch with a local model.

    While a local model runs in the calling thread, the next batches are read.
    """
    about, cleaned = settings["about"], settings["cleaned"]
    if isinstance(model.finder, Client):
        work = functools.partial(jobs.segment, model=model, about=about, cleaned=cleaned)
        return in_order(work, batches, IN_FLIGHT)
    read = in_order(functools.partial(jobs.read, cleaned=cleaned, film=about.film), batches, BESIDE)
    return (jobs.answer(batch, model, about) for batch in read)


def _finish_batch(batch: Sequence[Case], folder: Path, settings: dict[str, Any]) -> list[tuple[Case, dict]]:
    """Write the images of a batch; return its cases with their rows."""
    finished = []
    for case in batch:
        finished.append((case, finish(case, folder, settings)))
        case.image = case.segmentation = None  # films are large; only those in progress are kept
    return finished


def _earlier(case: Case, journal: Journal, folder: Path, wanted: Wanted) -> dict | None:
    """Return the row of a case from an unfinished earlier call, if its output files still exist."""
    row = journal.row(case.file, case.name)
    endings = [ending for ending in _endings(case, wanted) if row and (ending != SR or row["area_px"])]
    return row if all((folder / f"{case.name}{ending}").is_file() for ending in endings) else None
