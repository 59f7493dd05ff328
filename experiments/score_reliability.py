"""Reliability of the scores of candidates, from the rows of finished evaluations on whole films.

    python experiments/score_reliability.py experiments/results/films/fold0 experiments/results/films/fold1 \\
        --output experiments/results/films

For each folder with candidates.csv and summary.json: how often a candidate with a score is a mass, before and after a
Platt scaling that was fitted to the candidates of the other folders. Writes reliability.csv and reliability.png.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from tfrespam.core.files import by_relative_path, read_csv, whole_file, write_csv
from tfrespam.evaluation.candidate_reliability import score_counts, scores_and_hits
from tfrespam.evaluation.platt_scaling import EPSILON, PlattScaling


def log_loss(scores: np.ndarray, hits: np.ndarray) -> float:
    """Mean negative log likelihood, natural logarithm."""
    inside = np.clip(scores, EPSILON, 1 - EPSILON)
    return float(-np.mean(np.where(hits, np.log(inside), np.log(1 - inside))))


def by_chance(scores: np.ndarray, draws: int = 2000) -> np.ndarray:
    """2.5 and 97.5 % quantile of the expected calibration error if `scores` were the probabilities of a hit."""
    rng = np.random.default_rng(0)
    errors = [score_counts(scores, rng.random(len(scores)) < scores).expected_calibration_error() for _ in range(draws)]
    return np.quantile(errors, [0.025, 0.975])


def judged(folders: list[Path]) -> dict[str, tuple[PlattScaling, dict[str, tuple[np.ndarray, np.ndarray]]]]:
    """By folder: the scaling fitted to the others, and scores and hits before and after it."""
    known = {name: scores_and_hits(read_csv(folder / "candidates.csv"))
             for name, folder in by_relative_path(folders).items()}  # fmt: skip
    found = {}
    for name, (scores, hits) in known.items():
        others = [pair for other, pair in known.items() if other != name]
        scaling = PlattScaling.fit(*(np.concatenate(column) for column in zip(*others, strict=True)))
        found[name] = scaling, {"as trained": (scores, hits), "scaled": (scaling.apply(scores), hits)}
    return found


def draw(found: dict, path: Path) -> None:
    """Draw a reliability diagram a folder."""
    figure = Figure(figsize=(4 * len(found), 3.8), layout="constrained")
    for axis, (name, (_, versions)) in zip(np.atleast_1d(figure.subplots(1, len(found))), found.items(), strict=True):
        axis.plot([0, 1], [0, 1], ":", color="0.5", lw=1)
        for (label, pair), colour in zip(versions.items(), ("#c46a1b", "#3b7dc4"), strict=True):
            counts = score_counts(*pair)
            mean, frequency, _ = counts.reliability()
            axis.plot(mean, frequency, "o-", color=colour, ms=4,
                      label=f"{label}: error {counts.expected_calibration_error():.3f}")  # fmt: skip
        axis.set(title=name, xlabel="score", ylabel="share of candidates that are masses", xlim=(0, 1), ylim=(0, 1))
        axis.grid(alpha=0.3)
        axis.legend(loc="upper left", fontsize=8)
    with whole_file(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="at least two different ones")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    if len(by_relative_path(asked.folders)) < 2:
        parser.error("a scaling needs other folders to be fitted to: name at least two")
    found = judged(asked.folders)
    rows = []
    for name, (scaling, versions) in found.items():
        for version, pair in versions.items():
            counts = score_counts(*pair)
            print(f"{name}, {version}: {len(pair[0])} candidates, {int(pair[1].sum())} masses, expected calibration "
                  f"error {counts.expected_calibration_error():.3f}, log loss {log_loss(*pair):.3f}")  # fmt: skip
            rows += [{"folder": name, "scores": version, "from": row["from"], "to": row["to"],
                      "candidates": row["pixels"], "masses": row["mass"], "score_sum": row["probability_sum"]}
                     for row in counts.rows()]  # fmt: skip
        low, high = by_chance(versions["scaled"][0])
        print(f"{name}, fitted to the others: slope {scaling.slope:.3f}, intercept {scaling.intercept:.3f}; error of "
              f"perfect scores by chance {low:.3f} to {high:.3f}")  # fmt: skip
    write_csv(asked.output / "reliability.csv", rows)
    draw(found, asked.output / "reliability.png")


if __name__ == "__main__":
    main()
