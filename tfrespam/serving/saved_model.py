"""Exported models on disk: where they are, and what they answer."""

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfrespam.errors import UserError, first_line
from tfrespam.faults import outside_fault

METADATA = "metadata.json"
CARD = "model_card.md"


class Segmentation(NamedTuple):
    """What `predict_bytes` and `predict_film` answer for one picture."""

    mask_png: bytes  # 8 bit, 0 or 255, at the picture's size
    probability_png: bytes  # 16 bit, round(65535 probability), at the picture's size
    tumour_fraction: float


class ExportedModel:
    """The signatures of one SavedModel as functions on arrays and bytes.

    Args:
        path: The version's folder.

    Raises:
        UserError: The graph or its weights are damaged, or not those that were exported.
    """

    def __init__(self, path: Path):
        import tensorflow as tf

        self.path = path
        self.metadata = read_metadata(path)
        if self.metadata.get("sha256", known := fingerprint(path)) != known:  # older exports do not say
            raise _damaged(path, f"the files of graph and weights are not those of which {METADATA} tells")
        try:
            self._loaded = tf.saved_model.load(os.fspath(path))
            self._loaded.signatures["serving_default"]
        except Exception as error:  # damage makes TensorFlow raise errors of many types
            if outside_fault(error):
                raise
            raise _damaged(path, first_line(error)) from None

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W, 1) float32 of `images` (N, H, W, C) in [0, 1], of any one size."""
        signature = self._loaded.signatures["serving_default"]
        return signature(image=np.asarray(images, np.float32))["probability"].numpy()

    def scan_images(self, images: np.ndarray) -> np.ndarray:
        """As `predict_images`, for whole films, through `predict_film`: probabilities are multiples of 1/65535."""
        import cv2

        films = [cv2.imencode(".png", np.rint(image * 65535).astype(np.uint16))[1].tobytes() for image in images]
        pngs = [np.frombuffer(answer.probability_png, np.uint8) for answer in self.predict_film(films)]
        found = [cv2.imdecode(png, cv2.IMREAD_UNCHANGED) for png in pngs]
        return np.stack(found)[..., np.newaxis].astype(np.float32) / 65535

    @property
    def takes_films(self) -> bool:
        """Whether the graph has `predict_film`; exports of older versions have not."""
        return "predict_film" in self._loaded.signatures

    def predict_bytes(self, pictures: Sequence[bytes]) -> list[Segmentation]:
        """Masks of PNG or JPEG files, of any sizes. Raises UserError that lists the positions of unusable ones."""
        return self._answer("predict_bytes", pictures)

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]:
        """As `predict_bytes`, for whole films: the breast is found and scanned. Raises UserError for older exports."""
        refuse_pairs(self.metadata, self.path)
        if not self.takes_films:
            raise UserError(f"{self.path} was exported without the signature predict_film. Export the model again")
        return self._answer("predict_film", films)

    def _answer(self, signature: str, pictures: Sequence[bytes]) -> list[Segmentation]:
        import tensorflow as tf

        if not pictures:
            return []
        refuse_pairs(self.metadata, self.path)
        try:
            answer = self._loaded.signatures[signature](image_bytes=tf.constant(list(pictures), tf.string))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(_fault(str(error))) from None
        columns = (answer[name].numpy() for name in ("mask_png_bytes", "probability_png_bytes", "tumour_fraction"))
        return [Segmentation(mask, png, float(share)) for mask, png, share in zip(*columns, strict=True)]


def refuse_pairs(metadata: dict[str, Any], path: str | os.PathLike) -> None:
    """Raises UserError for a network that takes several pictures, where single ones are to be segmented."""
    if metadata.get("channels", 1) != 1:
        raise UserError(f"{path} takes {metadata['channels']} pictures of a breast side by side, and single files are "
                        "no pairs. Judge it on a prepared data set with: python -m tfrespam.evaluate")


def load(path: str | os.PathLike) -> ExportedModel:
    """The exported model at `path`, an experiment's folder (its newest version) or a version's. Raises UserError."""
    return ExportedModel(locate(path))


def locate(path: str | os.PathLike) -> Path:
    """The folder with saved_model.pb: `path` itself, or its subfolder with the highest number. Raises UserError."""
    path = Path(path)
    if is_saved_model(path):
        return path
    if not path.is_dir():
        raise UserError(f"no exported model: expected a folder of saved_models/. Received: {path}")
    found = [version for version in versions(path) if is_saved_model(path / str(version))]
    if not found:
        raise UserError(f"{path} holds no exported model: expected saved_model.pb in it or in a numbered subfolder. A "
                        "training run is exported with: python -m tfrespam.export RUN")  # fmt: skip
    return path / str(found[-1])


def newest(models_dir: str | os.PathLike) -> Path | None:
    """The version folder written last under `models_dir`, of whatever experiment; None when there is none."""
    return next(iter(by_age(models_dir)), None)


def by_age(models_dir: str | os.PathLike) -> list[Path]:
    """All version folders under `models_dir`, of whatever experiments, the newest first."""
    files = [file for file in Path(models_dir).glob("*/*/saved_model.pb") if file.parent.name.isdecimal()]
    return [file.parent for file in sorted(files, key=lambda file: -file.stat().st_mtime_ns)]


def versions(experiment: Path) -> list[int]:
    """The numbers of an experiment's version folders, whether usable or not, in ascending order."""
    if not experiment.is_dir():
        return []
    return sorted(int(folder.name) for folder in experiment.iterdir() if folder.name.isdecimal())


def is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file()


def read_metadata(path: Path) -> dict[str, Any]:
    """What was written beside the graph about it; {} for a SavedModel of another origin. Raises UserError."""
    try:
        return dict(json.loads((path / METADATA).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{path / METADATA} cannot be read ({error}). Export the model again") from None


def fingerprint(path: Path) -> str:
    """SHA-256 of a version's graph and weights: what makes it answer as it does, whatever it is called."""
    digest = hashlib.sha256()
    for file in [path / "saved_model.pb", *sorted((path / "variables").glob("*"))]:
        with open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged or no model of this software ({why}). Export the model again, or fetch it "
                     "again from where it came")  # fmt: skip


def _fault(message: str) -> str:
    """The sentence of our own check inside TensorFlow's report."""
    lines = [line for line in message.splitlines() if line.startswith("assertion failed: [image_bytes")]
    return lines[0].removeprefix("assertion failed: [").removesuffix("]") if lines else message
