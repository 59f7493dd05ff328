"""Pack a prepared data set into one file (`packed`), for training without TensorFlow."""

import dataclasses
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import tensorflow as tf

from tfrespam.config import Experiment
from tfrespam.core import png
from tfrespam.core.errors import UserError
from tfrespam.data.loading import packed, pipeline
from tfrespam.data.loading.augment import JointAugment
from tfrespam.data.loading.prepared import Prepared
from tfrespam.data.preparing.copies import PAPER

# In order of decreasing quality; the first that fits is used. The number of JPEG is its quality.
ENCODINGS = ("png16", "png8", "jpeg95", "jpeg90", "jpeg80")


def pack(experiment: Experiment, prepared: Prepared, originals: Prepared, wider: Prepared | None, path: Path,
         megabytes: float = 50.0) -> dict[str, Any]:  # fmt: skip
    """Write the training and validation data of an experiment.

    Args:
        experiment: Its settings are stored in the file.
        prepared: The data set with the table; for the protocol "paper" the one with copies.
        originals: The data set with the images of the rows: `prepared`, or that from which the copies were made.
        wider: The same lesions in wider crops, for `augment.recrop`; None without.
        path: The file.
        megabytes: Largest size; images are stored in the best quality that fits.

    Returns:
        "encoding", "megabytes" and the number of "images" and "rows".

    Raises:
        UserError: It does not fit in any encoding.
    """
    position = {lesion: number for number, lesion in enumerate(originals.table["lesion_id"].tolist())}
    image_index = np.array([position[lesion] for lesion in prepared.table["lesion_id"].tolist()], np.int32)
    stored = {"": _stored(originals)} | ({"wider_": _stored(wider)} if wider else {})
    for encoding in ENCODINGS:
        files = {}
        for prefix, (images, masks) in stored.items():
            files[f"{prefix}images"], files[f"{prefix}masks"] = [_encode(each, encoding) for each in images], masks
        if sum(len(each) for kind in files.values() for each in kind) <= megabytes * 1e6:
            break
    else:
        raise UserError(f"{len(position)} images of {originals.facts['image_size']} pixels do not fit into "
                        f"{megabytes:g} MB even as {ENCODINGS[-1]}. Raise the limit, or prepare smaller images")
    digests = {"index_sha256": prepared.digest} | ({"wider_index_sha256": wider.digest} if wider else {})
    about = {"facts": prepared.facts, "wider_facts": wider.facts if wider else None, "encoding": encoding,
             "digests": digests, "experiment": dataclasses.asdict(experiment)}  # fmt: skip
    packed.write(path, about, (prepared.path / "index.csv").read_bytes(), image_index, _transforms(prepared),
                 files)  # fmt: skip
    return {"encoding": encoding, "megabytes": path.stat().st_size / 1e6, "images": len(position),
            "rows": len(image_index)}  # fmt: skip


def _stored(prepared: Prepared) -> tuple[list[bytes], list[bytes]]:
    """Read images and masks, as PNG."""
    everything = np.ones(len(prepared.table["lesion_id"]), bool)
    with pipeline.corruption_as_user_error(prepared):
        examples = list(pipeline.encoded(prepared, everything).as_numpy_iterator())
    masks = [png.encode(np.uint8(255) * (_decoded(each["mask"]) > 0), small=True) for each in examples]
    return [each["image"] for each in examples], masks


def _encode(stored: bytes, encoding: str) -> bytes:
    if encoding == "png16":
        return stored
    grey = np.rint(_decoded(stored) / 257.0).astype(np.uint8)  # 65535 -> 255
    if encoding == "png8":
        return png.encode(grey, small=True)
    quality = int(encoding.removeprefix("jpeg"))
    return cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _decoded(data: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def _transforms(prepared: Prepared) -> np.ndarray:
    """Return the transform of each row, (N, 8); for the paper's copies as `copies.paper_copies` draws them."""
    copies = prepared.table["copy"]
    lesions = [zlib.crc32(name.encode()) & 0x3FFFFFFF for name in prepared.table["lesion_id"].tolist()]
    seeds = tf.data.Dataset.from_tensor_slices(np.stack([lesions, copies], 1).astype(np.int32))
    drawn = seeds.map(_drawn, tf.data.AUTOTUNE, deterministic=True).batch(len(copies))
    return np.where(copies[:, None] == 0, np.array(packed.IDENTITY, np.float32), next(drawn.as_numpy_iterator()))


def _drawn(seed: tf.Tensor) -> tf.Tensor:
    transform = JointAugment(PAPER).draw(seed[tf.newaxis])
    return tf.stack([getattr(transform, field)[0] for field in packed.FIELDS])
