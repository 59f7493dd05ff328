"""Files saved by older releases load in this one and give the recorded numbers."""

import json
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest
from golden.make import HERE, picture

import tfrespam.models  # noqa: F401  registers the layers
from tfrespam.serving.inference import saved_model

RELEASES = sorted(path.parent for path in HERE.glob("*/expected.json"))


def expected(release: Path, what: str) -> np.ndarray:
    return np.array(json.loads((release / "expected.json").read_text())[what])


def test_golden_files_of_a_release_exist():
    assert RELEASES
    for release in RELEASES:
        probability = expected(release, "keras")
        assert probability.std() > 0.02 and 0.1 < probability.min() < probability.max() < 0.9  # numbers that can differ


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_keras_file_gives_the_recorded_probabilities(release):
    model = keras.saving.load_model(release / "model.keras", compile=False)
    found = np.asarray(model(picture(), training=False))[0, ..., 0]
    np.testing.assert_allclose(found, expected(release, "keras"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_exported_graph_gives_the_recorded_probabilities(release, tmp_path):
    with tarfile.open(release / "saved_model.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    model = saved_model.load(tmp_path)
    found = model.predict_images(picture())[0, ..., 0]
    np.testing.assert_allclose(found, expected(release, "saved_model"), rtol=0, atol=1e-5)
    (answer,) = model.predict_bytes([_png(picture())])
    assert answer.mask_png.startswith(b"\x89PNG") and model.metadata["model"] == "respam_unet"


def _png(image: np.ndarray) -> bytes:
    import cv2

    return cv2.imencode(".png", np.rint(image[0, ..., 0] * 65535).astype(np.uint16))[1].tobytes()
