"""The pretrained networks that come with tfrespam: one for crops around masses, one for whole films."""

import importlib.metadata
from pathlib import Path

from tfrespam.serving.inference.saved_model import is_saved_model, locate

CLONE = Path(__file__).parents[3] / "saved_models" / "pretrained"
CROPS, FILMS = "pretrained", "films"


def shipped(name: str = CROPS) -> Path | None:
    """Find the version folder of a shipped network: in the clone, else in the installed package; None if missing."""
    if (folder := CLONE.with_name(name)).is_dir():
        return locate(folder)
    files = importlib.metadata.files("tfrespam") or []
    folders = [Path(file.locate()).parent for file in files if file.match(f"share/tfrespam/{name}/*/saved_model.pb")]
    return next(filter(is_saved_model, folders), None)
