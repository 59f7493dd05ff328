"""Count the training images that a run used, and compare the counts of two runs."""

import json
import math
from typing import Any

from tfrespam.config import LEAKING
from tfrespam.data.loading.protocols import PAPER_TRAINING_SHARE
from tfrespam.training.run_results import RunResults

TOLERANCE = 0.02  # largest relative difference of equal budgets


def images_seen(run: RunResults) -> float:
    """Return epochs x steps x batch size; an image that is used in ten epochs counts ten times.

    If summary.json lacks it, it is computed from the history and from the number of training examples in facts.json.
    NaN without that file.
    """
    if known := run.summary.get("images_seen"):
        return float(known)
    try:
        facts = json.loads((run.folder / "facts.json").read_text(encoding="utf-8"))
        batch = facts["training"]["batch_size"]
        return float(len(run.history) * (_examples(facts) // batch) * batch)
    except (OSError, ValueError, KeyError, TypeError, ZeroDivisionError):
        return math.nan


def _examples(facts: dict[str, Any]) -> int:
    if facts["data"]["protocol"] in LEAKING and facts["data"]["protocol"] != "all":  # copies are not in identities
        return int(PAPER_TRAINING_SHARE * facts["dataset"]["examples"])
    return len(facts["trained_on"]["copy"])


def equal(first: float, second: float) -> bool:
    """Return whether two numbers of images differ by at most `TOLERANCE` of the larger; False if one is unknown."""
    return abs(first - second) <= TOLERANCE * max(first, second)
