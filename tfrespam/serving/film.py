"""A whole film through a network, inside the exported graph: the breast is found, covered with tiles, and put back."""

from collections.abc import Callable, Sequence

import tensorflow as tf

from tfrespam.serving import breast, tiles
from tfrespam.serving.resize import resize

# How a crop network scans: chosen on real films, see docs/films.md.
MASS_SHARES = 0.066, 0.1  # lengths of masses over the breast's longest side: CBIS-DDSM's median, and a large one
CROP_THRESHOLD = 0.9  # having been shown nothing but masses, such a network sees one nearly everywhere at 0.5


def tile_shares(view: str, context: float) -> tuple[float, ...]:
    """How a network that was trained on `view` ("roi" or "film", crops of `context`) scans a film, for `segment`.

    A crop network has learnt that a tile is `context` times as large as its mass.
    """
    return (1.0,) if view == "film" else tuple(min(round(context * share, 4), 1.0) for share in MASS_SHARES)


def film_threshold(view: str, threshold: float, temperature: float = 1.0) -> float:
    """Probability from which a pixel of a film belongs to a mass, where `threshold` is the network's own.

    `CROP_THRESHOLD` was found for probabilities as trained; divided by a `temperature` the same pixels have others.
    """
    odds = (CROP_THRESHOLD / (1 - CROP_THRESHOLD)) ** (1 / temperature)
    return threshold if view == "film" else max(threshold, odds / (1 + odds))


def segment(network: Callable[[tf.Tensor], tf.Tensor], film: tf.Tensor, side: int, tile_shares: Sequence[float],
            blank: bool) -> tf.Tensor:  # fmt: skip
    """Probability of every pixel of a film; 0 outside the breast.

    Args:
        network: (n, side, side, 1) to probabilities of the same shape.
        film: (H, W, 1) float32 in [0, 1], bright = dense.
        side: Of the network's input, in pixels.
        tile_shares: For each scan, the side of a tile over the longest side of the breast; a share of 1 shows the
            network the whole breast at once. The mean over the scans counts.
        blank: Whether all that is no breast is made black first, as in `prepare --view film`.

    Returns:
        (H, W, 1) float32 in [0, 1].
    """
    size = tf.shape(film)[:2]
    cells = breast.region(film)
    inside = breast.pixels(cells, size)
    square = _square_around(breast.box(cells, size))
    picture, interest = _cut(film * inside if blank else film, square), _cut(inside, square)
    finest = max(tiles.length(share, side) for share in tile_shares)
    scans = [_scan(network, picture, interest, side, share, finest) for share in tile_shares]
    probability = tf.add_n(scans) / len(scans)
    return _put_back(_resized(probability, square[2]), square, size) * inside


def _scan(network, picture, interest, side, share, finest):
    length = tiles.length(share, side)
    probability = tiles.blend(network, _resized(picture, length), _resized(interest, length), side)
    return _resized(probability, finest)


def _resized(picture, length):
    return resize(picture[tf.newaxis], tf.stack([length, length]))[0]


def _square_around(box):
    """Top, left and side of the smallest square around `box`, on its centre (as data.crop.square_around)."""
    y0, x0, y1, x1 = tf.unstack(box)
    side = tf.maximum(y1 - y0, x1 - x0)
    return (y0 + y1 - side) // 2, (x0 + x1 - side) // 2, side


def _cut(film, square):
    """(S, S, 1): what lies inside the square; black where that reaches beyond the film."""
    top, left, side = square
    (y0, y1), (x0, x1) = _overlap(top, side, tf.shape(film)[0]), _overlap(left, side, tf.shape(film)[1])
    margins = [[y0 - top, top + side - y1], [x0 - left, left + side - x1], [0, 0]]
    return tf.pad(film[y0:y1, x0:x1], margins)


def _put_back(picture, square, size):
    """Undoes `_cut`: (H, W, 1), 0 outside the square."""
    top, left, side = square
    (y0, y1), (x0, x1) = _overlap(top, side, size[0]), _overlap(left, side, size[1])
    margins = [[y0, size[0] - y1], [x0, size[1] - x1], [0, 0]]
    return tf.pad(picture[y0 - top : y1 - top, x0 - left : x1 - left], margins)


def _overlap(start, side, length):
    return tf.maximum(start, 0), tf.minimum(start + side, length)
