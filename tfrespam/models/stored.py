"""Networks in .keras files, which may come from anywhere: nothing in them is run, and damage is told."""

import os
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

import keras

import tfrespam.layers
import tfrespam.models  # noqa: F401  both register what a file may name
from tfrespam.errors import UserError, first_line
from tfrespam.faults import outside_fault


def load_network(path: str | os.PathLike) -> keras.Model:
    """The network in a .keras file. Raises UserError when it is damaged, or would run code or leave its folder."""
    try:
        _check(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # damage makes zip, HDF5, JSON and Keras raise errors of many types
        if outside_fault(error):
            raise
        raise UserError(f"{path} cannot be loaded ({first_line(error)}). Was it written whole, and by this "
                        "software?") from None


def in_float32(model: keras.Model) -> keras.Model:
    """The network with the same weights whose every layer computes in float32, whatever precision it was trained in."""
    if all(layer.compute_dtype == "float32" for layer in model._flatten_layers()):
        return model
    made = type(model).from_config(_with_float32(model.get_config()))
    made.set_weights(model.get_weights())
    return made


def _with_float32(config):
    """A copy of what `get_config` gives, all policies "float32"."""
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {name: _with_float32(value) for name, value in config.items()}
    return [_with_float32(value) for value in config] if isinstance(config, list | tuple) else config


def _check(path: str | os.PathLike) -> None:
    """Raises ValueError unless the archive is whole and all its files are below its root."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise ValueError(f"it holds a file outside of itself: {name}")
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} in it is damaged")
