"""Start-up of TensorFlow. Each test runs in a new process that has not imported TensorFlow yet."""

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
HEAVY = ("keras", "matplotlib", "pandas", "sklearn")


def run(code: str, *arguments) -> str:
    done = subprocess.run([sys.executable, "-c", code, *map(str, arguments)], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_keras_is_not_imported_with_tensorflow_but_works_later():
    run(f"""
import sys
from tfrespam.core import runtime
runtime.load_tensorflow()
assert not set({HEAVY}) & set(sys.modules)
import keras
import tensorflow as tf
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(tf.ones((4, 2)), tf.ones((4, 1)), verbose=0)
assert tf.keras.layers.Dense is keras.layers.Dense
""")


def test_keras_imported_before_tensorflow_is_kept():
    run("""
import keras
from tfrespam.core import runtime
runtime.load_tensorflow()
import tensorflow as tf
assert tf.keras.layers.Dense is keras.layers.Dense
""")


def test_start_up_messages_are_hidden():
    code = "from tfrespam.core import runtime; runtime.start()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_predict_does_not_import_keras(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.tile(np.arange(64, dtype=np.uint8) * 3, (64, 1)))
    code = f"""
import sys
from tfrespam.predict import main
sys.argv[0] = "predict"
main()
assert not set({HEAVY}) & set(sys.modules)
"""
    run(code, tmp_path / "one.png", "--output", tmp_path / "out")
    assert list((tmp_path / "out").glob("*.png"))
