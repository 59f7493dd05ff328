"""Count the candidates that `predict` lists on generated films without a mass, where each is a false positive.

    python experiments/films_without_masses.py --films 100

Each film is drawn twice, with and without its masses. `--output` writes a CSV file with a row for each drawn film.
"""

import argparse
import dataclasses
import tempfile

import cv2
import numpy as np

import tfrespam as tr
from tfrespam.core.files import write_csv
from tfrespam.data.phantom.film import draw_film
from tfrespam.data.phantom.patient import draw_patient


def drawn(index: int, seed: int, masses: bool) -> tuple[np.ndarray, int]:
    """Draw the CC film, (H, W) uint16, of a patient's first breast; return it and the number of its masses."""
    rng = np.random.default_rng([seed, index])
    patient = draw_patient(index, rng)
    breast = patient.breasts[0] if masses else dataclasses.replace(patient.breasts[0], masses=())
    return draw_film(breast, patient.density, "CC", rng)[0], len(breast.masses)


def counted(asked: argparse.Namespace, masses: bool) -> list[dict]:
    """Draw the films, with or without their masses, and return a row with the number of candidates on each."""
    numbers = []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(asked.films):
            film, number = drawn(index, asked.seed, masses)
            cv2.imwrite(f"{folder}/{index:04}.png", film)
            numbers.append(number)
        found = tr.predict(folder, asked.model, film_model=asked.film_model, film="always")
    return [{"film": index, "masses": number, "candidates": len(each.candidates)}
            for index, (number, each) in enumerate(zip(numbers, found, strict=True))]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--films", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", help="network for crops (default: that of predict)")
    parser.add_argument("--film_model", help="network for films (default: that of predict)")
    parser.add_argument("--output", help="file for a row for each film, as CSV (default: none is written)")
    asked = parser.parse_args()
    rows = []
    for masses in (False, True):
        found = counted(asked, masses)
        counts, rows = np.array([row["candidates"] for row in found]), rows + found
        kind = f"with {sum(row['masses'] for row in found)} masses" if masses else "without a mass"
        print(f"{asked.films} films {kind}: {counts.mean():.2f} candidates per film, "
              f"none on {np.mean(counts == 0):.0%} of them")  # fmt: skip
    if asked.output:
        write_csv(asked.output, rows)


if __name__ == "__main__":
    main()
