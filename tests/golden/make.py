"""Write the golden files of a release: python tests/golden/make.py

A folder for each release, never changed again: what it saved must load in every later one and give the same numbers.
"""

import json
import shutil
import sys
from pathlib import Path

import keras
import numpy as np

from tfrespam import __version__, build_model
from tfrespam.core import runtime
from tfrespam.serving.inference import saved_model
from tfrespam.workflows.exporting import export_model

HERE = Path(__file__).parent
SIZE = 32


def picture() -> np.ndarray:
    """Return an image (1, SIZE, SIZE, 1) in [0, 1] of waves and a bright disc, without random numbers of a library."""
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    waves = 0.3 + 0.1 * np.sin(9 * x + 4 * y) + 0.1 * np.cos(13 * y)
    disc = (x - 0.45) ** 2 + (y - 0.55) ** 2 < 0.06
    return np.round(np.where(disc, waves + 0.35, waves), 4).astype(np.float32)[None, ..., None]


def model() -> keras.Model:
    """Build a ResPAM U-Net with every kind of layer and a few thousand weights, none of which has its initial value."""
    made = build_model("respam_unet", (SIZE, SIZE, 1), 1 / 64, modules=(1, 1, 1, 1), normalization="standardize",
                       fusion="add", fusion_weights="scalar")  # fmt: skip
    generator = np.random.default_rng(1)
    made.set_weights([_changed(value, generator) for value in made.get_weights()])
    return made


def _changed(value: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Change weights so that wide convolutions stay balanced and no variance becomes negative."""
    noise = generator.standard_normal(value.shape)
    constant = 0.2 * noise if value.max(initial=0) == 0 else 0  # biases begin at 0
    return (value * (1 + 0.2 * np.tanh(noise)) + constant).astype(np.float32)


def rounded(probability) -> list[list[float]]:
    return np.asarray(probability, float)[0, ..., 0].round(7).tolist()


def main(folder: Path) -> None:
    if folder.exists():
        sys.exit(f"{folder} exists: golden files are made once for a release")
    runtime.start(seed=1)
    network = model()
    folder.mkdir(parents=True)
    network.save(folder / "model.keras")
    exported = export_model(network, folder, "export", {"model": "respam_unet"})
    shutil.make_archive(str(folder / "saved_model"), "gztar", exported)  # a tenth of its size
    graph = saved_model.load(exported)
    expected = {
        "keras": rounded(network(picture(), training=False)),
        "saved_model": rounded(graph.predict_images(picture())),
    }
    shutil.rmtree(folder / "export")
    (folder / "expected.json").write_text(json.dumps(expected), encoding="utf-8")


if __name__ == "__main__":
    main(HERE / __version__)
