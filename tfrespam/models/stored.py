"""Load and save networks as .keras files. Files may be untrusted: no code in them runs, and damage is reported."""

import io
import os
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

import h5py
import keras

import tfrespam.layers
import tfrespam.models  # noqa: F401  both register what a file may name
from tfrespam.core.errors import UserError, first_line
from tfrespam.core.faults import outside_fault


def load_network(path: str | os.PathLike) -> keras.Model:
    """Load the network in a .keras file.

    Raises UserError if the file is damaged, would run code, or has members with paths outside the archive.
    """
    try:
        _check(path)
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # damage makes zip, HDF5, JSON and Keras raise errors of many types
        if outside_fault(error):
            raise
        raise UserError(f"{path} cannot be loaded ({first_line(error)}). Expected a complete .keras file that this "
                        "software wrote") from None


def save_network(model: keras.Model, path: str | os.PathLike, half: bool = False) -> None:
    """Write the network as a .keras file, in which every layer keeps its `trainable` flag.

    Args:
        model: A functional model.
        path: File to write, ending in .keras.
        half: Store kernels (all weights of more than one axis) as float16. They are loaded as float32, without loss if
            they had been rounded to float16 before.
    """
    model.save(path)
    if half:
        _store_halves(path)


def _store_halves(path: str | os.PathLike) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as smaller:
        for name in archive.namelist():
            content = archive.read(name)
            smaller.writestr(name, _with_halves(content) if name.endswith(".h5") else content)
    with open(path, "wb") as file:
        file.write(whole.getvalue())


def _with_halves(content: bytes) -> bytes:
    """Convert float32 arrays of more than one axis to float16, in a copy: HDF5 does not free space in place."""
    smaller = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as source, h5py.File(smaller, "w") as target:

        def copy(name: str, item) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim > 1 and item.dtype == "float32":
                copied = target.create_dataset(name, data=item[...].astype("float16"))
            elif isinstance(item, h5py.Dataset):
                copied = target.create_dataset(name, data=item[...])
            else:
                copied = target.require_group(name)
            copied.attrs.update(item.attrs)

        source.visititems(copy)
        target.attrs.update(source.attrs)
    return smaller.getvalue()


def in_float32(model: keras.Model) -> keras.Model:
    """Return the network with the same weights and all layers computing in float32, for any training precision."""
    if all(layer.compute_dtype == "float32" for layer in model._flatten_layers()):
        return model
    converted = type(model).from_config(_with_float32(model.get_config()))
    converted.set_weights(model.get_weights())
    return converted


def _with_float32(config):
    """Copy a model's `get_config` with all precision policies set to "float32"."""
    if isinstance(config, Mapping):
        if config.get("class_name") == "DTypePolicy":
            return {**config, "config": {"name": "float32"}}
        return {name: _with_float32(value) for name, value in config.items()}
    return [_with_float32(value) for value in config] if isinstance(config, list | tuple) else config


def _check(path: str | os.PathLike) -> None:
    """Raise ValueError unless the archive is undamaged and all its members have paths below its root."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            parts = PurePosixPath(name.replace("\\", "/"))
            if parts.is_absolute() or ".." in parts.parts:
                raise ValueError(f"it contains a file with a path outside the archive: {name}")
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"its member {damaged} is damaged")
