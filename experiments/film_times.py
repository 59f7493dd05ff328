"""Measure where the time of `predict` on whole films goes.

    python experiments/film_times.py FILMS --output table.csv

FILMS is a folder of films. Each is processed by the steps of `predict` one after another: reading, the film network in
the exported graph (breast, network, encoding), outlines by the crop network, writing. `predict` itself reads and writes
other films while the network works. Prints the mean of each step in seconds; the first film, which warms the networks
up, is not counted.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tfrespam.config import DataConfig
from tfrespam.core import runtime
from tfrespam.core.files import write_csv
from tfrespam.serving.dicom.write import Wanted
from tfrespam.serving.inference import inputs, jobs, saved_model
from tfrespam.serving.inference.film_chain import FilmChain
from tfrespam.serving.inference.pretrained import FILMS, shipped
from tfrespam.workflows import prediction_results
from tfrespam.workflows.prediction_models import film_model_path, model_path

STEPS = "read", "breast and encoding", "film network", "outlines", "write", "all"


def seconds(call: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def times(file: Path, finder: Any, crops: Any, folder: Path) -> dict[str, float]:
    """Return the seconds of each of STEPS for one film."""
    case = jobs.Case(file, file.stem, region="film")
    read, case.image = seconds(lambda: inputs.read(file))
    search, found = seconds(lambda: finder.predict_film([case.image.encoded]))
    chain = FilmChain(Answered(finder, found), crops)
    outlines, (case.segmentation,) = seconds(lambda: chain.predict_film([case.image.encoded]))
    blank = np.zeros((1, *DataConfig.of(finder.metadata["data"]).image_shape, 1), np.float32)
    network, _ = seconds(lambda: finder.predict_images(blank))
    settings = {"threshold": None, "dicom": Wanted(), "patient_ids": False, "algorithms": {}}
    write, _ = seconds(lambda: prediction_results.finish(case, folder, settings))
    found = read, search - network, network, outlines, write, read + search + outlines + write
    return {"file": file.name, **dict(zip(STEPS, found, strict=True))}


class Answered:
    """A film network whose answer is known already."""

    def __init__(self, network: Any, answer: Any):
        self.metadata, self.takes_films, self._answer = network.metadata, True, answer

    def predict_film(self, films: Any) -> Any:
        return self._answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("films")
    parser.add_argument("--models_dir", default="saved_models")
    parser.add_argument("--output", type=Path, help="CSV with a row for each film")
    asked = parser.parse_args()
    runtime.load_tensorflow()
    path = model_path(None, asked.models_dir)
    crops = saved_model.load(path)
    finder = saved_model.load(film_model_path(None, asked.models_dir, path, False) or shipped(FILMS))
    with TemporaryDirectory() as folder:
        rows = [times(file, finder, crops, Path(folder)) for file in inputs.find([asked.films])][1:]
    if not rows:
        parser.error(f"two or more films are needed, since the first one also loads libraries. Received: {asked.films}")
    if asked.output:
        write_csv(asked.output, rows)
    for step in STEPS:
        print(f"{step:20} {np.mean([row[step] for row in rows]):6.2f} s")


if __name__ == "__main__":
    main()
