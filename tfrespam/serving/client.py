"""Masks from a TensorFlow Serving server, over gRPC or REST."""

import contextlib
import functools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from tfrespam import cli
from tfrespam.errors import UserError
from tfrespam.serving.failures import ModelNotFoundError, ServerUnavailableError, failure
from tfrespam.serving.inflight import in_order
from tfrespam.serving.saved_model import Segmentation

PATIENCE = 60.0  # seconds
FIRST_WAIT, LONGEST_WAIT = 0.25, 8.0  # seconds between two attempts
ANSWERS = "mask_png_bytes", "probability_png_bytes", "tumour_fraction"
LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")


class Answered(NamedTuple):
    """What became of one file: a segmentation or an error, never both."""

    file: Path
    segmentation: Segmentation | None
    error: UserError | None


class Client:
    """Asks a TensorFlow Serving server for masks; safe to use from several threads.

    Every picture goes as it is: the graph decodes, scales and resizes. Only DICOM and TIFF files, which the graph
    cannot read, are turned into PNG here. Over REST nothing imports TensorFlow.

    Args:
        server: "host:8500" or "grpcs://host:8500" for gRPC without and with TLS; "http://host:8501" or
            "https://host:8501" for REST.
        model: The model's name on the server.
        version: Number of the version to ask, instead of the newest.
        label: Label of the version to ask.
        timeout: Seconds that one request may take; it is not sent again when they are over.
        patience: Seconds for which a request is sent again while the server is unavailable, with growing pauses
            (default: PATIENCE); a warning is logged when that begins. After one that waited in vain, requests are sent
            once, until the server answers again.
        concurrency: Requests under way at the same time in `stream`.
        ca: File with the certificates to trust (PEM), where the server's is not signed by a public authority.
        certificate: Files with the client's own certificate and key, where the server asks for one.

    Raises:
        UserError: The address is none, or a certificate cannot be read or used.
    """

    def __init__(self, server: str, *, model: str = "tfrespam", version: int | None = None, label: str | None = None,
                 timeout: float = 60.0, patience: float | None = None, concurrency: int = 4, ca: str | None = None,
                 certificate: tuple[str, str] | None = None):  # fmt: skip
        if version is not None and label:
            raise UserError("a version or a label can be asked for, not both")
        self.server, self.model = server, model
        self._timeout, self._concurrency = timeout, concurrency
        self._patience = PATIENCE if patience is None else patience
        self._transport = _transport(server, model, version, label, ca, certificate)
        self.metadata: dict[str, Any] = {}  # what the exported folder's metadata.json says, where the caller has it
        self._away = threading.Event()  # set from the first request that nobody answers
        self._gone = threading.Event()  # set while the server is known to have been away for all of `patience`

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (N, H, W, 1) float32 of `images` (N, H, W, 1) in [0, 1], of any one size."""
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or images.shape[-1] != 1:
            raise UserError(f"images must have the shape (N, H, W, 1). Received: {images.shape}")
        (probability,) = self._predict("serving_default", "image", images).values()
        return np.asarray(probability, np.float32)

    def predict_bytes(self, pictures: Sequence[bytes]) -> list[Segmentation]:
        """Masks of PNG or JPEG files of any sizes, in one request. Raises PictureRefusedError for unusable ones."""
        return self._segment("predict_bytes", pictures)

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]:
        """As `predict_bytes`, for whole films, which the graph scans."""
        return self._segment("predict_film", films)

    def predict_file(self, file: str | Path) -> Segmentation:
        """The mask of one PNG, JPEG, TIFF or DICOM file. Raises UserError when it cannot be read."""
        from tfrespam.serving import inputs

        return self.predict_bytes([inputs.read(Path(file)).encoded])[0]

    def stream(self, files: Iterable[str | Path], progress: bool = False) -> Iterator[Answered]:
        """Segments files, one a request, several at a time; answers come in the order of `files`.

        A file that cannot be segmented has its error in its answer and does not stop the others; those whose error
        is ServerUnavailableError can be sent again.

        Args:
            files: Pictures, or folders that are searched for them.
            progress: Whether to show a progress bar.
        """
        from tfrespam.serving import inputs

        found = inputs.find([str(file) for file in files])
        bar, advance = cli.progress("segmenting", len(found)) if progress else (contextlib.nullcontext(), lambda: None)
        with bar:
            for answer in in_order(self._answered, found, self._concurrency):
                advance()
                yield answer

    @functools.cached_property
    def takes_films(self) -> bool:
        """Whether the served graph has `predict_film`."""
        return "predict_film" in self.signatures()

    def signatures(self) -> dict[str, Any]:
        """Names of the model's signatures, each with its inputs and outputs as the server describes them."""
        return self._patiently(lambda: self._transport.signatures(self._timeout))

    def versions(self) -> dict[int, str]:
        """State of each version that the server knows: START, LOADING, AVAILABLE, UNLOADING or END."""
        return self._patiently(lambda: self._transport.versions(self._timeout))

    def close(self) -> None:
        """Lets go of the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _answered(self, file: Path) -> Answered:
        try:
            return Answered(file, self.predict_file(file), None)
        except UserError as error:
            return Answered(file, None, error)

    def _segment(self, signature: str, pictures: Sequence[bytes]) -> list[Segmentation]:
        if not pictures:
            return []
        answer = self._predict(signature, "image_bytes", list(pictures))
        if not set(ANSWERS) <= set(answer):
            raise failure("UNKNOWN", f"{signature} answers {sorted(answer)}; expected {', '.join(ANSWERS)}. "
                          f"Is {self.model!r} a model of tfrespam.export?", self.server)
        columns = (answer[name] for name in ANSWERS)
        return [Segmentation(mask, png, float(share)) for mask, png, share in zip(*columns, strict=True)]

    def _predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes]) -> dict:
        return self._patiently(lambda: self._transport.predict(signature, name, value, self._timeout))

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Asks again while the server is unavailable, and for nothing else."""
        end, wait = time.monotonic() + self._patience, FIRST_WAIT
        while True:
            try:
                answer = ask()
                self._away.clear()
                self._gone.clear()
                return answer
            except ServerUnavailableError as error:
                if self._gone.is_set() or time.monotonic() + wait > end:
                    self._gone.set()
                    raise
                if not self._away.is_set():
                    self._away.set()
                    LOGGER.warning("%s; asking again for up to %g s", error, self._patience)
            time.sleep(wait * random.uniform(0.5, 1.0))  # so that many clients do not return at one moment
            wait = min(2 * wait, LONGEST_WAIT)


def newest_version(client: Client) -> int:
    """The version that answers when none is asked for. Raises ModelNotFoundError when none is loaded."""
    loaded = [version for version, state in client.versions().items() if state == "AVAILABLE"]
    if not loaded:
        raise ModelNotFoundError(f"{client.server} has loaded no version of {client.model!r}")
    return max(loaded)


def _transport(server: str, model: str, version: int | None, label: str | None, ca: str | None,
               certificate: tuple[str, str] | None):  # fmt: skip
    scheme, _, rest = server.rpartition("://")
    _check_certificates(server, scheme in ("grpcs", "https"), [ca, *(certificate or ())])
    if scheme in ("http", "https") and rest:
        from tfrespam.serving.rest import RestTransport

        return RestTransport(server, model, version, label, ca or True, certificate)
    host, _, port = rest.rpartition(":")
    if scheme not in ("", "grpc", "grpcs") or not host or not port.isdecimal():
        raise UserError(f"a server is host:8500 (gRPC) or http://host:8501 (REST). Received: {server!r}")
    from tfrespam.serving.grpc_transport import GrpcTransport

    return GrpcTransport(rest, model, version, label, scheme == "grpcs", ca, certificate)


def _check_certificates(server: str, encrypted: bool, files: list[str | None]) -> None:
    for file in filter(None, files):
        if not encrypted:
            raise UserError(f"a certificate is for grpcs:// and https:// servers. Received: {file} with {server!r}")
        if not Path(file).is_file():
            raise UserError(f"no such file with certificates: {file}")
