"""Export the network for other runtimes: ONNX, OpenVINO, LiteRT.

ONNX and OpenVINO files contain `serving_default`, for images of any size. LiteRT cannot resize to a size that is known
only at run time, so its file contains only the network, for images of `image_size` pixels.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError, extra
from tfrespam.data.geometry.crop import Size, sides
from tfrespam.serving.graph.frozen import weight_bytes
from tfrespam.serving.graph.parity import largest_difference, random_images
from tfrespam.serving.inference.saved_model import load

TOLERANCE = 1e-4  # largest difference of probabilities from the SavedModel; 5e-7 is usual
OPSET = 18
ONNX_BYTES = 80  # memory per weight: tf2onnx 1.17 keeps a copy for every pass of its optimizer
Run = Callable[[np.ndarray], np.ndarray]  # images (N, H, W, 1) float32 -> probabilities (N, H, W, 1)


def convert(model, folder: Path, image_size: Size, kind: str) -> tuple[Path, float]:
    """Write the network in another format beside its SavedModel and compare their probabilities.

    Args:
        model: The Keras model of which `folder` contains the SavedModel.
        folder: The version's folder, with saved_model.pb.
        image_size: Size of the network's input in pixels: side of a square, or height and width.
        kind: "onnx", "openvino" or "litert".

    Returns:
        The file, and the largest difference between its probabilities and the SavedModel's.

    Raises:
        UserError: The converter is not installed, does not support an operation, or needs more memory than is free;
            or its file gives other probabilities.
    """
    with _explained(kind):
        path, run = write(model, folder, image_size, kind)
        shapes = [sides(image_size)] if kind == "litert" else [sides(image_size), (50, 37), (70, 301)]
        difference = max(_difference(model, folder, run, shape) for shape in shapes)
    if not difference <= TOLERANCE:
        raise UserError(f"{path.name} differs from the SavedModel by {difference:g}; expected at most {TOLERANCE:g}. "
                        "Nothing was published")  # fmt: skip
    return path, difference


def write(model, folder: Path, image_size: Size, kind: str) -> tuple[Path, Run]:
    """Convert as `convert`, without the comparison; return the file and a function that runs it."""
    writers = {"onnx": _onnx, "openvino": _openvino, "litert": _litert}
    return writers[kind](model, folder, image_size)


@contextlib.contextmanager
def _explained(kind: str) -> Iterator[None]:
    """Convert errors of the converters, which have many types, to UserError with their first line."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"`format` {kind} needs {error.name}, {extra('formats')}") from None
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[0] if lines else ''}"
        raise UserError(f"this network cannot be written as {kind} ({reason}). Nothing was published") from None


def _difference(model, folder: Path, run: Run, shape: tuple[int, int]) -> float:
    images = random_images(model, shape)
    return largest_difference(model, run(images), load(folder).predict_images(images))


def _onnx(model, folder: Path, image_size: Size) -> tuple[Path, Run]:
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    _check_memory(model)
    path = folder / "model.onnx"
    loaded = tf.saved_model.load(str(folder))
    image = tf.TensorSpec([None, None, None, 1], tf.float32, name="image")
    serve = tf.function(lambda image: loaded.signatures["serving_default"](image=image))
    tf2onnx.convert.from_function(serve, input_signature=[image], opset=OPSET, output_path=str(path))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return path, lambda images: session.run(["probability"], {"image": images})[0]


def _check_memory(model) -> None:
    import psutil


    needed, free = ONNX_BYTES * weight_bytes(model), psutil.virtual_memory().available
    if needed > free:
        raise UserError(f"ONNX: converting this network takes about {needed / 2**30:.0f} GiB of memory; "
                        f"{free / 2**30:.0f} GiB are free. Use `format` openvino, or a machine with more. "
                        "Nothing was published")  # fmt: skip


def _openvino(model, folder: Path, image_size: Size) -> tuple[Path, Run]:
    import openvino

    path = folder / "model.xml"
    core = openvino.Core()  # openvino.convert_model would send telemetry
    openvino.save_model(core.read_model(str(folder)), str(path), compress_to_fp16=False)
    # the default is bfloat16 on some processors
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return path, lambda images: compiled({"image": images})["probability"]


def _litert(model, folder: Path, image_size: Size) -> tuple[Path, Run]:
    import keras
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "model.tflite"
    image = tf.TensorSpec([None, *sides(image_size), 1], tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", lambda image: _named(model(image, training=False)), [image])
    with tempfile.TemporaryDirectory() as temporary:  # converting the model directly loses Keras' variables
        archive.write_out(temporary, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=["serving_default"])
        path.write_bytes(converter.convert())
    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    return path, lambda images: runner(image=images)["probability"]


def _named(output) -> dict:
    return {"probability": output["probability"] if isinstance(output, dict) else output}
