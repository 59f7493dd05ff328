"""The exported network once more, for runtimes other than TensorFlow's: ONNX, OpenVINO, LiteRT.

ONNX and OpenVINO files hold `serving_default` as it is, for pictures of any size. LiteRT has no kernels for resizing
to a size that is only known when it runs, so its file holds the network alone: squares of `image_size` pixels.
"""

import contextlib
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from tfrespam.errors import UserError

TOLERANCE = 1e-4  # largest difference of probabilities from the SavedModel; 5e-7 is usual
OPSET = 18
ONNX_BYTES = 80  # of memory for each of the weights: tf2onnx 1.17 keeps a copy of them for every pass of its optimizer
Run = Callable[[np.ndarray], np.ndarray]  # images (N, H, W, 1) float32 -> probabilities (N, H, W, 1)


def convert(model, folder: Path, image_size: int, kind: str) -> tuple[Path, float]:
    """Writes the network in another format beside its SavedModel and runs both.

    Args:
        model: The Keras model that the SavedModel in `folder` was made from.
        folder: The version's folder, with saved_model.pb.
        image_size: Side of the network's input, in pixels.
        kind: "onnx", "openvino" or "litert".

    Returns:
        The file, and the largest difference of its probabilities from the SavedModel's.

    Raises:
        UserError: The converter is not installed, knows an operation not, would need more memory than is free, or its
            file answers otherwise.
    """
    with _explained(kind):
        path, run = write(model, folder, image_size, kind)
        shapes = [(image_size, image_size)] if kind == "litert" else [(image_size, image_size), (50, 37), (70, 301)]
        difference = max(_difference(folder, run, shape) for shape in shapes)
    if not difference <= TOLERANCE:
        raise UserError(f"{path.name} differs from the SavedModel by {difference:g}; expected at most {TOLERANCE:g}. "
                        "Nothing was published")  # fmt: skip
    return path, difference


def write(model, folder: Path, image_size: int, kind: str) -> tuple[Path, Run]:
    """As `convert`, unchecked: the file, and the function that its runtime makes of it."""
    writers = {"onnx": _onnx, "openvino": _openvino, "litert": _litert}
    return writers[kind](model, folder, image_size)


@contextlib.contextmanager
def _explained(kind: str) -> Iterator[None]:
    """Converters fail with errors of many types; the user wants to know which operation it was."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f'--format {kind} needs {error.name}: pip install "tfrespam[formats]" brings it') from None
    except Exception as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        reason = f"{type(error).__name__}: {lines[0] if lines else ''}"
        raise UserError(f"this network cannot be written as {kind} ({reason}). Nothing was published") from None


def _difference(folder: Path, run: Run, shape: tuple[int, int]) -> float:
    from tfrespam.serving.saved_model import load

    images = np.random.default_rng(0).random((2, *shape, 1), np.float32)
    return float(np.max(np.abs(run(images) - load(folder).predict_images(images))))


def _onnx(model, folder: Path, image_size: int) -> tuple[Path, Run]:
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

    from tfrespam.serving.frozen import weight_bytes

    needed, free = ONNX_BYTES * weight_bytes(model), psutil.virtual_memory().available
    if needed > free:
        raise UserError(f"ONNX: converting this network takes about {needed / 2**30:.0f} GiB of memory; "
                        f"{free / 2**30:.0f} GiB are free. Use --format openvino, or a machine with more. "
                        "Nothing was published")  # fmt: skip


def _openvino(model, folder: Path, image_size: int) -> tuple[Path, Run]:
    import openvino

    path = folder / "model.xml"
    core = openvino.Core()  # openvino.convert_model would call its maker's telemetry
    openvino.save_model(core.read_model(str(folder)), str(path), compress_to_fp16=False)
    # some processors would calculate in bfloat16 without being asked
    compiled = core.compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return path, lambda images: compiled({"image": images})["probability"]


def _litert(model, folder: Path, image_size: int) -> tuple[Path, Run]:
    import keras
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    path = folder / "model.tflite"
    image = tf.TensorSpec([None, image_size, image_size, 1], tf.float32, name="image")
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", lambda image: _named(model(image, training=False)), [image])
    with tempfile.TemporaryDirectory() as temporary:  # without this way round the converter loses Keras' variables
        archive.write_out(temporary, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(temporary, signature_keys=["serving_default"])
        path.write_bytes(converter.convert())
    runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
    return path, lambda images: runner(image=images)["probability"]


def _named(output) -> dict:
    return {"probability": output["probability"] if isinstance(output, dict) else output}
