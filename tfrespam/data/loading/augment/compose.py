"""Compose `Augment` from transforms with independent random numbers."""

import collections

import tensorflow as tf

from tfrespam.config import AugmentConfig
from tfrespam.core import own_parts
from tfrespam.core.errors import UserError
from tfrespam.data.loading.augment import random_numbers
from tfrespam.data.loading.augment.geometry import Flip, QuarterTurn, Rotation, Shift, Zoom
from tfrespam.data.loading.augment.intensity import Contrast, Gamma, Noise
from tfrespam.data.loading.augment.resampling import bounded, compose, filled, move
from tfrespam.data.loading.augment.transform import Geometric, Intensity, Transform


class Augment:
    """Random changes of images and masks, the same for the same seed on every machine.

    Each transform has a separate stream of random numbers, by seed and name, so that adding or removing one does not
    change the numbers of others. Geometric transforms are composed to one matrix and applied by one bilinear
    resampling, reflected at the edge; grey values are changed after that. Images may be rectangular.

    Args:
        *transforms: Your own transforms (`Geometric` or `Intensity`), applied after the built-in ones of their kind.
        rotation_degrees: Rotation, uniform within plus and minus this angle.
        flips: Mirror left-right and top-bottom, each with probability one half.
        quarter_turns: Turn by a random multiple of 90 degrees, of 180 where height and width differ.
        scale: Zoom, log-uniform within 1/(1+scale) and 1+scale.
        shift: Translation, uniform within plus and minus this share of height and width.
        gamma: Exponent of the grey values, log-uniform within 1/(1+gamma) and 1+gamma.
        contrast: Factor on the grey values about their mean, uniform within 1 plus and minus this share.
        noise: Standard deviation of added normal noise, in grey values of [0, 1].

    Call arguments:
        images: (N, H, W, C) float32 in [0, 1].
        masks: (N, H, W, 1) of 0 and 1, any type; they come back as float32.
        seed: An integer s, which stands for the pairs (s, 0) to (s, N - 1), or (N, 2) integers, a pair an image.

    Raises:
        ValueError: A setting is out of range, or two transforms have one name.
        TypeError: A transform is neither `Geometric` nor `Intensity`.

    Examples:
        >>> augment = Augment(rotation_degrees=10, flips=True)
        >>> images, masks = augment(tf.zeros([2, 32, 16, 1]), tf.zeros([2, 32, 16, 1]), seed=3)
        >>> images.shape
        TensorShape([2, 32, 16, 1])
    """

    def __init__(self, *transforms: Transform, rotation_degrees: float = 0.0, flips: bool = False,
                 quarter_turns: bool = False, scale: float = 0.0, shift: float = 0.0, gamma: float = 0.0,
                 contrast: float = 0.0, noise: float = 0.0):  # fmt: skip
        _check(rotation_degrees=(rotation_degrees, 180), scale=(scale, None), shift=(shift, 1), gamma=(gamma, None),
               contrast=(contrast, 1), noise=(noise, None))  # fmt: skip
        built_in = [
            Rotation(rotation_degrees) if rotation_degrees else None,
            QuarterTurn() if quarter_turns else None,
            Zoom(scale) if scale else None,
            Flip() if flips else None,
            Shift(shift) if shift else None,
            Gamma(gamma) if gamma else None,
            Contrast(contrast) if contrast else None,
            Noise(noise) if noise else None,
        ]
        self.transforms = (*filter(None, built_in), *transforms)
        self.geometric = [each for each in self.transforms if isinstance(each, Geometric)]
        self.intensity = [each for each in self.transforms if isinstance(each, Intensity)]
        _check_transforms(self.transforms)

    def __call__(self, images, masks, seed=0) -> tuple[tf.Tensor, tf.Tensor]:
        """Change images and masks with the random numbers of `seed`."""
        images = tf.cast(images, tf.float32)
        seeds = tf.cast(seed, tf.int64)
        if seeds.shape.rank == 0:
            numbers = tf.range(tf.shape(images, tf.int64)[0])
            seeds = tf.stack([tf.fill(tf.shape(numbers), seeds), numbers], 1)
        return self.apply(self.draw(seeds), images, tf.convert_to_tensor(masks))

    def draw(self, seeds: tf.Tensor) -> dict[str, tf.Tensor]:
        """Draw the numbers of every transform, by its name, for (N, 2) integer seeds."""
        if not self.transforms:
            return {}
        numbers = random_numbers.uniform(seeds, {each.name: each.count for each in self.transforms})
        return {each.name: each.draw(numbers[each.name]) for each in self.transforms}

    def apply(self, drawn: dict[str, tf.Tensor], images: tf.Tensor, masks: tf.Tensor, *,
              geometry: bool = True) -> tuple[tf.Tensor, tf.Tensor]:  # fmt: skip
        """Apply the numbers of `draw`; with `geometry` False, only grey values change."""
        there = filled(images)
        if geometry and self.geometric:
            height, width = (tf.cast(side, tf.float32) for side in tf.unstack(tf.shape(images)[1:3]))
            matrices = [each.matrix(drawn[each.name], height, width) for each in self.geometric]
            images, masks = move(images, masks, compose(matrices, height, width))
        for each in self.intensity:
            images = each.apply(drawn[each.name], images)
        return bounded(images, there), tf.cast(masks, tf.float32)


def own_transforms(config: AugmentConfig) -> list[Transform]:
    """Create the transforms of `config.extra`, each without arguments. Raises UserError."""
    made = [own_parts.call(name, "`augment.extra`") for name in config.extra]
    for name, each in zip(config.extra, made, strict=True):
        if not isinstance(each, Geometric | Intensity):
            raise UserError(f"`augment.extra` must name subclasses of Geometric or Intensity of tfrespam.data.loading."
                            f"augment. Received: {name}, which gives {type(each).__name__}")
        if config.recrop and isinstance(each, Geometric):
            raise UserError("`augment.recrop` must be 0 with your own geometric transform, because recropping uses "
                            f"only the built-in ones. Received: {name}")  # fmt: skip
    return made


def _check(**settings: tuple[float, float | None]) -> None:
    for name, (value, most) in settings.items():
        if not value >= 0 or (most is not None and value > most):
            upper = "or more" if most is None else f"to {most}"
            raise ValueError(f"Argument `{name}` must be a number from 0 {upper}. Received: {name}={value}")


def _check_transforms(transforms: tuple[Transform, ...]) -> None:
    for each in transforms:
        if not isinstance(each, Geometric | Intensity):
            raise TypeError(f"Transforms must be instances of Geometric or Intensity. Received: {each!r}")
    counts = collections.Counter(each.name for each in transforms)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise ValueError("Transforms must have different names, because a name chooses the stream of random numbers. "
                         f"Received twice: {', '.join(twice)}")  # fmt: skip
