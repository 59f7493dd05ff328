"""Choose the candidate rule of an exported model from defaults, user settings and validation films."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from tfrespam.core.errors import UserError
from tfrespam.evaluation.candidates import FILM_RULE, CandidateRule
from tfrespam.evaluation.froc import OPERATING_RATE
from tfrespam.evaluation.platt_scaling import INTERCEPTS, SLOPES

LEAST_CANDIDATES = 50  # number on validation films required for Platt scaling of the scores
_ROUNDING = 1e-6  # of a scaled score in the graph; keeps the candidate at the operating point


def rule_of(view: str, chosen: Mapping[str, float] | None, film_level: float,
            temperature: float = 1.0) -> CandidateRule:  # fmt: skip
    """Return FILM_RULE for view "film", else a rule with threshold `film_level`; `chosen` overrides.

    FILM_RULE is adapted to probabilities that are scaled by `temperature`.
    """
    usual = FILM_RULE.at_temperature(temperature) if view == "film" else CandidateRule(film_level)
    return CandidateRule.of({**dataclasses.asdict(usual), **(chosen or {})})


def check_candidates(candidates: Mapping[str, float] | None) -> None:
    """Raise UserError unless `candidates` contains fields of `CandidateRule` within their ranges."""
    limits = {field.name: (0.0, 1.0) for field in dataclasses.fields(CandidateRule)}
    limits |= {"score_slope": SLOPES, "score_intercept": INTERCEPTS}
    wrong = {key: value for key, value in (candidates or {}).items()
             if key not in limits or not limits[key][0] <= value <= limits[key][1]}  # fmt: skip
    if wrong:
        raise UserError("`candidates` must hold numbers from 0 to 1 under threshold, least_score, least_area and join, "
                        f"from {SLOPES[0]:g} to {SLOPES[1]:g} under score_slope, and from {INTERCEPTS[0]:g} to "
                        f"{INTERCEPTS[1]:g} under score_intercept. Received: {wrong}")  # fmt: skip


def validated(rule: CandidateRule, detection: Mapping[str, Any]) -> CandidateRule:
    """Add operating point and, with `LEAST_CANDIDATES` or more, Platt scaling from the validation films to a rule.

    Args:
        rule: Parameters of the candidates.
        detection: "detection" of the summary of validation films, evaluated without operating point and scaling
            (`Evaluation`'s `recorded` False).

    Returns:
        `rule` with `least_score` at `OPERATING_RATE` false positives per film, as a scaled score.
    """
    score = detection["iou_0.1"]["sensitivity"][f"fp_{OPERATING_RATE:g}"]["score"]
    fitted = detection["reliability"]
    if fitted["slope"] is not None and detection["n_candidates"] >= LEAST_CANDIDATES:
        rule = dataclasses.replace(rule, score_slope=fitted["slope"], score_intercept=fitted["intercept"])
    if score is None:
        return rule
    if rule.scaling == (1, 0):
        return dataclasses.replace(rule, least_score=score)
    return dataclasses.replace(rule, least_score=max(float(rule.scaling.apply(score)) - _ROUNDING, 0.0))
