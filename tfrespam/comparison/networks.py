"""Parameter counts of networks, and the width that gives a wanted one; in a process of its own, which gives the memory
back.
"""

import dataclasses
import math
from collections.abc import Callable

from tfrespam import workers
from tfrespam.comparison.plan import Comparison
from tfrespam.errors import UserError

TOLERANCE = 0.02
_GOOD_ENOUGH = 0.002
_STEPS = 12


def parameters(comparison: Comparison) -> list[int]:
    """Parameters of each network of the comparison; raises UserError for a network that cannot be built."""
    with workers.pool(1) as pool:
        return [_answer(pool.submit(_count, *arguments), arguments[0]) for arguments in _arguments(comparison)]


def matched(comparison: Comparison) -> Comparison:
    """The comparison with every width set so that its network has `match_parameters` parameters, within 2 %."""
    target = comparison.match_parameters
    with workers.pool(1) as pool:
        widths = [_answer(pool.submit(_matching_width, *arguments, target), arguments[0])
                  for arguments in _arguments(comparison)]  # fmt: skip
    models = [dataclasses.replace(network, width=width)
              for network, width in zip(comparison.models, widths, strict=True)]  # fmt: skip
    return dataclasses.replace(comparison, models=models)


def matching_width(count: Callable[[float], int], target: int, width: float = 1.0) -> float:
    """The width at which `count(width)` is `target` within 2 %, by bisection from `width`; three significant digits.

    Raises:
        UserError: There is none: channel counts are whole, so small networks grow in steps.
    """
    tried: dict[float, int] = {}
    guess = float(f"{width:.3g}")
    while guess not in tried and len(tried) < _STEPS:
        tried[guess] = count(guess)
        if abs(tried[guess] / target - 1) <= _GOOD_ENOUGH:
            break
        guess = float(f"{_next_width(tried, target):.3g}")
    best = min(tried, key=lambda each: abs(tried[each] - target))
    if abs(tried[best] / target - 1) > TOLERANCE:
        raise UserError(f"no width gives {target} parameters within {TOLERANCE:.0%}. "
                        f"Closest found: {tried[best]} at width {best}")
    return best


def _next_width(tried: dict[float, int], target: int) -> float:
    """Inside the bracket once there is one: by a power law through its ends, every third time its middle."""
    low = max((width for width, count in tried.items() if count < target), default=None)
    high = min((width for width, count in tried.items() if count >= target), default=None)
    if low is None or high is None:  # most parameters grow with the square of the width
        width = high if low is None else low
        return width * (target / tried[width]) ** 0.5 * (0.9 if low is None else 1.1)
    if len(tried) % 3 == 0:
        return math.sqrt(low * high)
    power = math.log(tried[high] / tried[low]) / math.log(high / low)
    return low * (target / tried[low]) ** (1 / power)


def _arguments(comparison: Comparison) -> list[tuple]:
    base = comparison.base
    return [(network.name, base.data.image_size, {**base.model.options, **network.options},
             network.width or base.model.width) for network in comparison.models]  # fmt: skip


def _answer(future, name: str):
    try:
        return future.result()
    except (ValueError, UserError) as error:
        raise UserError(f"network {name!r}: {error}") from None


def _count(name: str, size: int, options: dict, width: float) -> int:
    """Runs in the worker."""
    from tfrespam import runtime

    runtime.load_tensorflow()
    import keras

    from tfrespam.models import build_model
    from tfrespam.models.blocks import without_sides

    with keras.StatelessScope(initialize_variables=False):  # shapes, no values
        count = without_sides(build_model(name, (size, size, 1), width, **options)).count_params()
    keras.backend.clear_session()
    return count


def _matching_width(name: str, size: int, options: dict, width: float, target: int) -> float:
    """Runs in the worker."""
    return matching_width(lambda each: _count(name, size, options, each), target, width)
