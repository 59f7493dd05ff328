"""Peak performance of this machine: matrix multiplication and memory bandwidth."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from tfrespam.core import provenance


def sgemm_rate(side: int = 2048, repeats: int = 7) -> float:
    """Measure float32 operations a second of a matrix product on all cores, the better of NumPy and TensorFlow."""
    import tensorflow as tf

    a, b = np.random.default_rng(0).random((2, side, side), np.float32)
    ta, tb = tf.constant(a), tf.constant(b)
    fastest = min(_best(lambda: a @ b, repeats), _best(lambda: tf.matmul(ta, tb).numpy(), repeats))
    return 2 * side**3 / fastest


def bandwidth(megabytes: int = 256, repeats: int = 5) -> float:
    """Measure bytes a second, read plus written, of a memory copy by all cores."""
    cores = provenance.cores()
    sources = np.array_split(np.ones(megabytes << 18, np.float32), cores)
    targets = [np.empty_like(source) for source in sources]
    with ThreadPoolExecutor(cores) as pool:  # NumPy releases the GIL while it copies
        fastest = _best(lambda: list(pool.map(np.copyto, targets, sources)), repeats)
    return 2 * (megabytes << 20) / fastest


def _best(call, repeats: int) -> float:
    call()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
