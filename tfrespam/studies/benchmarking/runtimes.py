"""Runtimes for training and inference of a network, each as a function that can be timed."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfrespam.config import Experiment
from tfrespam.core.console import console
from tfrespam.core.errors import UserError, first_line
from tfrespam.models.blocks import without_sides
from tfrespam.serving.graph import formats
from tfrespam.serving.graph.signatures import export_archive
from tfrespam.studies.benchmarking.frameworks import installed
from tfrespam.training import fit
from tfrespam.training.averaging import network_of

Calls = dict[str, Callable[[], object]]


def batch(experiment: Experiment, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Create random images and masks, (size, S, S, 1) float32."""
    rng, side = np.random.default_rng(0), experiment.data.image_size
    images = rng.random((size, side, side, 1), np.float32)
    return images, (images > 0.7).astype(np.float32)


def compiled(experiment: Experiment, precision: str = "float32"):
    """Build and compile the network as the stage `train` does."""
    keras.config.set_dtype_policy(precision)
    try:
        return fit.compiled(experiment, steps_per_epoch=100)
    finally:
        keras.config.set_dtype_policy("float32")


def network(experiment: Experiment):
    """Build the network as it is exported, without parts that only training needs."""
    return without_sides(network_of(compiled(experiment)))


def train_tensorflow(experiment: Experiment) -> Callable[[], object]:
    """Return a function that performs one step of `fit`, without data pipeline and callbacks."""
    model = compiled(experiment, experiment.training.precision)
    images, masks = batch(experiment, experiment.training.batch_size)
    stream = iter(tf.data.Dataset.from_tensors((images, masks)).repeat())
    model.make_train_function()
    return lambda: {name: float(value) for name, value in model.train_function(stream).items()}


def train_torch(experiment: Experiment, compile: bool) -> Callable[[], object]:
    """Return a function that performs the same step in PyTorch, channels last.

    `compile` applies torch.compile; bfloat16 is used through autocast.
    """
    import torch

    training = experiment.training
    module = _module(compiled(experiment), experiment).train()
    images, masks = (_tensor(array) for array in batch(experiment, training.batch_size))
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(module.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    forward = torch.compile(module) if compile else module
    half = torch.autocast(_device(), torch.bfloat16, enabled=training.precision == "mixed_bfloat16")

    loss_of = _torch_respam().loss

    def step():
        optimizer.zero_grad(set_to_none=True)
        with half:
            probability = forward(images)
        loss = loss_of(probability.float(), masks)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(experiment: Experiment, size: int, folder: Path) -> Calls:
    """Return functions for inference on `size` images with the same weights in every runtime; files go to `folder`."""
    model = network(experiment)
    as_if_trained(model)
    images, _ = batch(experiment, size)
    saved = folder / "saved"
    if not saved.exists():
        export_archive(model, saved, experiment.data.image_size)
    calls = _tensorflow(model, images, saved) | _converted(model, images, saved)
    if installed("torch") and has_torch_version(experiment):
        calls |= _torch(_module(model, experiment), images)
    return calls


def as_if_trained(model) -> None:
    """Set biases and batch normalisation weights to values other than 0 and 1, which graph optimizers eliminate."""
    random = np.random.default_rng(0)
    model.set_weights([weight + random.uniform(0.01, 0.1, weight.shape) if weight.ndim == 1 else weight
                       for weight in model.get_weights()])  # fmt: skip


def has_torch_version(experiment: Experiment) -> bool:
    """Return whether `torch_respam` implements the experiment's network with its options."""
    model = experiment.model
    supported = model.options.get("normalization", "none") in ("none", "standardize")
    return model.name == "respam_unet" and set(model.options) <= set(_torch_respam().OPTIONS) and supported


def _tensorflow(model, images: np.ndarray, saved: Path) -> Calls:
    loaded, tensor = tf.saved_model.load(str(saved)), tf.constant(images)
    served = loaded.signatures["serving_default"]
    return {"TensorFlow": lambda: model.predict_on_batch(images),
            "TensorFlow, exported": lambda: (loaded, served(image=tensor)["probability"].numpy())[1]}  # fmt: skip


def _converted(model, images: np.ndarray, saved: Path) -> Calls:
    """Convert the exported graph for the installed runtimes, as `export --format` does."""
    kinds = {"OpenVINO": ("openvino", ["openvino"]), "ONNX Runtime": ("onnx", ["onnxruntime", "tf2onnx"])}
    calls = {}
    for name, (kind, packages) in kinds.items():
        if not all(map(installed, packages)):
            continue
        try:
            _, run = formats.write(model, saved, images.shape[1], kind)
            run(images)
        except (UserError, RuntimeError) as error:  # an unsupported operation fails at the first image
            console.print(f"{name} is skipped: {first_line(error)}", markup=False)
        else:
            calls[name] = functools.partial(run, images)
    return calls


def _torch(module, images: np.ndarray) -> Calls:
    import torch

    tensor, module = _tensor(images), module.eval()
    compiled_module = torch.compile(module)

    def run(network):
        with torch.inference_mode():
            return network(tensor).permute(0, 2, 3, 1).cpu().numpy()

    calls = {"PyTorch eager": lambda: run(module)}
    with contextlib.suppress(Exception):  # torch.compile needs a C++ compiler
        run(compiled_module)
        calls["torch.compile"] = lambda: run(compiled_module)
    return calls


def _module(model, experiment: Experiment):
    return _torch_respam().from_keras(model, experiment.model.width, **experiment.model.options).to(_device())


def _torch_respam():
    """Return the module of the PyTorch network, which can be imported only if PyTorch is installed."""
    from tfrespam.studies.benchmarking import torch_respam

    return torch_respam


def _tensor(array: np.ndarray):
    import torch

    return torch.from_numpy(array).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last).to(_device())


def _device() -> str:
    """Return PyTorch's device, the same that TensorFlow uses if both can use it."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
