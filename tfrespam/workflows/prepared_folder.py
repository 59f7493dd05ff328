"""Write a prepared data set's folder: shards of examples, index, ledger and description."""

import dataclasses
import functools
import io
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.core import provenance
from tfrespam.core.console import progress
from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_directory, write_csv, write_json
from tfrespam.data.loading import protocols
from tfrespam.data.loading.prepared import COPIES, Prepared
from tfrespam.data.preparing import builder
from tfrespam.data.preparing.copies import paper_copies
from tfrespam.data.preparing.film_pool import Read
from tfrespam.data.readers.records import Inventory, LedgerRow


def write_examples(folder: Path, inventory: Inventory, plan: dict, read: Read) -> list[LedgerRow]:
    """Write everything into `folder` and return the ledger; `read` reads the films of a split."""
    fold = {}
    for films in inventory.by_split().values():
        fold |= protocols.folds([film.lesions[0].patient_id for film in films])
    ledger = {row.lesion_id: row for row in inventory.ledger}

    def examples(split: str) -> Iterator[tuple[str, dict]]:
        for made, rows in read(split):
            ledger.update((row.lesion_id, row) for row in rows)
            yield from ((example["lesion_id"], _storable(example, fold)) for example in made)

    splits = {split: functools.partial(examples, split) for split in inventory.by_split()}
    if not builder.write_shards(folder, splits):
        found = Counter(f"{row.action} ({row.detail})" if row.detail else row.action for row in ledger.values())
        raise UserError("no example could be made from this source. Its ledger says: "
                        + ("; ".join(f"{count} x {what}" for what, count in found.most_common(3)) or "nothing"))
    rows = sorted(ledger.values(), key=lambda row: row.lesion_id)
    write_csv(folder / "ledger.csv", [dataclasses.asdict(row) for row in rows])
    _finish(folder, {**plan, "actions": Counter(row.action for row in rows)})
    return rows


def write_copies(path: Path, prepared: Prepared, plan: dict) -> None:
    """Write the paper protocol's copies of each training lesion of `prepared`, whole or not at all."""
    total = COPIES * int((prepared.table["split"] != "test").sum())
    if not total:
        raise UserError(f"protocol 'paper' copies the lesions of the training list; {prepared.path} holds none. "
                        "Download the training list's films too and prepare again")
    bar, advance = progress(f"{COPIES} copies of each lesion", total)

    def counted() -> Iterator[tuple[str, dict]]:
        for example in paper_copies(prepared):
            advance()
            yield example

    with whole_directory(path) as folder:
        with bar:
            builder.write_shards(folder, {"train": counted})
        shutil.copy(prepared.path / "ledger.csv", folder)
        _finish(folder, plan)


def _storable(example: dict, fold: dict[str, int]) -> dict:
    images = {name: io.BytesIO(example[name]) for name in ("image", "mask")}
    return {**example, **images, "fold": fold[example["patient_id"]]}


def _finish(folder: Path, facts: dict) -> None:
    """Write index.csv and then dataset.json."""
    index = builder.read_index(folder / builder.VERSION)
    write_csv(folder / "index.csv", index)
    pixels = facts["image_size"] * (facts.get("image_width") or facts["image_size"])
    coverage = np.array([row["mass_pixels"] for row in index]) / pixels
    if not coverage.any():
        raise UserError(f"no image contains a pixel of its mass: all masses vanish at {facts['image_size']} pixels. "
                        "Make `image_size` larger")  # fmt: skip
    counts = {"examples": len(index), "patients": len({row["patient_id"] for row in index}),
              "without_mass": int((coverage == 0).sum()), "median_coverage": float(np.median(coverage))}  # fmt: skip
    origin = {"command": provenance.command(), "versions": provenance.versions(), "git": provenance.git()}
    write_json(folder / "dataset.json", {**facts, **counts, "version": builder.VERSION,
                                         "index_sha256": Prepared(folder).digest, **origin})  # fmt: skip
