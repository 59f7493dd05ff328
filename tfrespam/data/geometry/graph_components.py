"""Label the connected components of a mask inside the exported graph, for whole films.

A film at 50 um has 14 million pixels, of which the mask is a few per cent, so the algorithm uses a list of the mask's
pixels. Each pixel points to the first known pixel of its component; in each round adjacent components point to the
earlier of the two, and pointers are followed (Shiloach and Vishkin 1982, doi 10.1016/0196-6774(82)90008-6). About
twelve rounds are needed.
"""

import tensorflow as tf

_BEHIND = ((0, 1), (1, -1), (1, 0), (1, 1))  # one of each pair of opposite neighbours; corners count


def components(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the pixels of `mask` and the component of each.

    Args:
        mask: (H, W) bool.

    Returns:
        Rows and columns (N, 2) int32 of the true pixels, row by row; and (N,) int32, equal for pixels of one component:
        the position of its first pixel in that list.
    """
    pixels = tf.cast(tf.where(mask), tf.int32)
    neighbours = _neighbours(mask, pixels)

    def join(first, _):
        theirs = [tf.gather(first, each) for each in neighbours]
        least = tf.reduce_min(tf.stack([first, *theirs]), axis=0)
        joined = tf.tensor_scatter_nd_min(first, first[:, tf.newaxis], least)
        for each in theirs:
            joined = tf.tensor_scatter_nd_min(joined, each[:, tf.newaxis], least)
        joined = tf.gather(joined, tf.gather(joined, joined))
        return joined, tf.reduce_any(joined != first)

    own = tf.range(tf.shape(pixels)[0])
    shapes = tf.TensorShape([None]), tf.TensorShape([])
    first, _ = tf.while_loop(lambda _, changed: changed, join, (own, tf.constant(True)), shapes, parallel_iterations=1)
    return pixels, first


def dilate(mask: tf.Tensor, gap: tf.Tensor) -> tf.Tensor:
    """Dilate `mask` (H, W) bool by OpenCV's ellipse of `gap` pixels (or the next odd number), row by row of it."""
    reach = gap // 2
    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1, exclusive=True)
    counts = tf.concat([counts, counts[:, -1:] + tf.cast(mask[:, -1:], tf.int32)], axis=1)  # (H, W + 1)
    height, width = tf.shape(mask)[0], tf.shape(mask)[1]
    columns, rows = tf.range(width), tf.range(height)

    def add(down, wide):
        across = _across(down, reach)
        ends = tf.minimum(columns + across + 1, width), tf.maximum(columns - across, 0)
        here = (tf.gather(counts, ends[0], axis=1) - tf.gather(counts, ends[1], axis=1)) > 0
        from_row = rows - down
        valid = tf.logical_and(from_row >= 0, from_row < height)
        moved = tf.gather(here, tf.clip_by_value(from_row, 0, height - 1))
        return down + 1, tf.logical_or(wide, tf.logical_and(moved, valid[:, tf.newaxis]))

    _, wide = tf.while_loop(lambda down, _: down <= reach, add, (-reach, mask), parallel_iterations=1)
    return wide


def _across(down: tf.Tensor, reach: tf.Tensor) -> tf.Tensor:
    """Compute the half-width of OpenCV's elliptic structuring element in its row `down`, counted from the centre."""
    squared = tf.cast(reach * reach - down * down, tf.float64) / tf.cast(tf.maximum(reach * reach, 1), tf.float64)
    return tf.cast(tf.round(tf.cast(reach, tf.float64) * tf.sqrt(squared)), tf.int32)


def _neighbours(mask: tf.Tensor, pixels: tf.Tensor) -> list[tf.Tensor]:
    """Return, for each direction, each pixel's neighbour as a position (N,) in the list, or itself if there is none."""
    own = tf.range(tf.shape(pixels)[0])
    size = tf.shape(mask) + [1, 2]  # a border below and at both sides, so that no neighbour lies outside
    places = tf.tensor_scatter_nd_update(tf.fill(size, -1), pixels + [0, 1], own)
    found = [tf.gather_nd(places, pixels + [down, right + 1]) for down, right in _BEHIND]
    return [tf.where(each < 0, own, each) for each in found]
