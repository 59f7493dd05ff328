"""Run one signature of a SavedModel through TensorFlow's C API, in a process without TensorFlow's Python package.

This is the loader and these are the kernels that TensorFlow Serving links. Standard input and output are one .npz each:

    python capi_run.py SAVED_MODEL INPUT_TENSOR OUTPUT_NAME=TENSOR... < inputs.npz > outputs.npz

Strings travel as arrays of objects; tensors are named as in the SavedModel's signature, "operation:index".
"""

import ctypes
import importlib.util
import io
import os
import sys
from pathlib import Path

import numpy as np
import numpy.random  # noqa: F401  after the libraries, with their symbols visible to all, importing it crashes

FLOAT, STRING = 1, 7
STRING_SIZE = 24  # bytes of a TF_TString


class Output(ctypes.Structure):
    """TF_Output."""

    _fields_ = [("operation", ctypes.c_void_p), ("index", ctypes.c_int)]


def library() -> ctypes.CDLL:
    folder = Path(importlib.util.find_spec("tensorflow").origin).parent  # finds it, imports nothing
    ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), mode=ctypes.RTLD_GLOBAL)
    found = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"), mode=ctypes.RTLD_GLOBAL)
    for name in ("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions", "TF_LoadSessionFromSavedModel", "TF_TensorData",
                 "TF_GraphOperationByName", "TF_AllocateTensor", "TF_StringGetDataPointer"):  # fmt: skip
        getattr(found, name).restype = ctypes.c_void_p
    for name in ("TF_StringGetSize", "TF_TensorByteSize"):
        getattr(found, name).restype = ctypes.c_size_t
    found.TF_Message.restype, found.TF_Dim.restype = ctypes.c_char_p, ctypes.c_int64
    return found


TF = library()


class Session:
    """A loaded SavedModel."""

    def __init__(self, folder: str):
        self._status, self._graph = pointer(TF.TF_NewStatus()), pointer(TF.TF_NewGraph())
        tags = (ctypes.c_char_p * 1)(b"serve")
        options = pointer(TF.TF_NewSessionOptions())
        self._session = pointer(TF.TF_LoadSessionFromSavedModel(
            options, None, folder.encode(), tags, 1, self._graph, None, self._status))  # fmt: skip
        self._check()

    def run(self, feed: str, value: np.ndarray, fetches: list[str]) -> list[np.ndarray]:
        inputs, outputs = (Output * 1)(self._output(feed)), (Output * len(fetches))(*map(self._output, fetches))
        values, results = (ctypes.c_void_p * 1)(tensor(value)), (ctypes.c_void_p * len(fetches))()
        TF.TF_SessionRun(self._session, None, inputs, values, 1, outputs, results, len(fetches), None, 0, None,
                         self._status)  # fmt: skip
        self._check()
        return [array(pointer(result)) for result in results]

    def _output(self, name: str) -> Output:
        operation, _, index = name.partition(":")
        return Output(TF.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _check(self) -> None:
        if TF.TF_GetCode(self._status):
            sys.exit(f"error {TF.TF_GetCode(self._status)}: {TF.TF_Message(self._status).decode()}")


def pointer(address: int) -> ctypes.c_void_p:
    return ctypes.c_void_p(address)


def tensor(value: np.ndarray) -> int:
    dims = (ctypes.c_int64 * value.ndim)(*value.shape)
    strings = value.dtype == object
    size = STRING_SIZE * value.size if strings else value.nbytes
    made = TF.TF_AllocateTensor(STRING if strings else FLOAT, dims, value.ndim, ctypes.c_size_t(size))
    data = TF.TF_TensorData(pointer(made))
    if strings:
        for number, text in enumerate(value.ravel()):
            place = pointer(data + STRING_SIZE * number)
            TF.TF_StringInit(place)
            TF.TF_StringCopy(place, text, ctypes.c_size_t(len(text)))
    else:
        ctypes.memmove(data, np.ascontiguousarray(value, np.float32).ctypes.data, size)
    return made


def array(made: ctypes.c_void_p) -> np.ndarray:
    shape = [TF.TF_Dim(made, axis) for axis in range(TF.TF_NumDims(made))]
    data, count = TF.TF_TensorData(made), int(np.prod(shape))
    if TF.TF_TensorType(made) == STRING:
        places = [pointer(data + STRING_SIZE * number) for number in range(count)]
        texts = [ctypes.string_at(TF.TF_StringGetDataPointer(place), TF.TF_StringGetSize(place)) for place in places]
        return np.array([*texts, None], object)[:-1].reshape(shape)
    return np.frombuffer(ctypes.string_at(data, TF.TF_TensorByteSize(made)), np.float32).reshape(shape)


def main() -> None:
    folder, feed, *fetches = sys.argv[1:]
    names, tensors = zip(*(fetch.split("=") for fetch in fetches), strict=True)
    (value,) = np.load(io.BytesIO(sys.stdin.buffer.read()), allow_pickle=True).values()
    results = Session(folder).run(feed, value, list(tensors))
    assert "tensorflow" not in sys.modules
    buffer = io.BytesIO()
    np.savez(buffer, **dict(zip(names, results, strict=True)))
    sys.stdout.buffer.write(buffer.getvalue())
    sys.stdout.flush()
    os._exit(0)  # the library's destructors and Python's end do not always agree


if __name__ == "__main__":
    main()
