"""A data set of mammogram-like films that anybody may have: generated, and shaped like a CBIS-DDSM download.

The films are no substitute for real ones: they exist so that everything from `prepare` on can be run, tested and shown
without patient data. The anatomy is drawn (phantom_anatomy), the masses are added to it (phantom_lesions), the film and
its scanner leave their marks (phantom_film), and the result is written as CBIS-DDSM's case lists spell it
(phantom_download), so that one reader serves both. Tissue texture is power-law noise, P(f) = K / f^3, as measured on
mammograms: see phantom_texture.
"""

import itertools
from pathlib import Path

from tfrespam.data.phantom_download import FIELDS, split_of, write_patient
from tfrespam.errors import UserError
from tfrespam.files import whole_directory, write_csv
from tfrespam.workers import cores, pool

MARKER = "PHANTOM.txt"  # a download with this file in it is the data set named `phantom`
VERSION = 1  # raise it with every change that changes a file of the download
MOST_PATIENTS = 9999  # P_90001 ... P_99999


def write_phantom(out: Path, patients: int = 60, seed: int = 0, workers: int | None = None) -> None:
    """Writes a CBIS-DDSM download (layout tcia) of `patients` phantom patients to folder `out`, whole or not at all.

    Each patient has one or two breasts in two views (CC, MLO), each breast one to three masses; every fifth patient is
    on the test list. On one machine, the files are the same for the same seed, whatever `workers` (processes; all
    cores by default), and fewer patients are the first of more.
    Raises UserError when `patients` is not in 2-9999, or `seed` or `workers` is out of range.
    """
    _check(patients, seed, workers)
    with whole_directory(out) as folder:
        rows = _write_patients(folder, patients, seed, min(workers or cores(), patients))
        for split in ("train", "test"):
            listed = itertools.chain.from_iterable(r for index, r in enumerate(rows) if split_of(index) == split)
            write_csv(folder / f"mass_case_description_{split}_set.csv", list(listed), FIELDS)
        marker = f"generator: tfrespam phantom\nversion: {VERSION}\nseed: {seed}\npatients: {patients}\n"
        (folder / MARKER).write_text(marker + "Synthetic films: no patient was imaged.\n", encoding="utf-8")


def _write_patients(folder: Path, patients: int, seed: int, workers: int) -> list[list[dict[str, str]]]:
    arguments = ([folder] * patients, [seed] * patients, range(patients))
    if workers == 1:
        return list(map(write_patient, *arguments))
    with pool(workers) as drawers:
        return list(drawers.map(write_patient, *arguments))


def _check(patients: int, seed: int, workers: int | None) -> None:
    if not 2 <= patients <= MOST_PATIENTS:
        raise UserError(f"A phantom data set has 2 to {MOST_PATIENTS} patients. Received: patients={patients}")
    if seed < 0:
        raise UserError(f"The phantom's seed must be 0 or more. Received: seed={seed}")
    if workers is not None and workers < 1:
        raise UserError(f"The phantom needs at least one worker process. Received: workers={workers}")
