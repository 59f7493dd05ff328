"""What must happen before TensorFlow is imported, and what must be set right after."""

import contextlib
import os
import sys
from collections.abc import Iterator


def before_tensorflow() -> None:
    """Sets the environment that TensorFlow reads when it is imported; what the user has set stays.

    On CPUs without AVX512-VNNI TensorFlow leaves its oneDNN kernels off; with them a training step takes about two
    thirds of the time.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def load_tensorflow() -> None:
    """Imports TensorFlow and looks for GPUs without the start-up notes that its C++ side writes to stderr.

    Those come before any log level is read. A user who sets TF_CPP_MIN_LOG_LEVEL to 0 sees them. Keras is left for
    those who import it.
    """
    before_tensorflow()
    with _without_keras(), contextlib.nullcontext() if os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0" else _no_stderr():
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
    tf.get_logger().setLevel("ERROR")
    for gpu in gpus:
        with contextlib.suppress(RuntimeError):  # already in use by this process
            tf.config.experimental.set_memory_growth(gpu, True)


@contextlib.contextmanager
def _without_keras() -> Iterator[None]:
    """In the block TensorFlow does without Keras, which it would import, with Matplotlib, pandas and scikit-learn:
    half of the time, and for nothing where only an exported graph runs.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras.src"] = None  # importing Keras fails, as TensorFlow expects it to where there is none
    try:
        yield
    finally:
        del sys.modules["keras.src"]


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Drops what the process, C++ code included, writes to file descriptor 2."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start(seed: int = 0, *, deterministic: bool = False, precision: str = "float32") -> None:
    """Imports TensorFlow and Keras and fixes seeds, determinism and precision."""
    load_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy(precision)
