"""Write TFRecord shards with tensorflow-datasets: features of an example, and the builder."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

VERSION = "1.0.0"

_TEXT = ("lesion_id", "film_id", "patient_id", "split", "laterality", "view", "pathology", "shape", "margins", "source")
_WHOLE = ("assessment", "subtlety", "breast_density", "copy", "fold", "mass_pixels")


def features() -> tfds.features.FeaturesDict:
    """Return the features of a stored example; `mass_pixels` is the number of mask pixels in the crop."""
    return tfds.features.FeaturesDict({
        "image": tfds.features.Image(shape=(None, None, 1), dtype=tf.uint16, encoding_format="png"),
        "mask": tfds.features.Image(shape=(None, None, 1), dtype=tf.uint8, encoding_format="png"),
        **{name: tfds.features.Text() for name in _TEXT},
        **{name: tfds.features.Scalar(tf.int64) for name in _WHOLE},
        "crop": tfds.features.Tensor(shape=(4,), dtype=tf.int32),
        "pixel_spacing_mm": tfds.features.Scalar(tf.float32),
    })  # fmt: skip


class Mammograms(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """TFDS builder that writes the examples of given functions.

    Args:
        data_dir: Folder in which TFDS creates `mammograms/<version>/`.
        splits: Split name -> function that returns (key, example) pairs; images as PNG file objects.
    """

    name = "mammograms"
    VERSION = tfds.core.Version(VERSION)

    def __init__(self, data_dir: Path, splits: dict[str, Callable[[], Iterable[tuple[str, dict]]]]):
        self._splits = splits
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(builder=self, features=features(),
                                     description="Images and masks of masses, prepared by tfrespam. Licence and "
                                                 "citation are the source's: see its page under datasets/.")

    def _split_generators(self, dl_manager):
        return {name: _some(name, examples()) for name, examples in self._splits.items()}

    def _generate_examples(self):
        raise AssertionError("unused: `_split_generators` returns the generators of the splits")

    # TFDS logs a "download" that does not happen here. If it renames these hooks, only the messages reappear.
    def _log_download_bytes(self):
        pass

    def _log_download_done(self):
        pass


class _EmptySplitError(Exception):
    """Raised for a split without examples, which TFDS cannot store."""


def _some(split: str, examples: Iterable[tuple[str, dict]]) -> Iterable[tuple[str, dict]]:
    count = 0
    for count, example in enumerate(examples, 1):  # noqa: B007
        yield example
    if not count:
        raise _EmptySplitError(split)


def write_shards(folder: Path, splits: dict[str, Callable[[], Iterable[tuple[str, dict]]]]) -> list[str]:
    """Write the splits' TFRecord shards into `folder`/<version>; return the splits with examples.

    If a split has no example, which is known only then, the others are written again.
    """
    tfds.disable_progress_bar()
    left = dict(splits)
    while left:
        builder = Mammograms(folder / "tfds", left)
        try:
            builder.download_and_prepare()
            Path(builder.data_dir).rename(folder / VERSION)
            break
        except _EmptySplitError as empty:
            del left[empty.args[0]]
        finally:
            shutil.rmtree(folder / "tfds", ignore_errors=True)
    return list(left)


def read_index(shards: Path) -> list[dict]:
    """Read all features except images, one dict per example, in the order of the shards."""
    skip = {name: tfds.decode.SkipDecoding() for name in ("image", "mask")}
    config = tfds.ReadConfig(interleave_cycle_length=1)
    dataset = tfds.builder_from_directory(shards).as_dataset(split="all", read_config=config, decoders=skip)
    rows = dataset.map(lambda example: {name: example[name] for name in example if name not in ("image", "mask")})
    return [{name: _plain(value) for name, value in row.items()} for row in rows.as_numpy_iterator()]


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return " ".join(map(str, value)) if getattr(value, "ndim", 0) else value.item()
