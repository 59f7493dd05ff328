"""What must happen before TensorFlow is imported, and what must be set right after."""

import os


def before_tensorflow() -> None:
    """Sets the environment that TensorFlow reads when it is imported; what the user has set stays.

    On CPUs without AVX512-VNNI TensorFlow leaves its oneDNN kernels off; with them a ResPAM U-Net training step is
    about half as long again as fast.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")


def start(seed: int = 0, *, deterministic: bool = False, precision: str = "float32") -> None:
    """Imports TensorFlow and Keras and fixes seeds, determinism, precision and GPU memory growth."""
    before_tensorflow()
    import keras
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_dtype_policy(precision)
