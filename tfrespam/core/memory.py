"""Return freed memory to the operating system."""

import ctypes

LARGE = 8 << 20  # bytes
_MMAP_THRESHOLD = -3  # M_MMAP_THRESHOLD of glibc's malloc.h


def return_large_blocks() -> bool:
    """Make the C library return freed blocks of LARGE bytes and more to the operating system at once.

    By default glibc raises that limit up to 32 MiB, and keeps smaller blocks for reuse, such as a film of 3,328 x 4,096
    pixels, which has 26 MiB in 16 bits. For processes that segment one large image after another; a training step
    would request the same blocks again and again. The setting lasts as long as the process.

    Returns:
        Whether the C library has this setting; others than glibc do not.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and bool(mallopt(_MMAP_THRESHOLD, LARGE))
