"""Loading of untrusted .keras files."""

import io
import json
import zipfile

import keras
import numpy as np
import pytest
import tiny
from damage import outcomes

from tfrespam.core.errors import UserError
from tfrespam.models import build_model
from tfrespam.models.stored import in_float32, load_network, save_network


@pytest.fixture
def file(tmp_path):
    tiny.network((32, 32, 1)).save(tmp_path / "a ü.keras")
    return tmp_path / "a ü.keras"


def test_every_changed_bit_is_detected(file):
    def weights():
        return b"".join(array.tobytes() for array in load_network(file).get_weights())

    whole, found = str(weights()), outcomes(file, 40, weights, UserError)
    assert set(found) <= {"refused", whole} and found.count("refused") >= 36


def test_empty_and_missing_files_are_reported(tmp_path):
    (tmp_path / "empty.keras").touch()
    for name in ("empty.keras", "missing.keras"):
        with pytest.raises(UserError, match=f"{name} cannot be loaded"):
            load_network(tmp_path / name)


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "assets/../../evil.txt", "..\\evil.txt"])
def test_an_archive_with_paths_outside_is_rejected(file, name):
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(name, "x")
    with pytest.raises(UserError, match="a path outside the archive"):
        load_network(file)
    assert not (file.parent.parent / "evil.txt").exists()


def test_code_in_a_file_is_not_executed(tmp_path, monkeypatch):
    """A Lambda layer contains Python bytecode. Keras' safe mode, which stays on, rejects it."""
    image = keras.Input((8, 8, 1))
    model = keras.Model(image, keras.layers.Lambda(lambda x: x * 2, output_shape=(8, 8, 1))(image))
    model.save(tmp_path / "lambda.keras")
    with pytest.raises(UserError, match="cannot be loaded.*"):
        load_network(tmp_path / "lambda.keras")


def test_a_file_that_names_a_module_does_not_import_it(file, tmp_path, monkeypatch):
    (tmp_path / "evil_module.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    content = io.BytesIO()
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(content, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "config.json":
                config = json.loads(data)
                config["config"]["layers"][1] |= {"module": "evil_module", "class_name": "E", "registered_name": None}
                data = json.dumps(config).encode()
            new.writestr(name, data)
    file.write_bytes(content.getvalue())
    with pytest.raises(UserError, match="cannot be loaded"):
        load_network(file)


def test_a_loaded_network_gives_the_same_predictions(file):
    image = np.random.default_rng(0).random((1, 32, 32, 1), np.float32)
    np.testing.assert_array_equal(load_network(file)(image), keras.saving.load_model(file, compile=False)(image))


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_network_of_any_precision_computes_in_float32(policy):
    keras.config.set_dtype_policy(policy)
    try:
        model = tiny.network((32, 32, 1))
    finally:
        keras.config.set_dtype_policy("float32")
    plain = tiny.network((32, 32, 1))
    plain.set_weights(model.get_weights())
    made = in_float32(model)
    assert (made is model) == (policy == "float32")
    assert {layer.compute_dtype for layer in made._flatten_layers()} == {"float32"}
    assert [weight.path for weight in made.weights] == [weight.path for weight in model.weights]
    images = np.random.default_rng(0).random((2, 32, 32, 1), np.float32)
    np.testing.assert_array_equal(made.predict_on_batch(images), plain.predict_on_batch(images))


def test_kernels_stored_in_float16_are_loaded_with_rounded_values(tmp_path):
    network = build_model("respam_unet", (32, 32, 1), width=0.125)
    whole, half = tmp_path / "whole.keras", tmp_path / "half.keras"
    save_network(network, whole)
    save_network(network, half, half=True)
    assert half.stat().st_size < 0.6 * whole.stat().st_size
    again = load_network(half)
    assert len(again.trainable_weights) == len(network.trainable_weights)
    for weight, stored in zip(network.get_weights(), again.get_weights(), strict=True):
        assert stored.dtype == np.float32
        rounded = weight.astype(np.float16).astype(np.float32) if weight.ndim > 1 else weight
        np.testing.assert_array_equal(stored, rounded)
    for weight, stored in zip(network.get_weights(), load_network(whole).get_weights(), strict=True):
        np.testing.assert_array_equal(stored, weight)
