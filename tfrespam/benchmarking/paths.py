"""The ways to train and to infer one network, each as a call that can be timed."""

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfrespam.config import Experiment

Calls = dict[str, Callable[[], object]]


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def batch(experiment: Experiment, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures and masks, (size, S, S, 1) float32."""
    rng, side = np.random.default_rng(0), experiment.data.image_size
    images = rng.random((size, side, side, 1), np.float32)
    return images, (images > 0.7).astype(np.float32)


def compiled(experiment: Experiment):
    """The network as the stage `train` makes it."""
    from tfrespam.training import fit

    return fit.compiled(experiment, steps_per_epoch=100)


def train_tensorflow(experiment: Experiment) -> Callable[[], object]:
    """One step of `fit`, without data pipeline and callbacks."""
    import tensorflow as tf

    model = compiled(experiment)
    images, masks = batch(experiment, experiment.training.batch_size)
    stream = iter(tf.data.Dataset.from_tensors((images, masks)).repeat())
    step = model.make_train_function(force=True)
    return lambda: {name: float(value) for name, value in step(stream).items()}


def train_torch(experiment: Experiment, compile: bool) -> Callable[[], object]:
    """The same step in PyTorch, channels last; `compile` is torch.compile."""
    import torch

    from tfrespam.benchmarking import torch_respam

    training = experiment.training
    module = _module(compiled(experiment), experiment).train()
    images, masks = (_tensor(array) for array in batch(experiment, training.batch_size))
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(module.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    forward = torch.compile(module) if compile else module

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = torch_respam.loss(forward(images), masks)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(experiment: Experiment, size: int, folder: Path) -> Calls:
    """Every way to have `size` probabilities from one set of weights; files go into `folder`."""
    model = compiled(experiment)
    images, _ = batch(experiment, size)
    calls = _tensorflow(model, images, folder)
    calls |= _exported(folder, images)
    if installed("torch") and has_torch_statement(experiment):
        calls |= _torch(_module(model, experiment), images)
    return calls


def has_torch_statement(experiment: Experiment) -> bool:
    from tfrespam.benchmarking.torch_respam import OPTIONS

    model = experiment.model
    return model.name == "respam_unet" and set(model.options) <= set(OPTIONS)


def _tensorflow(model, images: np.ndarray, folder: Path) -> Calls:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    model.export(folder / "saved", verbose=False)
    loaded = tf.saved_model.load(str(folder / "saved"))
    served, given = loaded.signatures["serving_default"], tf.constant(images)
    (name,) = served.structured_input_signature[1]
    constants = convert_variables_to_constants_v2(served)
    return {"TensorFlow": lambda: model.predict_on_batch(images),
            "TensorFlow, exported": lambda: next(iter(served(**{name: given}).values())).numpy(),
            "TensorFlow, exported, weights as constants": lambda: constants(given)[0].numpy()}  # fmt: skip


def _exported(folder: Path, images: np.ndarray) -> Calls:
    calls = {}
    if installed("openvino"):
        import openvino

        network = openvino.Core().compile_model(openvino.convert_model(folder / "saved"), "CPU",
                                                {"INFERENCE_PRECISION_HINT": "f32"})  # fmt: skip
        calls["OpenVINO"] = lambda: network(images)[0]
    if installed("onnxruntime") and installed("tf2onnx"):
        import onnxruntime

        session = onnxruntime.InferenceSession(_onnx(folder), providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        calls["ONNX Runtime"] = lambda: session.run(None, {name: images})[0]
    return calls


def _onnx(folder: Path) -> str:
    """Converts the SavedModel, once."""
    import subprocess
    import sys

    file = folder / "model.onnx"
    if not file.exists():
        subprocess.run([sys.executable, "-m", "tf2onnx.convert", "--saved-model", folder / "saved", "--output", file,
                        "--opset", "18"], check=True, capture_output=True)  # fmt: skip
    return str(file)


def _torch(module, images: np.ndarray) -> Calls:
    import torch

    given, module = _tensor(images), module.eval()
    compiled_module = torch.compile(module)

    def run(network):
        with torch.inference_mode():
            return network(given).permute(0, 2, 3, 1).cpu().numpy()

    calls = {"PyTorch eager": lambda: run(module)}
    with contextlib.suppress(Exception):  # torch.compile needs a C++ compiler
        run(compiled_module)
        calls["torch.compile"] = lambda: run(compiled_module)
    return calls


def _module(model, experiment: Experiment):
    from tfrespam.benchmarking import torch_respam

    return torch_respam.from_keras(model, experiment.model.width, **experiment.model.options).to(_device())


def _tensor(array: np.ndarray):
    import torch

    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).to(_device())


def _device() -> str:
    """Where PyTorch computes: where TensorFlow does, when both can."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
