"""User-facing messages for errors of the operating system, such as a full disk, missing permission or a quota."""

import errno
import os
from collections.abc import Iterator

_ADVICE = {
    errno.ENOSPC: "Free some space, or choose a folder on another disk",
    errno.EDQUOT: "Free some space, or ask for a larger quota",
    errno.EFBIG: "Raise the limit on the size of files (ulimit -f), or choose a folder on another disk",
    errno.EROFS: "Choose a writable folder",
    errno.EACCES: "Choose a folder that you may read and write, or change its permissions",
    errno.EPERM: "Choose a folder that you may read and write, or change its permissions",
    errno.EIO: "The disk, or its network connection, is faulty. Check it, or choose a folder on another disk",
    errno.ESTALE: "The network disk is no longer reachable. Wait until it is back",
    errno.ENOTDIR: "A part of that path is a file, not a folder. Choose another path",
    errno.EISDIR: "A folder has the name of the file to be written. Rename the folder, or choose another path",
    errno.EEXIST: "Something else already has this name. Rename it, or choose another path",
    errno.ENAMETOOLONG: "Choose shorter names of files and folders",
    errno.EMFILE: "Raise the limit on open files (ulimit -n)",
}


def outside_fault(error: BaseException) -> str | None:
    """Return a message for an error that the operating system caused; None for any other error.

    TensorFlow and HDF5 raise their own error types that quote the system's message. Messages are searched for that
    reason, not only error numbers.
    """
    for each in _chain(error):
        number = _number(each)
        if number is not None:
            return (f"{os.strerror(number)}{_where(each)}. {_ADVICE[number]}. Finished results are kept; afterwards "
                    "run the same command again")  # fmt: skip
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _number(error: BaseException) -> int | None:
    if isinstance(error, OSError) and error.errno:
        return error.errno if error.errno in _ADVICE else None
    message = str(error)
    return next((number for number in _ADVICE if os.strerror(number) in message), None)


def _where(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno:
        return f" at {os.fsdecode(error.filename)}" if error.filename is not None else ""
    message = str(error).strip().splitlines()[0].rpartition("}} ")[2]  # without the name of TensorFlow's function
    return f" ({message[:300]})"
