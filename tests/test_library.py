"""The package as a library: public names and import time."""

import importlib
import subprocess
import sys

import keras
import numpy as np
import pytest

import tfrespam as tr


def run(code: str, *arguments) -> str:
    """Run code in a new Python process."""
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_the_package_imports_nothing_heavy():
    run("""
import sys
import tfrespam as tr
assert not {"tensorflow", "keras", "numpy", "matplotlib"} & set(sys.modules), sorted(sys.modules)
assert set(tr.__all__) <= set(dir(tr)) and tr.__version__
""")


def test_every_public_name_is_available_after_any_import():
    run("""
import importlib
import tfrespam.predict
import tfrespam.evaluate, tfrespam.export
import tfrespam as tr
from tfrespam import layers, losses, metrics, models, data, build_model, load_model, evaluate, predict, export
for name in tr.__all__:
    assert getattr(tr, name) is globals()[name]
for name in ("evaluate", "export", "predict"):
    stage = importlib.import_module(f"tfrespam.{name}")
    assert callable(getattr(tr, name)) and getattr(tr, name) is not stage
    assert stage.main and stage is importlib.import_module(f"tfrespam.{name}")
for room in (layers, losses, metrics, models, data):
    assert all(hasattr(room, name) for name in room.__all__), room
assert callable(data.load) and layers.PAM and losses.Tversky
try:
    tr.nothing
except AttributeError as error:
    assert "has no attribute 'nothing'" in str(error)
""")


def test_public_names_can_be_monkeypatched(monkeypatch):
    monkeypatch.setattr(tr, "predict", len)
    assert tr.predict([1]) == 1


_slow = [pytest.mark.slow]


@pytest.mark.parametrize("first", [
    "import tfrespam\nimport keras",
    pytest.param("import tfrespam.layers\nimport keras", marks=_slow),
    pytest.param("import keras\nimport tfrespam", marks=_slow),
    pytest.param("from tfrespam import losses\nimport keras", marks=_slow),
    pytest.param("from tfrespam.core import runtime\nruntime.load_tensorflow()\nimport keras", marks=_slow),
    pytest.param("import tensorflow as tf\nimport tfrespam\nkeras = tf.keras", marks=_slow),
])  # fmt: skip
def test_a_keras_file_can_be_loaded_after_importing_the_package(tmp_path, first):
    model = tr.build_model("respam_unet", (32, 32, 1), width=0.125)
    model.compile("adam", tr.losses.Tversky(0.2, 0.8), metrics=[tr.metrics.Dice()])
    image = keras.random.uniform((1, 32, 32, 1), seed=1)
    model.save(tmp_path / "mine.keras")
    np.save(tmp_path / "image.npy", image)
    np.save(tmp_path / "expected.npy", model(image, training=False))
    run(first + """
import sys
import numpy as np
model = keras.models.load_model(sys.argv[1] + "/mine.keras")
found = np.asarray(model(np.load(sys.argv[1] + "/image.npy"), training=False))
np.testing.assert_allclose(found, np.load(sys.argv[1] + "/expected.npy"), atol=1e-5)
assert model.loss.options == {"alpha": 0.2, "beta": 0.8}
""", tmp_path)


def test_stages_still_run_as_modules():
    for stage in ("predict", "evaluate", "export"):
        module = importlib.import_module(f"tfrespam.{stage}")
        assert module.__name__ == f"tfrespam.{stage}" and callable(module.main)
    done = subprocess.run([sys.executable, "-m", "tfrespam.predict", "--help"], capture_output=True, text=True)
    assert done.returncode == 0 and "--threshold" in done.stdout
