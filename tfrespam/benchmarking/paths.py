"""The ways to train and to infer one network, each as a call that can be timed."""

import contextlib
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tfrespam.config import Experiment

Calls = dict[str, Callable[[], object]]


def installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def start() -> None:
    """Loads PyTorch, when it is there, and then TensorFlow: the other way round Triton, a part of PyTorch, crashes."""
    from tfrespam import runtime

    if installed("torch"):
        importlib.import_module("torch._dynamo")
    runtime.start(0)


def batch(experiment: Experiment, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Random pictures and masks, (size, S, S, 1) float32."""
    rng, side = np.random.default_rng(0), experiment.data.image_size
    images = rng.random((size, side, side, 1), np.float32)
    return images, (images > 0.7).astype(np.float32)


def compiled(experiment: Experiment, precision: str = "float32"):
    """The network as the stage `train` makes it."""
    import keras

    from tfrespam.training import fit

    keras.config.set_dtype_policy(precision)
    try:
        return fit.compiled(experiment, steps_per_epoch=100)
    finally:
        keras.config.set_dtype_policy("float32")


def network(experiment: Experiment):
    """What is exported of it: without what only helps it to learn."""
    from tfrespam.models.blocks import without_sides
    from tfrespam.training.averaging import network_of

    return without_sides(network_of(compiled(experiment)))


def train_tensorflow(experiment: Experiment) -> Callable[[], object]:
    """One step of `fit`, without data pipeline and callbacks."""
    import tensorflow as tf

    model = compiled(experiment, experiment.training.precision)
    images, masks = batch(experiment, experiment.training.batch_size)
    stream = iter(tf.data.Dataset.from_tensors((images, masks)).repeat())
    model.make_train_function()
    return lambda: {name: float(value) for name, value in model.train_function(stream).items()}


def train_torch(experiment: Experiment, compile: bool) -> Callable[[], object]:
    """The same step in PyTorch, channels last; `compile` is torch.compile, bfloat16 comes by autocast."""
    import torch

    from tfrespam.benchmarking import torch_respam

    training = experiment.training
    module = _module(compiled(experiment), experiment).train()
    images, masks = (_tensor(array) for array in batch(experiment, training.batch_size))
    kind = torch.optim.AdamW if training.optimizer == "adamw" else torch.optim.Adam
    optimizer = kind(module.parameters(), lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    forward = torch.compile(module) if compile else module
    half = torch.autocast(_device(), torch.bfloat16, enabled=training.precision == "mixed_bfloat16")

    def step():
        optimizer.zero_grad(set_to_none=True)
        with half:
            probability = forward(images)
        loss = torch_respam.loss(probability.float(), masks)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(experiment: Experiment, size: int, folder: Path) -> Calls:
    """Every way to have `size` probabilities from one set of weights; files go into `folder`."""
    from tfrespam.serving.signatures import export_archive

    model = network(experiment)
    as_if_trained(model)
    images, _ = batch(experiment, size)
    saved = folder / "saved"
    if not saved.exists():
        export_archive(model, saved, experiment.data.image_size)
    calls = _tensorflow(model, images, saved) | _converted(model, images, saved)
    if installed("torch") and has_torch_statement(experiment):
        calls |= _torch(_module(model, experiment), images)
    return calls


def as_if_trained(model) -> None:
    """No bias or statistic of batch normalisation is left at 0 or 1: optimizers of graphs leave out what is."""
    random = np.random.default_rng(0)
    model.set_weights([weight + random.uniform(0.01, 0.1, weight.shape) if weight.ndim == 1 else weight
                       for weight in model.get_weights()])  # fmt: skip


def has_torch_statement(experiment: Experiment) -> bool:
    from tfrespam.benchmarking.torch_respam import OPTIONS

    model = experiment.model
    restated = model.options.get("normalization", "none") in ("none", "standardize")
    return model.name == "respam_unet" and set(model.options) <= set(OPTIONS) and restated


def _tensorflow(model, images: np.ndarray, saved: Path) -> Calls:
    import tensorflow as tf

    loaded, given = tf.saved_model.load(str(saved)), tf.constant(images)
    served = loaded.signatures["serving_default"]
    return {"TensorFlow": lambda: model.predict_on_batch(images),
            "TensorFlow, exported": lambda: (loaded, served(image=given)["probability"].numpy())[1]}  # fmt: skip


def _converted(model, images: np.ndarray, saved: Path) -> Calls:
    """The exported graph in the runtimes that are installed, as `export --format` converts it."""
    from tfrespam import cli
    from tfrespam.errors import UserError, first_line
    from tfrespam.serving.formats import write

    kinds = {"OpenVINO": ("openvino", ["openvino"]), "ONNX Runtime": ("onnx", ["onnxruntime", "tf2onnx"])}
    calls = {}
    for name, (kind, packages) in kinds.items():
        if not all(map(installed, packages)):
            continue
        try:
            _, run = write(model, saved, images.shape[1], kind)
            run(images)
        except (UserError, RuntimeError) as error:  # what a runtime cannot compute it says at the first picture
            cli.console.print(f"{name} is left out: {first_line(error)}", markup=False)
        else:
            calls[name] = functools.partial(run, images)
    return calls


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
