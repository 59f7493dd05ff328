"""Makes phantom.png: crops of held-out phantom patients, from the best to the worst Dice, with both outlines.

    python -m tfrespam.train
    python docs/images/make_phantom.py runs/phantom/RUN

Nothing is picked by hand: the crops stand at equal steps of the ranking by Dice in the run's test/per_image.csv.
"""

import csv
import sys
from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

from tfrespam.config import DataConfig
from tfrespam.data.loading import pipeline
from tfrespam.data.loading.prepared import find
from tfrespam.evaluation.overlay import PREDICTION, REFERENCE, draw_contour, grey_to_rgb
from tfrespam.serving.inference import saved_model

COLUMNS, SIDE, CAPTION = 6, 144, 20
OUTPUT = Path(__file__).with_name("phantom.png")


def main(run: Path) -> None:
    settings = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
    prepared = find(settings["data_dir"], DataConfig(**settings["data"]))
    model = saved_model.load(Path(settings["models_dir"]) / settings["name"])
    columns = [column(prepared, model, row) for row in ranked(run)]
    # few colours keep the file small; the outlines keep theirs
    Image.fromarray(np.concatenate(columns, axis=1)).quantize(96).save(OUTPUT, optimize=True)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size / 1000:.0f} kB")


def ranked(run: Path) -> list[dict]:
    """Rows of the run's test cases: best, worst, and equal steps between."""
    with open(run / "test" / "per_image.csv", newline="", encoding="utf-8") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["dice"]))
    return [rows[round(position)] for position in np.linspace(0, len(rows) - 1, COLUMNS)]


def column(prepared, model, row: dict) -> np.ndarray:
    """A crop, the same crop with both outlines, and its Dice: (2 SIDE + CAPTION, SIDE, 3) uint8."""
    chosen = prepared.table["lesion_id"] == row["lesion_id"]
    images, masks = next(pipeline.evaluation(prepared, chosen, batch_size=1).as_numpy_iterator())
    crop, truth, probability = (enlarged(picture[0, ..., 0]) for picture in
                                (images, masks, model.predict_images(images)))  # fmt: skip
    plain = grey_to_rgb(np.rint(crop.clip(0, 1) * 255).astype(np.uint8))
    drawn = draw_contour(draw_contour(plain, truth >= 0.5, REFERENCE), probability >= 0.5, PREDICTION)
    caption = np.zeros((CAPTION, SIDE, 3), np.uint8)
    cv2.putText(caption, f"Dice {float(row['dice']):.2f}", (6, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (230,) * 3, 1,
                cv2.LINE_AA)  # fmt: skip
    return np.concatenate([plain, drawn, caption])


def enlarged(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
