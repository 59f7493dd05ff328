"""Find and run exported models."""

import contextlib
import functools
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tfrespam.core.errors import UserError, first_line
from tfrespam.core.faults import outside_fault
from tfrespam.core.files import json_object
from tfrespam.evaluation.candidates import Candidate

METADATA = "metadata.json"
CARD = "model_card.md"
NETWORK = "model.keras"  # trainable network; not in exports of earlier releases


class Segmentation(NamedTuple):
    """Segmentation of one image by `predict_bytes` or `predict_film`."""

    mask_png: bytes  # 8 bit, 0 or 255, at the image's size
    probability_png: bytes  # 16 bit, round(65535 probability), at the image's size
    tumour_fraction: float
    candidates: tuple[Candidate, ...] | None = None  # of a film, best score first; None if not computed
    labels: np.ndarray | None = None  # (H, W) uint16: number of the candidate of each pixel in the mask, else 0


class ExportedModel:
    """Exported model, with its signatures as methods for arrays and bytes.

    Args:
        path: Folder of the version.
        at_first_use: Whether to load the graph only when it is needed; its hash is checked now.

    Raises:
        UserError: Graph or weights are damaged, or differ from those that were exported.
    """

    def __init__(self, path: Path, at_first_use: bool = False):
        self.path = path
        self.metadata = read_metadata(path)
        if self.metadata.get("sha256", known := fingerprint(path)) != known:  # not in older exports
            raise _damaged(path, f"the hash of graph and weights differs from that in {METADATA}")
        if not at_first_use:
            self._signatures  # noqa: B018

    @functools.cached_property
    def _signatures(self) -> Any:
        import tensorflow as tf

        try:
            self._loaded = tf.saved_model.load(os.fspath(self.path))  # the signatures do not keep it alive
            default = self._loaded.signatures["serving_default"]
            if "image" not in default.structured_input_signature[1] or "probability" not in default.structured_outputs:
                raise ValueError("its serving_default is not from `image` to `probability`")
        except Exception as error:  # damage makes TensorFlow raise errors of many types
            if outside_fault(error):
                raise
            raise _damaged(self.path, first_line(error)) from None
        return self._loaded.signatures

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        """Predict probabilities (N, H, W, 1) float32 of `images` (N, H, W, C) in [0, 1], all of the same size."""
        signature = self._signatures["serving_default"]
        return signature(image=np.asarray(images, np.float32))["probability"].numpy()

    def scan_images(self, images: np.ndarray) -> np.ndarray:
        """Predict probabilities of whole films with `predict_film`; they are multiples of 1/65535."""
        import cv2

        films = [cv2.imencode(".png", np.rint(image * 65535).astype(np.uint16))[1].tobytes() for image in images]
        pngs = [np.frombuffer(answer.probability_png, np.uint8) for answer in self.predict_film(films)]
        found = [cv2.imdecode(png, cv2.IMREAD_UNCHANGED) for png in pngs]
        return np.stack(found)[..., np.newaxis].astype(np.float32) / 65535

    @property
    def takes_films(self) -> bool:
        """True if the graph has the signature `predict_film`; older exports do not."""
        return "predict_film" in self._signatures

    def predict_bytes(self, images: Sequence[bytes]) -> list[Segmentation]:
        """Segment PNG or JPEG files of any sizes. Raises UserError with the positions of invalid ones."""
        return self._answer("predict_bytes", images)

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]:
        """Segment whole films: find and scan the breast. Raises UserError for older exports."""
        refuse_pairs(self.metadata, self.path)
        if not self.takes_films:
            raise UserError(f"{self.path} was exported without the signature predict_film. Export the model again")
        return self._answer("predict_film", films)

    def _answer(self, signature: str, images: Sequence[bytes]) -> list[Segmentation]:
        import tensorflow as tf

        if not images:
            return []
        refuse_pairs(self.metadata, self.path)
        if signature not in self._signatures:
            raise UserError(f"{self.path} has no signature {signature}; it has {', '.join(sorted(self._signatures))}. "
                            "Expected a model of tfrespam.export")
        try:
            answer = self._signatures[signature](image_bytes=tf.constant(list(images), tf.string))
        except tf.errors.InvalidArgumentError as error:
            raise UserError(_fault(str(error))) from None
        columns = (answer[name].numpy() for name in ("mask_png_bytes", "probability_png_bytes", "tumour_fraction"))
        return [Segmentation(mask, png, float(share)) for mask, png, share in zip(*columns, strict=True)]


def refuse_pairs(metadata: dict[str, Any], path: str | os.PathLike) -> None:
    """Raise UserError for a network with several input images, which cannot segment single files."""
    if metadata.get("channels", 1) != 1:
        raise UserError(f"{path} takes {metadata['channels']} images of a breast, not a single file. "
                        "Evaluate it on a prepared data set with: python -m tfrespam.evaluate")


def check_threshold(threshold: float | None) -> None:
    """Raise UserError unless `threshold` is between 0 and 1, or None for that of the model."""
    if threshold is not None and not 0 < threshold < 1:
        raise UserError(f"`threshold` must be a probability between 0 and 1. Received: {threshold}")


def load(path: str | os.PathLike, at_first_use: bool = False) -> ExportedModel:
    """Load the exported model in the folder of a version or an experiment (newest version). Raises UserError."""
    return ExportedModel(locate(path), at_first_use)


def locate(path: str | os.PathLike) -> Path:
    """Find the folder with saved_model.pb: `path`, or its subfolder with the highest number. Raises UserError."""
    path = Path(path)
    if is_saved_model(path):
        return path
    if not path.is_dir():
        raise UserError(f"no exported model: expected a folder of saved_models/. Received: {path}")
    found = [version for version in versions(path) if is_saved_model(path / str(version))]
    if not found:
        raise UserError(f"{path} contains no exported model: expected saved_model.pb in it or in a numbered subfolder. "
                        "A training run is exported with: python -m tfrespam.export RUN")  # fmt: skip
    return path / str(found[-1])


def network_file(path: str | os.PathLike) -> Path:
    """Find the .keras file that `path` is or that lies in the exported model at `path`. Raises UserError."""
    if Path(path).suffix == ".keras":
        return Path(path)
    file = locate(path) / NETWORK
    if not file.is_file():
        raise UserError(f"{file.parent} contains no {NETWORK} to train further: it was left out, or the model was "
                        "exported by a release without it. Export its run again, or name a .keras file")
    return file


def newest(models_dir: str | os.PathLike) -> Path | None:
    """Return the newest version folder of any experiment under `models_dir`; None if there is none."""
    return next(iter(by_age(models_dir)), None)


def by_age(models_dir: str | os.PathLike) -> list[Path]:
    """Return the version folders of all experiments under `models_dir`, the newest first."""
    ages = {}
    for file in Path(models_dir).glob("*/*/saved_model.pb"):
        with contextlib.suppress(FileNotFoundError):  # removed meanwhile
            ages[file.parent] = file.stat().st_mtime_ns
    return sorted((path for path in ages if path.name.isdecimal()), key=lambda path: -ages[path])


def versions(experiment: Path) -> list[int]:
    """Return the numbers of an experiment's version folders in ascending order, including incomplete ones."""
    if not experiment.is_dir():
        return []
    return sorted(int(folder.name) for folder in experiment.iterdir() if folder.name.isdecimal())


def is_saved_model(path: Path) -> bool:
    return (path / "saved_model.pb").is_file()


def read_metadata(path: Path) -> dict[str, Any]:
    """Read metadata.json of an export; {} for a SavedModel of other software. Raises UserError."""
    try:
        return json_object(path / METADATA)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UserError(f"{path / METADATA} cannot be read ({error}). Export the model again") from None


def fingerprint(path: Path) -> str:
    """Compute the SHA-256 of a version's graph and weights, which does not depend on its name."""
    digest = hashlib.sha256()
    for file in [path / "saved_model.pb", *sorted((path / "variables").glob("*"))]:
        with open(file, "rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"{path} is damaged or not a model of this software ({why}). Export the model again, or copy "
                     "it again from its source")  # fmt: skip


def _fault(message: str) -> str:
    """Extract the message of the graph's own check from TensorFlow's error."""
    lines = [line for line in message.splitlines() if line.startswith("assertion failed: [image_bytes")]
    return lines[0].removeprefix("assertion failed: [").removesuffix("]") if lines else message
