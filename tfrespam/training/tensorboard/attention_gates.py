"""Record and plot the attention gates of a network for given images."""

import contextlib
from collections.abc import Iterator, Sequence

import cv2
import keras
import numpy as np

from tfrespam.layers.channel_gate import ChannelGate
from tfrespam.layers.spatial_gate import SpatialGate


def gated_layers(model: keras.Model) -> dict[str, list[keras.layers.Layer]]:
    """Return the gates by the name of the model's layer that contains them; of a ResPAM stage, the last attention's."""
    by_layer = {}
    for layer in model.layers:
        gates = [part for part in layer._flatten_layers() if isinstance(part, (ChannelGate, SpatialGate))]
        last = {type(gate): gate for gate in gates}
        if last:
            by_layer[layer.name] = [last[kind] for kind in (ChannelGate, SpatialGate) if kind in last]
    return by_layer


@contextlib.contextmanager
def recorded(gates: Sequence[keras.layers.Layer]) -> Iterator[dict[int, np.ndarray]]:
    """Record each gate's output of eager calls inside the block, in a dict with the gate's `id` as key."""
    outputs: dict[int, np.ndarray] = {}

    def recording(gate, call):
        def wrapped(inputs):
            result = call(inputs)
            outputs[id(gate)] = keras.ops.convert_to_numpy(keras.ops.cast(result, "float32"))
            return result

        return wrapped

    calls = [gate.call for gate in gates]
    for gate, call in zip(gates, calls, strict=True):
        gate.call = recording(gate, call)
    try:
        yield outputs
    finally:
        for gate, call in zip(gates, calls, strict=True):
            gate.call = call


def figure(images: np.ndarray, titles: Sequence[str], channel: np.ndarray | None,
           spatial: np.ndarray | None) -> np.ndarray:  # fmt: skip
    """Plot the channel gate as bars (mean over the examples, range as a line) and the spatial gate as heat maps.

    Args:
        images: (N, H, W, 1) in [0, 1].
        titles: (N,) names of the examples.
        channel: (N, 1, 1, C) in (0, 1), or None.
        spatial: (N, h, w, 1) in (0, 1), or None.

    Returns:
        An RGB image, uint8.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    maps = len(images) if spatial is not None else 0
    plot = Figure(figsize=(4.2, 3.2 if maps else 1.6), dpi=100, layout="constrained")
    upper, *lower = plot.subfigures(1 + bool(maps), 1, squeeze=False)[:, 0]
    _bars(upper.subplots(), channel)
    axes = lower[0].subplots(1, maps, squeeze=False)[0] if maps else ()
    for axis, image, title, gate in zip(axes, images, titles, spatial if maps else (), strict=False):
        axis.imshow(image[..., 0], cmap="gray")
        enlarged = cv2.resize(gate[..., 0], image.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        shown = axis.imshow(enlarged, cmap="viridis", alpha=0.6, vmin=0, vmax=1)
        axis.set_title(f"{title}, {gate.min():.2f}–{gate.max():.2f}", fontsize=8)
        axis.set_axis_off()
    if maps:
        lower[0].colorbar(shown, ax=list(axes), shrink=0.8).ax.tick_params(labelsize=6)
    canvas = FigureCanvasAgg(plot)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _bars(axis, channel: np.ndarray | None) -> None:
    axis.tick_params(labelsize=6)
    axis.set_xlabel("channel", fontsize=7)
    axis.set(ylim=(0, 1))
    axis.set_title("channel gate: mean and range over examples; below: spatial gate", fontsize=8)
    if channel is None:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center")
        return
    values = channel[:, 0, 0]
    positions = np.arange(values.shape[1])
    axis.bar(positions, values.mean(axis=0), width=1.0, color="#4477aa")
    if len(positions) <= 512:  # more lines would be indistinguishable
        axis.vlines(positions, values.min(axis=0), values.max(axis=0), color="black", lw=0.5)
