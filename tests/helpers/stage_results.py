"""Checks of the output of a stage: complete files, and results that must not depend on kills."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

VOLATILE = re.compile(r"second|command|git|created|sha256|digest|_dir$|^run$|^weights$")  # keys; hashes of files
# Logs, boards, times; what is written from other files (the card from metadata.json); plans of trainings done before.
SKIPPED = re.compile(r"(^|/)\.|tensorboard/|trials/|logs/|configs/|(^|/)state/|probe\.json|cases\.png|model_card\.md|"
                     r"\.svg|\.pdf")  # fmt: skip


def half_written(folder: Path) -> list[str]:
    """Return incomplete files with final names. Hidden files are temporary; logs and TensorBoard files only grow."""
    found = []
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            try:
                _read_whole(path)
            except Exception as error:
                found.append(f"{path}: {error!r}")
    return found


def _read_whole(path: Path) -> None:
    import zipfile

    import cv2
    import yaml

    match path.suffix:
        case ".json":
            json.loads(path.read_text(encoding="utf-8"))
        case ".yaml":
            assert isinstance(yaml.safe_load(path.read_text(encoding="utf-8")), dict)
        case ".csv":
            rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8", errors="surrogateescape"))))
            assert rows and all(None not in row and None not in row.values() for row in rows)
        case ".keras":
            assert zipfile.ZipFile(path).testzip() is None
        case ".png":
            assert cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None
        case ".html":
            assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    if path.name == "saved_model.pb" and path.parent.name.isdecimal():
        from tfrespam.serving.inference import saved_model

        assert saved_model.read_metadata(path.parent)["sha256"] == saved_model.fingerprint(path.parent)


def results(folder: Path) -> dict[str, object]:
    """Return results that must not depend on kills: all files except logs, TensorBoard files, locks and times."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not SKIPPED.search(name):
            found[name] = _content(path)
    return found


def _content(path: Path) -> object:
    import yaml

    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text(encoding="utf-8")))
    if path.suffix == ".csv":
        rows = csv.DictReader(io.StringIO(path.read_text(encoding="utf-8")))
        return [_without_times(row) for row in rows]
    if path.suffix == ".keras":
        return _weights(path)
    if ".tfrecord" in path.name:
        return _records(path)
    if path.suffix == ".yaml":
        return _without_times(yaml.safe_load(path.read_text(encoding="utf-8")))
    if path.name in ("table.md", "table.tex"):
        return None  # table.json without its times
    if path.suffix in (".html", ".md"):
        lines = path.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not re.search("[Ss]econd|command|[Cc]reated|git|sha256|>Made 2", line)]
    graph = path.suffix == ".pb" or path.parent.name in ("variables", "assets.extra")
    return None if graph else path.read_bytes()  # what it answers is in per_image.csv


def _without_times(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_times(item) for key, item in value.items()
                if not VOLATILE.search(key)}  # fmt: skip
    return [_without_times(item) for item in value] if isinstance(value, list) else value


def _weights(path: Path) -> list[bytes]:
    from tfrespam.models.stored import load_network

    return [array.tobytes() for array in load_network(path).get_weights()]


def _records(path: Path) -> list[dict]:
    """Parse TFRecords so that the order of features does not matter."""
    import tensorflow as tf

    records = [tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()]
    return [{name: value.SerializeToString() for name, value in record.features.feature.items()} for record in records]


def same_results(folder: Path, expected: Path) -> Callable[[], None]:
    """Return a check to be run in a fork: after computing with TensorFlow this process could not fork any more."""
    def check():
        found, wanted = results(folder), results(expected)
        assert set(found) == set(wanted), set(found) ^ set(wanted)
        different = [name for name in wanted if found[name] != wanted[name]]
        assert not different, different

    return check


def whole_versions(folder: Path, expected: Path) -> Callable[[], None]:
    """Like `same_results` for `export`, which adds a version at each call: all are complete and give equal results."""
    def check():
        import numpy as np

        from tfrespam.serving.inference import saved_model

        images = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
        wanted = saved_model.load(expected / "models" / "exp").predict_images(images)
        numbers = saved_model.versions(folder / "models" / "exp")
        assert numbers == list(range(1, len(numbers) + 1)) and numbers
        for number in numbers:
            version = saved_model.load(folder / "models" / "exp" / str(number))
            np.testing.assert_array_equal(version.predict_images(images), wanted)

    return check
