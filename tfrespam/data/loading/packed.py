"""Read and write a prepared data set as one file, for training on a machine without TensorFlow.

The file is a NumPy archive of PNG (or JPEG) images, their masks as PNG, the table of index.csv, and the transform of
each row: the paper's copies are rows that rotate and mirror the same image.
"""

import dataclasses
import hashlib
import io
import json
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from tfrespam.core.errors import UserError, first_line
from tfrespam.core.files import csv_rows, whole_file
from tfrespam.data.loading.prepared import columns

FIELDS = ("angle", "zoom", "down", "right", "flip_x", "flip_y", "gamma", "contrast")  # of `augment.joint.JointDraw`
IDENTITY = (0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0)
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Packed:
    """Decoded content of the file.

    Args:
        about: Facts about the data set ("facts") and the wider one ("wider_facts"), how images are stored ("encoding"),
            digests of index.csv ("digests"), and the settings that it was packed for ("experiment").
        table: Columns of index.csv, (N,) each.
        image_index: (N,) int32, index of the image of each row.
        transforms: (N, 8) float32, its transform: `FIELDS`.
        images: (P, H, W) float32 in [0, 1].
        masks: (P, H, W) uint8 {0, 1}.
        wider: Images and masks of the same lesions in wider crops, for recropping; None without.
    """

    about: dict[str, Any]
    table: dict[str, np.ndarray]
    image_index: np.ndarray
    transforms: np.ndarray
    images: np.ndarray
    masks: np.ndarray
    wider: tuple[np.ndarray, np.ndarray] | None


def write(path: Path, about: dict[str, Any], index: bytes, image_index: np.ndarray, transforms: np.ndarray,
          files: dict[str, Sequence[bytes]]) -> None:  # fmt: skip
    """Write the file atomically.

    Args:
        path: The file.
        about: As in `Packed`.
        index: Content of index.csv.
        image_index, transforms: As in `Packed`.
        files: Encoded images by kind: "images", "masks", and "wider_images", "wider_masks" or neither.
    """
    arrays = {"about": np.frombuffer(json.dumps({**about, "format": FORMAT}).encode(), np.uint8),
              "index": np.frombuffer(index, np.uint8), "picture": image_index.astype(np.int32),
              "changes": transforms.astype(np.float32)}  # fmt: skip
    for kind, encoded in files.items():
        arrays[kind] = np.frombuffer(b"".join(encoded), np.uint8)
        arrays[f"{kind}_ends"] = np.cumsum([len(each) for each in encoded])
    with whole_file(path) as temporary, open(temporary, "wb") as file:
        np.savez_compressed(file, **arrays)


def read(path: str | Path) -> Packed:
    """Read the file. Raises UserError if it is missing, damaged or of another format."""
    try:
        with np.load(path, allow_pickle=False) as known:
            about = json.loads(known["about"].tobytes())
            if about["format"] != FORMAT:
                raise ValueError(f"its format is {about['format']}, this release reads {FORMAT}")
            index = known["index"].tobytes()
            if hashlib.sha256(index).hexdigest() != about["digests"]["index_sha256"]:
                raise ValueError("its table is not the one that was packed")
            wider = _pair(known, "wider_images", "wider_masks") if "wider_images" in known else None
            table = columns(csv_rows(io.StringIO(index.decode("utf-8"), newline="")))
            return Packed(about, table, known["picture"], known["changes"], *_pair(known, "images", "masks"), wider)
    except FileNotFoundError:
        raise UserError(f"there is no file {path}. Write it where the data set is prepared: "
                        "python experiments/pack_arrays.py --config EXPERIMENT.yaml --output FILE") from None
    except (OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError, zlib.error, tokenize.TokenError,
            zipfile.BadZipFile) as error:  # damage of the archive, and of the headers of its arrays
        raise UserError(f"{path} cannot be read ({first_line(error)}). Was it copied completely? Write it again with "
                        "experiments/pack_arrays.py") from None


def _pair(known, images: str, masks: str) -> tuple[np.ndarray, np.ndarray]:
    return _decoded(known, images, np.float32), (_decoded(known, masks, np.float32) > 0).astype(np.uint8)


def _decoded(known, kind: str, dtype) -> np.ndarray:
    """Decode images to (P, H, W) in [0, 1]."""
    data, ends = known[kind], known[f"{kind}_ends"]
    images = []
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        image = cv2.imdecode(data[start:end], cv2.IMREAD_UNCHANGED)
        if image is None or image.ndim != 2:
            raise ValueError(f"image {len(images)} of {kind} is damaged")
        images.append(image.astype(dtype) / np.iinfo(image.dtype).max)
    return np.stack(images)
