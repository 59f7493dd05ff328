"""What each convolution of a network costs alone, with its two gradients, and what other ways to the same numbers cost.

    python experiments/convolutions.py --width 0.25 --image_size 128

Shows whether a training step could be faster on a processor without another library than oneDNN. The other ways are:
by inputs, a convolution by the turned kernel; by kernels, a matrix product for each of the kernel's places; for kernels
of 1 x 1 a single matrix product. A row is one shape with the milliseconds of each way, medians of --rounds calls.
"""

import argparse
import functools
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from tfrespam.core import runtime

runtime.start()

import tensorflow as tf  # noqa: E402

from tfrespam import build_model  # noqa: E402
from tfrespam.core.files import write_csv  # noqa: E402
from tfrespam.studies.benchmarking import timing  # noqa: E402


class Shape(NamedTuple):
    height: int
    width: int
    channels: int
    filters: int
    kernel: int
    stride: int
    dilation: int


def shapes(model, batch_size: int) -> Counter[Shape]:
    """How often each kind of convolution is in the network."""
    spec = tf.TensorSpec((batch_size, *model.input_shape[1:]))
    graph = tf.function(functools.partial(model, training=False)).get_concrete_function(spec).graph
    found = Counter()
    for node in graph.get_operations():
        if node.type == "Conv2D":
            features, kernel = (tensor.shape for tensor in node.inputs)
            found[Shape(*features[1:], kernel[3], kernel[0], node.get_attr("strides")[1],
                        node.get_attr("dilations")[1])] += 1  # fmt: skip
    return found


def ways(shape: Shape, batch_size: int) -> dict[str, Callable]:
    """Calls that compute the convolution ("forward") and its gradients, each gradient in several ways."""
    height, width, channels, filters, side, stride, dilation = shape
    features = tf.random.stateless_normal((batch_size, height, width, channels), (0, 0))
    kernel = tf.random.stateless_normal((side, side, channels, filters), (0, 1))
    gradient = tf.random.stateless_normal((batch_size, -(-height // stride), -(-width // stride), filters), (0, 2))
    options = {"strides": [1, stride, stride, 1], "dilations": [1, dilation, dilation, 1], "padding": "SAME"}
    flat, flat_gradient = tf.reshape(features, (-1, channels)), tf.reshape(gradient, (-1, filters))
    margin = side // 2

    def by_places():
        padded = tf.pad(features, [[0, 0], [margin, margin], [margin, margin], [0, 0]])
        views = [padded[:, y : y + height, x : x + width] for y in range(side) for x in range(side)]
        return tf.stack([tf.matmul(tf.reshape(view, (-1, channels)), flat_gradient, transpose_a=True)
                         for view in views])  # fmt: skip

    found = {
        "forward": lambda: tf.nn.conv2d(features, kernel, **options),
        "inputs": lambda: tf.raw_ops.Conv2DBackpropInput(input_sizes=features.shape, filter=kernel,
                                                         out_backprop=gradient, **options),
        "kernels": lambda: tf.raw_ops.Conv2DBackpropFilter(input=features, filter_sizes=kernel.shape,
                                                           out_backprop=gradient, **options),
    }  # fmt: skip
    if stride == dilation == 1 and side == 1:
        found["inputs, product"] = lambda: tf.matmul(flat_gradient, kernel[0, 0], transpose_b=True)
        found["kernels, product"] = lambda: tf.matmul(flat, flat_gradient, transpose_a=True)
    elif stride == dilation == 1:
        turned = tf.transpose(kernel[::-1, ::-1], (0, 1, 3, 2))
        found["inputs, turned kernel"] = lambda: tf.nn.conv2d(gradient, turned, 1, "SAME")
        found["kernels, places"] = by_places
    return {name: tf.function(call) for name, call in found.items()}


def measure(found: Counter[Shape], batch_size: int, rounds: int) -> list[dict]:
    rows = []
    for shape, count in found.items():
        times = timing.alternate(ways(shape, batch_size), rounds)
        rows.append({"count": count, **shape._asdict(), **{name: 1e3 * time["median"] for name, time in times.items()}})
    return rows


def summary(rows: list[dict]) -> str:
    """Milliseconds of all convolutions of a step: as TensorFlow does them, and by the fastest way for each shape."""
    lines = []
    for part in ("forward", "inputs", "kernels"):
        usual = sum(row["count"] * row[part] for row in rows)
        best = sum(row["count"] * min(ms for name, ms in row.items() if name.split(",")[0] == part) for row in rows)
        lines.append(f"{part}: {usual:.1f} ms, by the fastest ways {best:.1f} ms")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="respam_unet")
    parser.add_argument("--width", type=float, default=0.25)
    parser.add_argument("--image_size", type=int, default=128)
    parser.add_argument("--batch_size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--output", default="experiments/results/benchmarks/convolutions.csv")
    options = parser.parse_args()
    model = build_model(options.model, (options.image_size, options.image_size, 1), width=options.width)
    rows = measure(shapes(model, options.batch_size), options.batch_size, options.rounds)
    rounded = [{name: round(value, 3) for name, value in row.items()} for row in rows]
    write_csv(options.output, rounded, list(dict.fromkeys(name for row in rows for name in row)))
    print(summary(rows))


if __name__ == "__main__":
    main()
