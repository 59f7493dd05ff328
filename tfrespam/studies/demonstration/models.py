"""Exported models that the page offers."""

import functools
from pathlib import Path

from tfrespam.core.errors import UserError
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.jobs import trained_on
from tfrespam.serving.inference.pretrained import FILMS, shipped


def offered(models_dir: str, model: str | None) -> dict[str, Path]:
    """Return version folders by displayed name, the newest first; only `model` if it is named. Raises UserError."""
    if model is not None:
        path = saved_model.locate(model)
        saved_model.refuse_pairs(saved_model.read_metadata(path), path)
        return {f"{path.parent.name} {path.name}": path}
    found = {f"{path.parent.name} {path.name}": path for path in saved_model.by_age(models_dir)
             if saved_model.read_metadata(path).get("channels", 1) == 1}  # fmt: skip
    pretrained = Path(models_dir) / "pretrained"
    if saved_model.is_saved_model(pretrained):
        found["pretrained"] = pretrained
    if not found and (path := shipped()):
        found[f"{path.parent.name} {path.name}"] = path
    if not found:
        raise UserError(f"{models_dir}/ contains no exported model. Train one with: python -m tfrespam.train")
    return found


@functools.lru_cache(maxsize=3)
def loaded(path: Path) -> saved_model.ExportedModel:
    """Load the model at `path`; the last used models stay in memory."""
    return saved_model.load(path)


def finder_path(offered: dict[str, Path]) -> Path | None:
    """Return the version folder of the network that finds masses on films: the newest offered, else tfrespam's."""
    films = [path for path in offered.values() if trained_on(saved_model.read_metadata(path))["view"] == "film"]
    return films[0] if films else shipped(FILMS)


def finder(offered: dict[str, Path]) -> saved_model.ExportedModel | None:
    """Load the network that finds masses on whole films; None if there is none."""
    path = finder_path(offered)
    return loaded(path) if path else None


def described(model: saved_model.ExportedModel, searched: bool = False) -> str:
    """Describe a model and its training data in Markdown; `searched` says if another network searches whole films."""
    about, data = model.metadata, model.metadata.get("data", {})
    films = "whole films are searched with the film network" if searched else "on a whole film, draw a box around it"
    view = {"roi": f"crops around a mass; {films}", "film": "whole films"}
    parameters = about.get("parameters")
    return (f"{about.get('model') or 'A network'}{f', {parameters:,} parameters' if parameters else ''}, trained on "
            f"*{data.get('dataset', 'unknown data')}*, {view.get(data.get('view'), 'unknown images')}.")  # fmt: skip
