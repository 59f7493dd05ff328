"""How TensorFlow is started: each check needs a process that has not imported it."""

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


def test_tensorflow_starts_without_keras_which_can_be_imported_later():
    run(f"""
import sys
from tfrespam import runtime
runtime.load_tensorflow()
assert not set({HEAVY}) & set(sys.modules)
import keras
import tensorflow as tf
model = keras.Sequential([keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(tf.ones((4, 2)), tf.ones((4, 1)), verbose=0)
assert tf.keras.layers.Dense is keras.layers.Dense
""")


def test_keras_that_is_there_before_stays():
    run("""
import keras
from tfrespam import runtime
runtime.load_tensorflow()
import tensorflow as tf
assert tf.keras.layers.Dense is keras.layers.Dense
""")


def test_start_notes_are_not_shown():
    done = subprocess.run([sys.executable, "-c", "from tfrespam import runtime; runtime.start()"], capture_output=True,
                          text=True)  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_predict_needs_no_keras(tmp_path):
    cv2.imwrite(str(tmp_path / "one.png"), np.random.default_rng(0).integers(0, 255, (64, 64), np.uint8))
    code = f"""
import sys
from tfrespam import predict
sys.argv[0] = "predict"
predict.main()
assert not set({HEAVY}) & set(sys.modules)
"""
    run(code, tmp_path / "one.png", "--output", tmp_path / "out")
    assert list((tmp_path / "out").glob("*.png"))
