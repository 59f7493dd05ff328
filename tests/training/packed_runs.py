"""Packed data sets and learners for tests of training on accelerators."""

import csv
import dataclasses
from pathlib import Path

from tfrespam.data.loading import packed, packing, protocols
from tfrespam.data.loading.prepared import find, find_wider
from tfrespam.training.accelerator import run
from tfrespam.training.accelerator.loop import Rows


def packed_for(experiment, folder, **options) -> packed.Packed:
    data = experiment.data
    prepared = find(experiment.data_dir, data)
    originals = find(experiment.data_dir, dataclasses.replace(data, protocol="official"))
    factor = experiment.augment.recrop
    wider = find_wider(experiment.data_dir, data, factor, prepared) if factor else None
    packing.pack(experiment, prepared, originals, wider, folder / "arrays.npz", **options)
    return packed.read(folder / "arrays.npz")


def read(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def learner_of(experiment, known):
    parts = protocols.splits(known.table, experiment.data.protocol, experiment.data.fold, experiment.seed)
    rows = [Rows(known.image_index[parts[name]], known.transforms[parts[name]]) for name in ("train", "validation")]
    return run.compiled(experiment, known, len(rows[0].image_index) // experiment.training.batch_size), *rows
