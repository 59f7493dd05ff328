"""Random augmentation of training images: `Augment`, its transforms, and `build` for a configuration."""

from tfrespam.config import AugmentConfig
from tfrespam.core.errors import UserError
from tfrespam.data.loading.augment.compose import Augment, own_transforms
from tfrespam.data.loading.augment.joint import JointAugment
from tfrespam.data.loading.augment.transform import Geometric, Intensity, Transform

__all__ = ["Augment", "Geometric", "Intensity", "JointAugment", "Transform", "build"]


def build(config: AugmentConfig) -> Augment | JointAugment:
    """Build the augmentation of a configuration.

    Raises:
        UserError: A user's own transform fails, or has the name of another one.
    """
    if config.draw == "joint":
        return JointAugment(config)
    settings = Augment.__init__.__kwdefaults__ or {}  # other settings are for recropping
    own = own_transforms(config)
    try:
        return Augment(*own, **{name: getattr(config, name) for name in settings})
    except ValueError as error:
        raise UserError(f"`augment`: {error}") from None
