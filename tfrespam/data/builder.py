"""TFRecord shards through tensorflow-datasets: the stored example and the builders that write it."""

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

import tensorflow as tf
import tensorflow_datasets as tfds

VERSION = "1.0.0"

_TEXT = ("lesion_id", "film_id", "patient_id", "split", "laterality", "view", "pathology", "shape", "margins", "source")
_WHOLE = ("assessment", "subtlety", "breast_density", "copy", "fold", "mass_pixels")


def features() -> tfds.features.FeaturesDict:
    """The stored example (design, section 4), with `split` and `mass_pixels` (mask pixels in the crop) beside it."""
    return tfds.features.FeaturesDict({
        "image": tfds.features.Image(shape=(None, None, 1), dtype=tf.uint16, encoding_format="png"),
        "mask": tfds.features.Image(shape=(None, None, 1), dtype=tf.uint8, encoding_format="png"),
        **{name: tfds.features.Text() for name in _TEXT},
        **{name: tfds.features.Scalar(tf.int64) for name in _WHOLE},
        "crop": tfds.features.Tensor(shape=(4,), dtype=tf.int32),
        "pixel_spacing_mm": tfds.features.Scalar(tf.float32),
    })  # fmt: skip


class Mammograms(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Writes examples that a callable makes; which ones is not this class's business.

    Args:
        data_dir: Where TFDS puts `mammograms/<version>/`.
        splits: Split name -> function that gives (key, example) pairs; pictures as PNG file objects.
    """

    name = "mammograms"
    VERSION = tfds.core.Version(VERSION)

    def __init__(self, data_dir: Path, splits: dict[str, Callable[[], Iterable[tuple[str, dict]]]]):
        self._splits = splits
        super().__init__(data_dir=data_dir)

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(builder=self, features=features(),
                                     description="Pictures and masks of masses, prepared by tfrespam. Licence and "
                                                 "citation are the source's: see its page under datasets/.")

    def _split_generators(self, dl_manager):
        return {name: _some(name, examples()) for name, examples in self._splits.items()}

    def _generate_examples(self):
        raise AssertionError("the splits bring their own generators")

    # TFDS announces a "download" that does not happen here; should it rename these, the words are back, no more.
    def _log_download_bytes(self):
        pass

    def _log_download_done(self):
        pass


class _EmptySplitError(Exception):
    """TFDS stores no split without an example."""


def _some(split: str, examples: Iterable[tuple[str, dict]]) -> Iterable[tuple[str, dict]]:
    count = 0
    for count, example in enumerate(examples, 1):  # noqa: B007
        yield example
    if not count:
        raise _EmptySplitError(split)


def write_shards(folder: Path, splits: dict[str, Callable[[], Iterable[tuple[str, dict]]]]) -> list[str]:
    """Writes the splits' TFRecord shards into `folder`/<version>; returns the splits that held an example.

    Where one holds none, the others are made once more: only then is it known.
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
    """All features but the pictures, one dict per example, in the order in which the shards are read."""
    skip = {name: tfds.decode.SkipDecoding() for name in ("image", "mask")}
    config = tfds.ReadConfig(interleave_cycle_length=1)
    dataset = tfds.builder_from_directory(shards).as_dataset(split="all", read_config=config, decoders=skip)
    rows = dataset.map(lambda example: {name: example[name] for name in example if name not in ("image", "mask")})
    return [{name: _plain(value) for name, value in row.items()} for row in rows.as_numpy_iterator()]


def _plain(value):
    if isinstance(value, bytes):
        return value.decode()
    return " ".join(map(str, value)) if getattr(value, "ndim", 0) else value.item()
