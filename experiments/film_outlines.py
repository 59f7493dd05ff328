"""Compare outlines of candidates: the film network's own, and those combined with a crop network.

    python experiments/film_outlines.py FILMS MASKS --names NAME ... --film_model DIR --crop_model DIR

FILMS and MASKS are folders of images with the same names; a mask is resized to its film. Prints the mean Dice of all
films, and the gain of the crop network with its 95 % interval, for which patients are resampled. Both models must not
know the patients. `--output` writes a CSV file with the two Dice of each film.
"""

import argparse
import re
from pathlib import Path

import cv2
import numpy as np

from tfrespam import cli
from tfrespam.core import png, runtime
from tfrespam.core.errors import UserError
from tfrespam.core.files import write_csv
from tfrespam.evaluation.statistics import paired_bootstrap_difference
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import FilmChain

COLUMNS = "film_network", "with_crop_network"  # Dice


def dice(mask: np.ndarray, reference: np.ndarray) -> float:
    """Dice of two masks (H, W) bool; 1 where both are empty."""
    both = mask.sum() + reference.sum()
    return float(2 * (mask & reference).sum() / both) if both else 1.0


def read(folder: Path, name: str) -> np.ndarray:
    """Read the image `name` of a folder, (H, W) uint8."""
    path = next(folder.glob(f"{name}.*"), None)
    image = None if path is None else cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise UserError(f"{folder} has no image that can be read. Expected one for each of `--names`. Received: {name}")
    return image


def patient(film: str, pattern: str) -> str:
    """Return the first part of a film's name that matches `pattern`, a regular expression of the patients' names."""
    found = re.search(pattern, film)
    if not found:
        raise UserError(f"`--patient` must match the name of every film. Expected {pattern!r}. Received: {film}")
    return found[0]


def summary(rows: list[dict], pattern: str) -> str:
    """Describe the mean Dice of both, and the gain with its interval by patients."""
    alone, both = (np.array([row[column] for row in rows]) for column in COLUMNS)
    patients = [patient(row["film"], pattern) for row in rows]
    gain, low, high = paired_bootstrap_difference(both, alone, patients)
    return (f"{len(rows)} films of {len(set(patients))} patients: film network {alone.mean():.4f}, with the crop "
            f"network {both.mean():.4f}, gain {gain:+.4f} (95 % by patients {low:+.4f} to {high:+.4f})")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--film_model", required=True)
    parser.add_argument("--crop_model", required=True)
    parser.add_argument("--patient", default="P_[0-9]+", help="regular expression of the patient in a film's name "
                        "(default: that of CBIS-DDSM, P_[0-9]+)")  # fmt: skip
    parser.add_argument("--output", type=Path, help="file for a row for each film, as CSV (default: none is written)")
    asked = parser.parse_args()
    for name in asked.names:
        patient(name, asked.patient)
    runtime.load_tensorflow()
    film, crops = saved_model.load(asked.film_model), saved_model.load(asked.crop_model)
    chains = FilmChain(film), FilmChain(film, crops)
    rows = []
    for name in asked.names:
        image, mask = (read(folder, name) for folder in (asked.films, asked.masks))
        reference = cv2.resize(mask, image.shape[::-1], interpolation=cv2.INTER_AREA) > 127
        scores = [dice(chain.predict_film([png.encode(image)])[0].labels > 0, reference) for chain in chains]
        rows.append(dict(zip(("film", *COLUMNS), (name, *scores), strict=True)))
    print(summary(rows, asked.patient))
    if asked.output:
        write_csv(asked.output, rows)


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        cli.fail(error)
