"""Which trainings a comparison consists of."""

import collections
import dataclasses
import itertools
import re
from typing import Any, Literal

from tfrespam.comparison.published import LABELS
from tfrespam.config import Experiment, check
from tfrespam.errors import UserError

Protocol = Literal["paper", "folds", "official"]
# Of the base's training, what each system's own recipe keeps: the budget and how the machine is used. Everything else
# goes back to its default, so that no system is given another one's schedule or averaging.
KEPT_BY_OWN = ("epochs", "select", "precision", "jit", "deterministic", "steps_per_execution", "tensorboard_images")


@dataclasses.dataclass
class OwnRecipe:
    """A system's published recipe.

    Args:
        training: Settings of `training` (optimizer, loss, schedule, batch) that its publication states.
        options: Builder options that its publication states, such as side outputs, over those of the network.
        augment: Settings of `augment` that its publication states.
        departures: What the publication does otherwise than this recipe, one sentence each.
    """

    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    augment: dict[str, Any] = dataclasses.field(default_factory=dict)
    departures: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Network:
    """One network of a comparison.

    Args:
        name: A name of `tfrespam.build_model`.
        label: How tables call it (default: as the paper does). Needed where a network takes part more than once.
        width: Factor on every channel count (default: the base's).
        options: Builder options, added to the base's.
        training: Settings of `training` in the part "controlled" other than the base's, for instance {ema: 0}: what a
            switch is worth. "own" has its settings under `own`.
        own: Its recipe in the part "own".
        seeds: Seeds (default: the comparison's).
        folds: Folds held out under the protocol "folds" (default: the comparison's).
    """

    name: str
    label: str = ""
    width: float | None = None
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    own: OwnRecipe = dataclasses.field(default_factory=OwnRecipe)
    seeds: list[int] | None = None
    folds: list[int] | None = None

    @property
    def title(self) -> str:
        return self.label or LABELS.get(self.name, self.name)

    @property
    def key(self) -> str:
        """Part of folder names."""
        return re.sub(r"[^a-z0-9]+", "_", self.label.lower()).strip("_") if self.label else self.name


@dataclasses.dataclass
class Comparison:
    """A comparison.

    Args:
        name: Name of the result folder.
        base: The experiment that all trainings share, as `python -m tfrespam.train` reads it. Runs are kept under
            its name, so comparisons with equal bases share their trainings.
        models: The networks.
        recipes: "controlled" (the base's recipe for all) and "own" (each system's published one, same budget).
        protocols: "paper", "folds" and "official".
        per_protocol: Settings that hold under one protocol only, for instance
            {paper: {training: {epochs: 3}}} for as many steps on 13 copies as in 39 epochs without them.
        seeds: Seeds; the mean over them counts.
        folds: Folds that are held out in turn under "folds"; their images are put together.
        match_parameters: Number of parameters that every network's width is set for, within 2 %; 0 leaves widths.
        only: Names or labels of the networks to be trained; the tables show whatever is finished.
        parallel: How many trainings run at the same time. Small networks leave cores idle while their graphs are made.
        dry_run: Only print the plan.
        output: Folder for the results (default: experiments/results/<name>).
    """

    name: str = "comparison"
    base: Experiment = dataclasses.field(default_factory=Experiment)
    models: list[Network] = dataclasses.field(default_factory=list)
    recipes: list[Literal["controlled", "own"]] = dataclasses.field(default_factory=lambda: ["controlled"])
    protocols: list[Protocol] = dataclasses.field(default_factory=lambda: ["paper", "folds"])
    per_protocol: dict[Protocol, dict[str, Any]] = dataclasses.field(default_factory=dict)
    seeds: list[int] = dataclasses.field(default_factory=lambda: [0])
    folds: list[int] = dataclasses.field(default_factory=lambda: [0])
    match_parameters: int = 0
    only: list[str] = dataclasses.field(default_factory=list)
    parallel: int = 1
    dry_run: bool = False
    output: str = ""


@dataclasses.dataclass(frozen=True)
class Training:
    """One training of the plan."""

    network: Network
    recipe: str
    experiment: Experiment

    @property
    def protocol(self) -> str:
        return self.experiment.data.protocol

    @property
    def row(self) -> tuple[str, str, str]:
        """Recipe, protocol and label: the trainings that share it make one row of a table."""
        return self.recipe, self.protocol, self.network.title

    def __str__(self) -> str:
        fold = f", fold {self.experiment.data.fold}" if self.protocol == "folds" else ""
        return f"{self.network.title}, {self.recipe} recipe, {self.protocol}{fold}, seed {self.experiment.seed}"


def trainings(comparison: Comparison) -> list[Training]:
    """Every training, cheap questions first: all networks under one recipe, protocol, seed and fold, then the next.

    Raises:
        UserError: No network, two that are called the same, an unknown name under `only`, or a setting that no
            training could use.
    """
    _check_names(comparison)
    planned = {(network.key, protocol): _parts(comparison, network, protocol)
               for network in comparison.models for protocol in comparison.protocols}  # fmt: skip
    turns = range(max(map(len, planned.values())))
    order = itertools.product(turns, comparison.recipes, comparison.protocols, comparison.models)
    return [_training(comparison, network, recipe, protocol, *planned[network.key, protocol][turn])
            for turn, recipe, protocol, network in order if turn < len(planned[network.key, protocol])]


def chosen(comparison: Comparison, network: Network) -> bool:
    """Whether `only` lets the network be trained."""
    return not comparison.only or not {network.name, network.title, network.key}.isdisjoint(comparison.only)


def _check_names(comparison: Comparison) -> None:
    for field in ("models", "recipes", "protocols", "seeds", "folds"):
        if not getattr(comparison, field):
            raise UserError(f"a comparison needs at least one entry under {field}. Received: none")
    if comparison.parallel < 1:
        raise UserError(f"--parallel must be at least 1. Received: {comparison.parallel}")
    titles = collections.Counter(network.title for network in comparison.models)
    titles.update(network.key for network in comparison.models if network.key != network.title)
    twice = [title for title, count in titles.items() if count > 1]
    if twice:
        raise UserError(f"every network of a comparison needs a label of its own. Received twice: {', '.join(twice)}")
    without = [network.title for network in comparison.models if not network.own.training]
    if "own" in comparison.recipes and without:
        raise UserError("recipe 'own' needs each system's published settings under its own.training. "
                        f"Received: none for {', '.join(without)}")
    known = {name for network in comparison.models for name in (network.name, network.title, network.key)}
    unknown = [name for name in comparison.only if name not in known]
    if unknown:
        raise UserError(f"--only must name networks of this comparison, one of {', '.join(sorted(known))}. "
                        f"Received: {', '.join(unknown)}")


def _parts(comparison: Comparison, network: Network, protocol: str) -> list[tuple[int, int]]:
    """(seed, fold) of each training; only "folds" is trained once a fold."""
    seeds = comparison.seeds if network.seeds is None else network.seeds
    folds = comparison.folds if network.folds is None else network.folds
    return [(seed, fold) for seed in seeds for fold in (folds if protocol == "folds" else [comparison.base.data.fold])]


def _training(comparison: Comparison, network: Network, recipe: str, protocol: str, seed: int, fold: int) -> Training:
    base = comparison.base
    settings = dataclasses.asdict(base)
    settings["model"] = {"name": network.name, "width": network.width or base.model.width,
                         "options": {**base.model.options, **network.options}}  # fmt: skip
    settings = _merged(settings, comparison.per_protocol.get(protocol, {}))
    if recipe == "own":
        settings["training"] = {name: settings["training"][name] for name in KEPT_BY_OWN} | network.own.training
        settings["augment"] = dict(network.own.augment)
        settings["model"]["options"].update(network.own.options)
    else:
        settings["training"] = settings["training"] | network.training
    own = "" if recipe == "controlled" else f"-{recipe}"
    settings = _merged(settings, {"name": f"{base.name}-{network.key}{own}", "seed": seed,
                                  "data": {"protocol": protocol, "fold": fold}})  # fmt: skip
    experiment = read(settings, f"{network.title}, {recipe} recipe, {protocol}")
    check(experiment)
    return Training(network, recipe, experiment)


def _merged(settings: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`settings` with `changes`; sections within them are merged, everything else is replaced."""
    merged = dict(settings)
    for name, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merged(merged[name], value) if both else value
    return merged


def read(settings: dict[str, Any], where: str) -> Experiment:
    """The experiment, types and names checked as `python -m tfrespam.train` checks its file. Raises UserError."""
    from jsonargparse import ArgumentError, ArgumentParser

    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(Experiment, as_positional=False)
    try:
        return Experiment(**parser.instantiate(parser.parse_object(settings)))
    except ArgumentError as error:
        raise UserError(f"settings of {where}: {error}") from None
