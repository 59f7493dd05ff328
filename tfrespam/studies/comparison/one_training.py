"""Read the experiment of one training from a YAML file of `train` or `compare`."""

from collections.abc import Sequence
from pathlib import Path

from tfrespam.config import Experiment
from tfrespam.config_checks import check
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.networks import matched
from tfrespam.studies.comparison.plan import Comparison, Training, trainings


def experiment_of(config: Path, arguments: Sequence[str] = (), network: str = "", recipe: str = "",
                  protocol: str = "") -> Experiment:  # fmt: skip
    """Return the experiment of a file; for a comparison, that of the named training.

    Args:
        config: YAML file of `python -m tfrespam.train` or `python -m tfrespam.compare`.
        arguments: Options that override it, as on the command line of that stage.
        network: For a comparison: name or label. Required if several networks match.
        recipe, protocol: For a comparison. Required if several match.

    Raises:
        UserError: The file cannot be read, or none or several trainings match.
    """
    given = ["--config", str(config), *arguments]
    if not _is_comparison(config):
        experiment = Experiment(**parse(Experiment, given, str(config))[1])
        check(experiment)
        return experiment
    comparison = Comparison(**parse(Comparison, given, str(config))[1])
    if comparison.match_parameters:
        comparison = matched(comparison)
    named = {"network": network, "recipe": recipe, "protocol": protocol}
    found = [each for each in trainings(comparison) if _is_named(each, named)]
    if len(found) != 1:
        known = "; ".join(map(str, found or trainings(comparison)))
        raise UserError(f"{config}: {len(found)} trainings match. Expected one: name `network`, `recipe` and "
                        f"`protocol`, and `seeds` and `folds` of one entry. Received: {named}. Known: {known}")
    return found[0].experiment


def _is_comparison(config: Path) -> bool:
    import yaml

    try:
        return "models" in (yaml.safe_load(config.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{config} cannot be read: {error}") from None


def _is_named(training: Training, named: dict[str, str]) -> bool:
    networks = {training.network.name, training.network.title, training.network.key, ""}
    return (named["network"] in networks and named["recipe"] in (training.recipe, "")
            and named["protocol"] in (training.protocol, ""))  # fmt: skip
