"""The pretrained network that comes with tfrespam."""

import importlib.metadata
from pathlib import Path

from tfrespam.serving.saved_model import is_saved_model, locate

CLONE = Path(__file__).parents[2] / "saved_models" / "pretrained"


def shipped() -> Path | None:
    """Its version folder: in the clone that this code runs from, or else where pip has put it; None without either."""
    if CLONE.is_dir():
        return locate(CLONE)
    files = importlib.metadata.files("tfrespam") or []
    folders = [Path(file.locate()).parent for file in files if file.match("share/tfrespam/pretrained/*/saved_model.pb")]
    return next(filter(is_saved_model, folders), None)
