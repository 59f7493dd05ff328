"""What goes wrong around the program and not in it: a disk that is full, a folder that must not be written to."""

import errno
import os
from collections.abc import Iterator

_ADVICE = {
    errno.ENOSPC: "Free some space, or choose a folder on another disk",
    errno.EDQUOT: "Free some space, or ask for a larger quota",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or choose a folder on another disk",
    errno.EROFS: "Choose a folder that can be written to",
    errno.EACCES: "Choose a folder that you may read and write, or change its permissions",
    errno.EPERM: "Choose a folder that you may read and write, or change its permissions",
    errno.EIO: "The disk, or the network that it hangs on, does not work as it should",
    errno.ESTALE: "The network disk has gone away; wait for it",
    errno.ENOTDIR: "A part of that path is a file. Choose another one",
    errno.EISDIR: "There is a folder where a file belongs. Rename it, or choose another place",
    errno.EEXIST: "There is something else where it belongs. Rename it, or choose another place",
    errno.ENAMETOOLONG: "Choose shorter names of files and folders",
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
}


def outside_fault(error: BaseException) -> str | None:
    """What a user is told where the operating system refused; None where the error is another one, ours perhaps.

    TensorFlow and HDF5 pass the system's words on in errors of their own, which is why words are looked for.
    """
    for each in _chain(error):
        number = _number(each)
        if number is not None:
            return (f"{os.strerror(number)}{_where(each)}. {_ADVICE[number]}. What was finished is kept; then give "
                    "the same command again")  # fmt: skip
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno:
        return error.errno if error.errno in _ADVICE else None
    said = str(error)
    return next((number for number in _ADVICE if os.strerror(number) in said), None)


def _where(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return f" at {os.fsdecode(error.filename)}" if error.filename is not None else ""
    said = str(error).strip().splitlines()[0].rpartition("}} ")[2]  # without the name of TensorFlow's own function
    return f" ({said[:300]})"
