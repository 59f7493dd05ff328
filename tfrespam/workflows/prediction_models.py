"""Find and load the models for `predict`: exported folders, or a model server."""

from pathlib import Path
from typing import Any

from tfrespam.core import runtime
from tfrespam.core.errors import UserError
from tfrespam.serving.client.client import Client, newest_version
from tfrespam.serving.client.failures import ServingError
from tfrespam.serving.dicom.source import Algorithm
from tfrespam.serving.inference import saved_model
from tfrespam.serving.inference.film_chain import FilmChain
from tfrespam.serving.inference.jobs import Segmenter, trained_on
from tfrespam.serving.inference.pretrained import CROPS, FILMS, shipped
from tfrespam.serving.inference.saved_model import ExportedModel, fingerprint


def on_disk(model: str | None, film_model: str | None, models_dir: str,
            threshold: float | None, boxed: bool = False) -> tuple[FilmChain, str]:  # fmt: skip
    """Load the models that segment crops and find masses on films; return them with their folders. Raises UserError.

    A film with a box (`boxed`) is not searched and needs only the former.
    """
    path = model_path(model, models_dir)
    films = None if boxed else film_model_path(film_model, models_dir, path, model is not None)
    for each in filter(None, (path, films)):
        saved_model.refuse_pairs(saved_model.read_metadata(each), each)
    runtime.load_tensorflow()
    loaded = saved_model.load(path)
    if films is None or films == path:
        return FilmChain(loaded, threshold=threshold), str(path)
    finder = saved_model.load(films, at_first_use=True)  # not needed if all images are crops
    return FilmChain(finder, loaded, threshold), f"{path}, films with {films}"


def film_model_path(film_model: str | None, models_dir: str, crops: Path, named: bool) -> Path | None:
    """Return the folder of the model that finds masses on films; None if the model `crops` segments films itself.

    Default: the pretrained film model if `crops` is the pretrained crop model and not `named` by the user.
    """
    if film_model is not None:
        path = saved_model.locate(film_model)
        if trained_on(saved_model.read_metadata(path))["view"] != "film":
            raise UserError(f"`film_model` must be a model that was trained on whole films. Received: {film_model}")
        return path
    if named or CROPS not in (crops.name, crops.parent.name):
        return None
    if (Path(models_dir) / FILMS).is_dir():
        return saved_model.locate(Path(models_dir) / FILMS)
    return shipped(FILMS)


def on_server(client: Client, model: str | None) -> tuple[Segmenter, str]:
    """Check that a client's server has a tfrespam model; return the client and a description of server and version.

    Metadata, which a server does not report, is read from the folder `model` if it is named.
    """
    client.metadata = {} if model is None else saved_model.read_metadata(saved_model.locate(model))
    try:
        version, signatures = newest_version(client), sorted(client.signatures())
    except ServingError as error:
        raise UserError(f"{error}. Expected a server with the model {client.model!r} (`served_name`): TensorFlow "
                        "Serving is host:8500 or http://host:8501 (REST), Triton kserve://host:8001") from None
    if not client.takes_images:
        raise UserError(f"{client.server}: {client.model!r} has the signatures {', '.join(signatures)}; expected "
                        "predict_bytes. Serve a model of tfrespam.export for single images")
    return client, f"{client.server}, model {client.model}, version {version}"


def algorithms(segmenter: FilmChain, served_name: str, threshold: float | None) -> dict[str, Algorithm]:
    """Return the description of the networks in DICOM objects for each region; a server reports only its name."""
    crops = Algorithm.of(_identified(segmenter.crops), served_name, threshold)
    films = Algorithm.of(_identified(segmenter.finder), served_name, threshold, film=True)
    if segmenter.level is not None:
        films = films.outlined_by(crops, segmenter.level)
    return {"image": crops, "film": films, "box": crops}


def _identified(model: Segmenter) -> dict[str, Any]:
    """Return the model's metadata, with the hash of graph and weights for a local model."""
    if isinstance(model, ExportedModel) and "sha256" not in model.metadata:
        return {**model.metadata, "sha256": fingerprint(model.path)}
    return dict(model.metadata)


def model_path(model: str | Path | None, models_dir: str) -> Path:
    """Return the exported version at `model` (default: the pretrained one, else the newest). Raises UserError."""
    if model is not None:
        return saved_model.locate(model)
    if (Path(models_dir) / CROPS).is_dir():
        return saved_model.locate(Path(models_dir) / CROPS)
    if found := saved_model.newest(models_dir) or shipped():
        return found
    raise UserError(f"{models_dir}/ contains no exported model. Train one with: python -m tfrespam.train")
