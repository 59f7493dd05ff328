"""Count parameters of networks and find widths for a given count, in a separate process that releases its memory."""

import dataclasses
import math
from collections.abc import Callable

from tfrespam.config import DataConfig
from tfrespam.core import runtime, workers
from tfrespam.core.errors import UserError
from tfrespam.data.loading.pairs import channels
from tfrespam.studies.comparison.plan import Comparison

TOLERANCE = 0.02
_GOOD_ENOUGH = 0.002
_STEPS = 12


def parameters(comparison: Comparison) -> list[int]:
    """Count the parameters of each network of the comparison. Raises UserError for a network that cannot be built."""
    with workers.pool(1) as pool:
        return [_answer(pool.submit(_count, *arguments), arguments[0]) for arguments in _arguments(comparison)]


def matched(comparison: Comparison) -> Comparison:
    """Return the comparison with widths for which all networks have `match_parameters` parameters, within 2 %."""
    target = comparison.match_parameters
    with workers.pool(1) as pool:
        widths = [_answer(pool.submit(_matching_width, *arguments, target), arguments[0])
                  for arguments in _arguments(comparison)]  # fmt: skip
    models = [dataclasses.replace(network, width=width)
              for network, width in zip(comparison.models, widths, strict=True)]  # fmt: skip
    return dataclasses.replace(comparison, models=models)


def matching_width(count: Callable[[float], int], target: int, width: float = 1.0) -> float:
    """Find the width at which `count(width)` is `target` within 2 %, by bisection from `width`; three digits.

    Raises:
        UserError: There is no such width: channel counts are integers, so that small networks grow in steps.
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
    """Return the next width: by a power law through the ends of the bracket, or every third time its middle."""
    low = max((width for width, count in tried.items() if count < target), default=None)
    high = min((width for width, count in tried.items() if count >= target), default=None)
    if low is None or high is None:  # the number of most parameters is quadratic in the width
        width = high if low is None else low
        return width * (target / tried[width]) ** 0.5 * (0.9 if low is None else 1.1)
    if len(tried) % 3 == 0:
        return math.sqrt(low * high)
    power = math.log(tried[high] / tried[low]) / math.log(high / low)
    return low * (target / tried[low]) ** (1 / power)


def _arguments(comparison: Comparison) -> list[tuple]:
    base = comparison.base
    return [(network.name, base.data, {**base.model.options, **network.options},
             network.width or base.model.width) for network in comparison.models]  # fmt: skip


def _answer(future, name: str):
    try:
        return future.result()
    except (ValueError, UserError) as error:
        raise UserError(f"network {name!r}: {error}") from None


def _count(name: str, data: DataConfig, options: dict, width: float) -> int:
    """Count the parameters of a network; runs in the worker process."""
    runtime.load_tensorflow()
    import keras

    from tfrespam.models import blocks, build_model

    shape = *data.image_shape, channels(data.second)
    with keras.StatelessScope(initialize_variables=False):  # shapes, no values
        count = blocks.without_sides(build_model(name, shape, width, **options)).count_params()
    keras.backend.clear_session()
    return count


def _matching_width(name: str, data: DataConfig, options: dict, width: float, target: int) -> float:
    """Find the matching width of a network; runs in the worker process."""
    return matching_width(lambda each: _count(name, data, options, each), target, width)
