"""Data sets: `load` a prepared one, split it, and batch its examples with `Augment`.

`Geometric` and `Intensity` are the base classes of transforms of your own. All is imported when it is first used.
"""

from typing import TYPE_CHECKING

from tfrespam.core import lazy

if TYPE_CHECKING:
    from tfrespam.data.loading.augment import Augment, Geometric, Intensity
    from tfrespam.data.loading.examples import Examples
    from tfrespam.data.loading.load import PreparedData, load

__all__ = ["Augment", "Examples", "Geometric", "Intensity", "PreparedData", "load"]

__getattr__, __dir__ = lazy.attach(__name__, {
    "Augment": "tfrespam.data.loading.augment",
    "Examples": "tfrespam.data.loading.examples",
    "Geometric": "tfrespam.data.loading.augment",
    "Intensity": "tfrespam.data.loading.augment",
    "PreparedData": "tfrespam.data.loading.load",
    "load": "tfrespam.data.loading.load",
})  # fmt: skip
