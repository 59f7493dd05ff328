"""Compare outlines of candidates: the film network's own, and those combined with a crop network.

    python experiments/film_outlines.py FILMS MASKS --names NAME ... --film_model DIR --crop_model DIR

FILMS and MASKS are folders of images with the same names; a mask is resized to its film. Prints the mean Dice of all
films, and the difference from the film network alone with its standard error. Both models must not know the patients.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from tfrespam.core import png, runtime
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import FilmChain


def dice(mask: np.ndarray, reference: np.ndarray) -> float:
    """Dice of two masks (H, W) bool; 1 where both are empty."""
    both = mask.sum() + reference.sum()
    return float(2 * (mask & reference).sum() / both) if both else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--names", nargs="+", required=True)
    parser.add_argument("--film_model", required=True)
    parser.add_argument("--crop_model", required=True)
    asked = parser.parse_args()
    runtime.load_tensorflow()
    film, crops = saved_model.load(asked.film_model), saved_model.load(asked.crop_model)
    chains = FilmChain(film), FilmChain(film, crops)
    found = []
    for name in asked.names:
        image = cv2.imread(str(next(asked.films.glob(f"{name}.*"))), cv2.IMREAD_GRAYSCALE)
        mask = cv2.imread(str(next(asked.masks.glob(f"{name}.*"))), cv2.IMREAD_GRAYSCALE)
        reference = cv2.resize(mask, image.shape[::-1], interpolation=cv2.INTER_AREA) > 127
        found.append([dice(chain.predict_film([png.encode(image)])[0].labels > 0, reference) for chain in chains])
    scores = np.array(found)
    gain = scores[:, 1] - scores[:, 0]
    alone, combined = scores.mean(axis=0)
    print(f"{len(scores)} films: film network {alone:.4f}, with the crop network {combined:.4f}, "
          f"gain {gain.mean():+.4f} (standard error {gain.std(ddof=1) / len(gain) ** 0.5:.4f})")  # fmt: skip


if __name__ == "__main__":
    main()
