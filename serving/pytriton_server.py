"""Serve an exported model by NVIDIA Triton, whose server comes in the wheel of `nvidia-pytriton`.

    python3 -m venv .venv-triton && .venv-triton/bin/pip install nvidia-pytriton 'tensorflow==2.21.*'
    .venv-triton/bin/python serving/pytriton_server.py saved_models/pretrained/2
    python -m tfrespam.predict crop.png --server kserve://localhost:8001 --output out

pytriton needs a separate environment, because it requires NumPy below 2. It contains parts of the standard library of
Python 3.11.2 and did not start under Python 3.11.7. The model `tfrespam` answers to `predict_bytes`, `tfrespam_film` to
`predict_film`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import tensorflow as tf
from pytriton.decorators import batch
from pytriton.exceptions import PyTritonUnrecoverableError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

OUTPUTS = [Tensor(name="mask_png_bytes", dtype=bytes, shape=(1,)),
           Tensor(name="probability_png_bytes", dtype=bytes, shape=(1,)),
           Tensor(name="tumour_fraction", dtype=np.float32, shape=(1,))]  # fmt: skip
CANDIDATES = Tensor(name="candidates", dtype=np.float32, shape=(-1, 6))  # of films, from version 0.1.0 on


def inference(signature):
    """Return a function on batches in pytriton's form from a signature of the SavedModel."""

    @batch
    def infer(image_bytes):
        answer = signature(image_bytes=tf.constant(image_bytes[:, 0].tolist(), tf.string))
        columns = {name: value.numpy() for name, value in answer.items()}
        return {name: _row(column) for name, column in columns.items()}

    return infer


def _row(column: np.ndarray) -> np.ndarray:
    """Return a column with an axis after that of the batch, of at least one value: pytriton sends no empty arrays."""
    if column.ndim == 1:
        return column[:, np.newaxis]
    return column if column.shape[1] else np.zeros((len(column), 1, *column.shape[2:]), column.dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("version", type=Path, help="folder of a version of an exported model")
    parser.add_argument("--name", default="tfrespam")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--grpc_port", type=int, default=8001)
    parser.add_argument("--http_port", type=int, default=8000)
    parser.add_argument("--metrics_port", type=int, default=8002)
    options = parser.parse_args()
    if not (options.version / "saved_model.pb").is_file():
        parser.error(f"expected a folder with saved_model.pb. Received: {options.version}")
    loaded = tf.saved_model.load(str(options.version))
    places = {f"{kind}_address": options.host for kind in ("grpc", "http", "metrics")}
    ports = {f"{kind}_port": getattr(options, f"{kind}_port") for kind in ("grpc", "http", "metrics")}
    with Triton(config=TritonConfig(**places, **ports)) as triton:
        for signature, suffix in (("predict_bytes", ""), ("predict_film", "_film")):
            if signature in loaded.signatures:
                graph = loaded.signatures[signature]
                listed = [CANDIDATES] if CANDIDATES.name in graph.structured_outputs else []
                triton.bind(options.name + suffix, inference(graph), outputs=OUTPUTS + listed,
                            inputs=[Tensor(name="image_bytes", dtype=bytes, shape=(1,))],
                            config=ModelConfig(max_batch_size=8), strict=True)  # fmt: skip
        triton.run()
        print("ready", flush=True)
        while triton.is_alive():
            time.sleep(1)
    raise PyTritonUnrecoverableError("Triton has ended")


if __name__ == "__main__":
    main()
