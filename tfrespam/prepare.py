"""Stage `prepare`: a download or a folder of pictures -> TFRecord shards, index, ledger and folds."""

import dataclasses
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.files import is_plain_name, walk


def prepare(
    source: str,
    data_dir: str | None = None,
    name: str | None = None,
    view: Literal["roi", "film"] = "roi",
    context: float = 1.6,
    image_size: int = 224,
    workers: int | None = None,
    beam_runner: str | None = None,
) -> None:
    """Reads mammograms and masks, repairs what can be repaired, and stores training examples.

    Args:
        source: A CBIS-DDSM download (case-list, NBIA or Kaggle layout), INbreast, CDD-CESM, mini-MIAS, BUSI, or a
            folder with images/ and masks/.
        data_dir: Home of the prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        name: Name of the data set (default: the source's own).
        view: "roi" for a crop around each lesion, "film" for the whole breast.
        context: Side of a crop over the lesion's longest box side.
        image_size: Side of the stored pictures, in pixels.
        workers: Processes that read films (default: one per core).
        beam_runner: An Apache Beam runner that reads them instead, for instance DirectRunner (docs/distributed.md).
    """
    home = Path(data_dir or Experiment().data_dir)
    path = prepare_source(Path(source), home, name, view, context, image_size, workers, beam_runner)
    dataset = path.parent.name
    cli.console.print("Next: python -m tfrespam.train --config FILE "
                      f"--data_dir {cli.quoted(home)} --data.dataset {cli.quoted(dataset)}")


def prepare_source(source: Path, home: Path, name: str | None, view: str, context: float, image_size: int,
                   workers: int | None = None, beam_runner: str | None = None) -> Path:  # fmt: skip
    """Prepares `source` under `home` unless that is done already; returns the data set's folder."""
    from tfrespam.data import cbis_ddsm
    from tfrespam.data.crop import POLICY
    from tfrespam.data.prepared import config_name
    from tfrespam.data.sources import find_source
    from tfrespam.files import whole_directory

    _check(name, context, image_size, workers)
    if not source.is_dir():
        raise UserError(f"--source must be a folder that exists. Received: {source}")
    module = find_source(source)
    inventory = module.scan(source)
    if view not in inventory.views:
        raise UserError(f"--view {view} cannot be made from {inventory.layout}. Expected: {', '.join(inventory.views)}")
    name = name or inventory.name
    if name == cbis_ddsm.PHANTOM and not (module is cbis_ddsm and inventory.name == name):
        raise UserError(f"the name {name!r} is kept for generated films, which `train` would put in the place of "
                        "these. Choose another one with --name")  # fmt: skip
    path = home / name / config_name(view, context, image_size)
    plan = {"dataset": name, "layout": inventory.layout, "view": view, "context": context, "image_size": image_size,
            "crop_policy": POLICY[view], "fingerprint": _fingerprint(source, inventory)}  # fmt: skip
    if _is_done(path, plan):
        cli.console.print(f"{path}: already prepared from this source, nothing to do")
        return path
    if path.exists():
        cli.console.print(f"{path} was prepared from other files, or by other rules; it is replaced when all is read")
    cli.console.print(f"{name}: {inventory.layout} layout, {len(inventory.films)} films to read")
    for note in inventory.notes:
        cli.console.print(f"note: {note}")
    with whole_directory(path) as folder:
        ledger = _write(folder, module, inventory, plan, workers, beam_runner)
    _say(path, ledger)
    return path


def prepare_copies(prepared) -> Path:
    """Makes the paper protocol's 13 copies of each training lesion of a prepared data set, unless done already."""
    from tfrespam import runtime
    from tfrespam.data.prepared import COPIES, config_name
    from tfrespam.files import whole_directory

    keys = ("dataset", "layout", "view", "context", "image_size", "crop_policy", "fingerprint")
    plan = {key: prepared.facts[key] for key in keys} | {"copies": COPIES}
    path = prepared.path.parent / config_name(plan["view"], plan["context"], plan["image_size"], COPIES)
    if _is_done(path, plan):
        return path
    runtime.load_tensorflow()
    from tfrespam.data import builder
    from tfrespam.data.copies import paper_copies

    total = COPIES * int((prepared.table["split"] != "test").sum())
    if not total:
        raise UserError(f"protocol 'paper' copies the lesions of the training list; {prepared.path} holds none. "
                        "Download the training list's films too and prepare again")
    bar, advance = cli.progress(f"{COPIES} copies of each lesion", total)

    def counted() -> Iterator[tuple[str, dict]]:
        for example in paper_copies(prepared):
            advance()
            yield example

    with whole_directory(path) as folder:
        with bar:
            builder.write_shards(folder, {"train": counted})
        shutil.copy(prepared.path / "ledger.csv", folder)
        _finish(folder, plan)
    return path


def _check(name: str | None, context: float, image_size: int, workers: int | None) -> None:
    if context < 1:
        raise UserError(f"--context must be at least 1 (the lesion's own box). Received: {context}")
    if image_size < 32:
        raise UserError(f"--image_size must be at least 32 pixels. Received: {image_size}")
    if name is not None and not is_plain_name(name):  # it becomes a folder of the home
        raise UserError(f"--name must be a plain folder name. Received: {name!r}")
    if workers is not None and workers < 1:
        raise UserError(f"--workers must be 1 or more. Received: {workers}")


def _fingerprint(source: Path, inventory) -> str:
    """Changes when a file of the source, or of a folder linked there, is added, removed, or changes in size or time."""
    digest = hashlib.sha256(repr((inventory.films, inventory.ledger)).encode())
    files = (Path(folder, name) for folder, names in walk(source) for name in names)
    for file in sorted(path for path in files if path.is_file()):
        state = file.stat()
        digest.update(os.fsencode(f"{file.relative_to(source)} {state.st_size} {state.st_mtime_ns}\n"))
    return digest.hexdigest()


def _is_done(path: Path, plan: dict) -> bool:
    try:
        facts = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return all(facts.get(key) == value for key, value in plan.items())


def _write(folder: Path, module, inventory, plan: dict, workers: int | None, beam_runner: str | None) -> list:
    """Writes everything into `folder`; returns the ledger."""
    from tfrespam import runtime

    runtime.load_tensorflow()
    from tfrespam.data import builder, protocols
    from tfrespam.data.examples import CropPolicy
    from tfrespam.files import write_csv

    policy = CropPolicy(plan["view"], plan["context"], plan["image_size"])
    fold = {}
    for split in ("train", "test"):
        patients = [film.lesions[0].patient_id for film in inventory.films if film.lesions[0].split == split]
        fold |= protocols.folds(patients)
    ledger, by_split = {row.lesion_id: row for row in inventory.ledger}, {"train": [], "test": []}
    for film in inventory.films:
        by_split[film.lesions[0].split].append(film)

    def examples(films: list) -> Iterator[tuple[str, dict]]:
        if beam_runner:
            from tfrespam.data.beam_readers import read_all

            read = read_all(module.__name__, films, policy, beam_runner, folder.parent)
        else:
            read = _read_all(module.__name__, films, policy, workers)
        for made, rows in read:
            ledger.update((row.lesion_id, row) for row in rows)
            yield from ((example["lesion_id"], _storable(example, fold)) for example in made)

    splits = {name: (lambda films=films: examples(films)) for name, films in by_split.items() if films}
    if not builder.write_shards(folder, splits):
        found = Counter(f"{row.action} ({row.detail})" if row.detail else row.action for row in ledger.values())
        raise UserError("no example could be made from this source. Its ledger says: "
                        + ("; ".join(f"{count} x {what}" for what, count in found.most_common(3)) or "nothing"))
    rows = sorted(ledger.values(), key=lambda row: row.lesion_id)
    write_csv(folder / "ledger.csv", [dataclasses.asdict(row) for row in rows])
    _finish(folder, {**plan, "actions": Counter(row.action for row in rows)})
    return rows


def _read_all(source: str, films: list, policy, workers: int | None) -> Iterable:
    """Examples and ledger rows of every film, in order, read by a pool of processes under a progress bar."""
    import functools
    from concurrent.futures.process import BrokenProcessPool

    from tfrespam.data.examples import film_examples
    from tfrespam.workers import cores, pool

    bar, advance = cli.progress("reading films", len(films))
    with bar, pool(min(workers or cores(), len(films))) as readers:
        try:
            read = functools.partial(film_examples, source)
            for result in readers.map(read, films, [policy] * len(films), chunksize=4):
                advance()
                yield result
        except BrokenProcessPool:
            raise UserError("a process that reads films was ended from outside, most likely for want of memory. "
                            "Read fewer films at a time with --workers 1") from None  # fmt: skip


def _storable(example: dict, fold: dict[str, int]) -> dict:
    import io

    pictures = {name: io.BytesIO(example[name]) for name in ("image", "mask")}
    return {**example, **pictures, "fold": fold[example["patient_id"]]}


def _finish(folder: Path, facts: dict) -> None:
    """Writes index.csv and, last, dataset.json."""
    import numpy as np

    from tfrespam import provenance
    from tfrespam.data.builder import VERSION, read_index
    from tfrespam.data.prepared import Prepared
    from tfrespam.files import write_csv, write_json

    index = read_index(folder / VERSION)
    write_csv(folder / "index.csv", index)
    coverage = np.array([row["mass_pixels"] for row in index]) / facts["image_size"] ** 2
    if not coverage.any():
        raise UserError(f"no picture holds a pixel of its mass: all masses vanish at {facts['image_size']} pixels. "
                        "Make --image_size larger")  # fmt: skip
    counts = {"examples": len(index), "patients": len({row["patient_id"] for row in index}),
              "without_mass": int((coverage == 0).sum()), "median_coverage": float(np.median(coverage))}  # fmt: skip
    origin = {"command": provenance.command(), "versions": provenance.versions(), "git": provenance.git()}
    write_json(folder / "dataset.json", {**facts, **counts, "version": VERSION,
                                         "index_sha256": Prepared(folder).digest, **origin})  # fmt: skip


def _say(path: Path, ledger: list) -> None:
    facts = json.loads((path / "dataset.json").read_text(encoding="utf-8"))
    actions = ", ".join(f"{count} {action}" for action, count in Counter(row.action for row in ledger).most_common())
    cli.console.print(f"ledger: {len(ledger)} lesions of the list: {actions}")
    if facts["without_mass"]:
        cli.console.print(f"note: {facts['without_mass']} pictures hold no pixel of their mass, which is too small for "
                          f"{facts['image_size']} pixels a side; they count as pictures without one")  # fmt: skip
    cli.console.print(f"{facts['examples']} examples of {facts['patients']} patients; median coverage (share of a "
                      f"picture that is mass) {facts['median_coverage']:.3f}\n{path}")


def main() -> None:
    cli.run(prepare)


if __name__ == "__main__":
    main()
