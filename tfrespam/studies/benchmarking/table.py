"""Tables of benchmark results, ratios first."""

import math
from collections.abc import Mapping
from typing import Any

from rich.table import Table

BASELINES = ("PyTorch eager", "torch.compile")


def ratio_to_torch(paths: Mapping[str, Mapping[str, float]], name: str) -> float:
    """Compute the speed relative to the faster of the PyTorch baselines; NaN without PyTorch."""
    baselines = [paths[baseline]["median"] for baseline in BASELINES if baseline in paths]
    return min(baselines) / paths[name]["median"] if baselines else math.nan


def speed_table(results: Mapping[str, Any]) -> Table:
    """Create a table of timed runtimes: ratio to PyTorch's best, milliseconds, images a second, share of sgemm rate."""
    model = results["model"]
    precision = f", {model['precision']}" if model.get("precision", "float32") != "float32" else ""
    table = Table(title=f"{model['name']}, width {model['width']:g}, {model['image_size']} px{precision}; "
                        f"{results['machine']}")  # fmt: skip
    for column in ("task", "runtime", "x PyTorch's best", "ms", "ms, quartiles", "images/s", "of sgemm"):
        table.add_column(column, justify="left" if column in ("task", "runtime") else "right")
    for task, case in results["speed"].items():
        paths = case["paths"]
        for name in sorted(paths, key=lambda name: paths[name]["median"]):
            time = paths[name]
            rate, share = case["pictures"] / time["median"], case["operations"] / time["median"] / results["sgemm_rate"]
            quartiles = f"{1e3 * time['low']:.1f}-{1e3 * time['high']:.1f}"
            table.add_row(task, name, _text(ratio_to_torch(paths, name), ".2f"), f"{1e3 * time['median']:.1f}",
                          quartiles, f"{rate:.1f}", f"{share:.0%}")  # fmt: skip
    return table


def other_table(results: Mapping[str, Any]) -> Table:
    """Create a table of all results that do not compare runtimes."""
    table = Table("name", "value", show_header=False)
    table.add_row("sgemm rate", f"{results['sgemm_rate'] / 1e9:.1f} GFLOP/s on {results['threads']} threads")
    table.add_row("memory bandwidth", f"{results['bandwidth'] / 1e9:.1f} GB/s")
    for name, value in results["other"].items():
        table.add_row(name, value if isinstance(value, str) else f"{value:.4g}")
    return table


def _text(value: float, form: str) -> str:
    return "-" if math.isnan(value) else format(value, form)
