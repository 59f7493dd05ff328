"""Segment a whole film in the exported graph: find the breast, apply the network to tiles of it, and blend them."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfrespam.data.geometry import graph_breast as breast
from tfrespam.data.geometry.crop import Size, sides
from tfrespam.data.geometry.graph_resize import frame, shared_resize
from tfrespam.serving.graph import tiles

# Scan of crop networks, chosen on real films: see docs/explanation/films.md.
MASS_SHARES = 0.066, 0.1  # length of a mass over the longest side of the breast: median of CBIS-DDSM, and a large one
CROP_THRESHOLD = 0.9  # trained only on masses, crop networks predict one nearly everywhere at 0.5


def tile_shares(view: str, context: float) -> tuple[float, ...]:
    """Return the tile sizes with which a network trained on `view` ("roi" or "film") scans a film, for `segment`.

    A crop network expects tiles `context` times as large as the mass.
    """
    return (1.0,) if view == "film" else tuple(min(round(context * share, 4), 1.0) for share in MASS_SHARES)


def film_threshold(view: str, threshold: float, temperature: float = 1.0) -> float:
    """Return the threshold for whole films of a network with the given `threshold`.

    `CROP_THRESHOLD` applies to uncalibrated probabilities; it is converted by the calibration's `temperature`.
    """
    odds = (CROP_THRESHOLD / (1 - CROP_THRESHOLD)) ** (1 / temperature)
    return threshold if view == "film" else max(threshold, odds / (1 + odds))


def segment(network: Callable[[tf.Tensor], tf.Tensor], film: tf.Tensor, input_size: Size,
            tile_shares: Sequence[float], blank: bool) -> tf.Tensor:  # fmt: skip
    """Compute the probability of every pixel of a film; 0 outside the breast.

    Args:
        network: Maps images (n, height, width, 1) to probabilities of the same shape.
        film: (H, W, 1) float32 in [0, 1], bright = dense.
        input_size: Size of the network's input: side of a square, or height and width, in pixels.
        tile_shares: (1.0,) applies the network once to the whole breast, in a frame of the input's proportions.
            Otherwise (square inputs only) there is one scan for each share, the side of a tile over the longest side
            of the breast, and the result is the mean of the scans.
        blank: Whether everything outside the breast is set to black first, as in `prepare --view film`.

    Returns:
        (H, W, 1) float32 in [0, 1].
    """
    size = tf.shape(film)[:2]
    cells = breast.region(film)
    inside = breast.pixels(cells, size)
    place = _frame_around(breast.box(cells, size), input_size)
    image = _cut(film * inside if blank else film, place)
    if tuple(tile_shares) == (1.0,):
        probability = network(shared_resize(image[tf.newaxis], tf.constant(sides(input_size))))[0]
    else:
        probability = _scans(network, image, _cut(inside, place), input_size, tile_shares)
    return _put_back(shared_resize(probability[tf.newaxis], place[1])[0], place, size) * inside


def _scans(network, image, interest, side, shares):
    """Average scans with tiles of several sizes, at the resolution of the finest."""
    finest = max(tiles.length(share, side) for share in shares)
    scans = [_squared(_scan(network, image, interest, side, share), finest) for share in shares]
    return tf.add_n(scans) / len(scans)


def _scan(network, image, interest, side, share):
    length = tiles.length(share, side)
    return tiles.blend(network, _squared(image, length), _squared(interest, length), side)


def _squared(image, length):
    return shared_resize(image[tf.newaxis], tf.stack([length, length]))[0]


def _frame_around(box, input_size):
    """Return corner and size, (2,) each, of the smallest frame centred on `box`, as `crop.frame_around` does."""
    start, end = box[:2], box[2:]
    size = frame(end - start, input_size)
    return (start + end - size) // 2, size


def _cut(film, place):
    """Crop to the frame, (h, w, 1); black where it extends beyond the film."""
    (y0, y1, top, bottom), (x0, x1, left, right) = _overlaps(place, tf.shape(film)[:2])
    return tf.pad(film[y0:y1, x0:x1], [[top, bottom], [left, right], [0, 0]])


def _put_back(image, place, size):
    """Invert `_cut`: (H, W, 1), 0 outside the frame."""
    (y0, y1, top, _), (x0, x1, left, _) = _overlaps(place, size)
    inner = image[top : top + y1 - y0, left : left + x1 - x0]
    return tf.pad(inner, [[y0, size[0] - y1], [x0, size[1] - x1], [0, 0]])


def _overlaps(place, size):
    """Yield for each axis the overlap of frame and film, and how far the frame extends beyond it before and after."""
    corner, length = place
    for axis in (0, 1):
        first, last = _overlap(corner[axis], length[axis], size[axis])
        yield first, last, first - corner[axis], corner[axis] + length[axis] - last


def _overlap(start, side, length):
    return tf.maximum(start, 0), tf.minimum(start + side, length)
