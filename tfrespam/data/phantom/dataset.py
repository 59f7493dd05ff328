"""Phantom data set: synthetic, freely available mammogram-like films in the layout of a CBIS-DDSM download.

The films do not replace real ones. They make it possible to run, test and demonstrate everything from `prepare` on
without patient data. `anatomy` draws the breast, `lesions` adds the masses, `film` adds artefacts of film and scanner,
and `download` writes the result with CBIS-DDSM's case lists, so that one reader reads both. Tissue texture is power-law
noise, P(f) = K / f^3, as measured on mammograms: see `texture`.
"""

import itertools
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.core.files import whole_directory, write_csv
from tfrespam.core.provenance import cores
from tfrespam.core.workers import pool
from tfrespam.data.phantom.download import FIELDS, split_of, write_patient
from tfrespam.data.readers.cbis_ddsm import PHANTOM_MARK

VERSION = 1  # increment with every change that alters a file of the download
MOST_PATIENTS = 9999  # P_90001 ... P_99999


def write_phantom(out: Path, patients: int = 60, seed: int = 0, workers: int | None = None) -> None:
    """Write a CBIS-DDSM download (layout tcia) of `patients` phantom patients to folder `out`, atomically.

    Each patient has one or two breasts in two views (CC, MLO), each breast one to three masses; every fifth patient is
    on the test list. On one machine, the files depend only on the seed, not on `workers` (number of processes; all
    cores by default), and a smaller data set contains the first patients of a larger one.
    Raises UserError when `patients` is not in 2-9999, or `seed` or `workers` is out of range.
    """
    _check(patients, seed, workers)
    with whole_directory(out) as folder:
        rows = _write_patients(folder, patients, seed, min(workers or cores(), patients))
        for split in ("train", "test"):
            listed = itertools.chain.from_iterable(r for index, r in enumerate(rows) if split_of(index) == split)
            write_csv(folder / f"mass_case_description_{split}_set.csv", list(listed), FIELDS)
        marker = f"generator: tfrespam phantom\nversion: {VERSION}\nseed: {seed}\npatients: {patients}\n"
        (folder / PHANTOM_MARK).write_text(marker + "Synthetic films: no patient was imaged.\n", encoding="utf-8")


def _write_patients(folder: Path, patients: int, seed: int, workers: int) -> list[list[dict[str, str]]]:
    arguments = ([folder] * patients, [seed] * patients, range(patients))
    if workers == 1:
        return list(map(write_patient, *arguments))
    with pool(workers) as processes:
        return list(processes.map(write_patient, *arguments))


def _check(patients: int, seed: int, workers: int | None) -> None:
    if not 2 <= patients <= MOST_PATIENTS:
        raise UserError(f"`patients` must be from 2 to {MOST_PATIENTS}. Received: patients={patients}")
    if seed < 0:
        raise UserError(f"`seed` must be 0 or more. Received: seed={seed}")
    if workers is not None and workers < 1:
        raise UserError(f"`workers` must be at least 1. Received: workers={workers}")
