"""Start TensorFlow: environment before its import, GPU memory, seeds and precision after it."""

import contextlib
import os
import sys
from collections.abc import Iterator


def before_tensorflow() -> None:
    """Set the environment variables that TensorFlow reads at import; values set by the user stay.

    TensorFlow disables its oneDNN kernels on CPUs without AVX512-VNNI; with them a training step takes about two thirds
    of the time.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def load_tensorflow() -> None:
    """Import TensorFlow and find GPUs, without the start-up messages that its C++ code writes to stderr.

    Those are written before any log level is read. A user who sets TF_CPP_MIN_LOG_LEVEL to 0 sees them. Keras is not
    imported.
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
    """Keep TensorFlow from importing Keras (with Matplotlib, pandas and scikit-learn) inside the block.

    That import is half of the start-up time and is not needed to run an exported graph.
    """
    if "keras" in sys.modules:
        yield
        return
    sys.modules["keras.src"] = None  # importing Keras fails; TensorFlow handles that as "Keras is not installed"
    try:
        yield
    finally:
        del sys.modules["keras.src"]


@contextlib.contextmanager
def _no_stderr() -> Iterator[None]:
    """Discard all output to file descriptor 2 inside the block, that of C++ code included."""
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
    """Import TensorFlow and Keras and set seeds, determinism and precision."""
    load_tensorflow()
    import keras
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy(precision)
