"""Client of a model server: TensorFlow Serving over gRPC or REST, or the Open Inference Protocol of KServe."""

import contextlib
import functools
import logging
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias, TypeVar

import numpy as np

from tfrespam.core import console, png
from tfrespam.core.errors import UserError
from tfrespam.serving.client import answers, plain_network
from tfrespam.serving.client.address import connect
from tfrespam.serving.client.call import Call, limit_of_images, limit_of_values
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import ModelNotFoundError, ServerFaultError, ServingError
from tfrespam.serving.client.inflight import in_order
from tfrespam.serving.client.retry import Retry
from tfrespam.serving.inference import inputs, region
from tfrespam.serving.inference.jobs import is_film
from tfrespam.serving.inference.region import InputDescription
from tfrespam.serving.inference.saved_model import Segmentation

PATIENCE = 60.0  # seconds
UNKNOWN_SIZE = 1 << 23  # pixels assumed for an image whose header cannot be read here
LOGGER = logging.getLogger(__name__)
Answer = TypeVar("Answer")
Film: TypeAlias = Literal["auto", "always", "never"]


class Answered(NamedTuple):
    """Result of one file: either a segmentation or an error."""

    file: Path
    segmentation: Segmentation | None
    error: UserError | None


class Client:
    """Client that requests masks from a model server; thread-safe.

    Images are sent unchanged: the graph decodes, scales and resizes them. Files that it cannot read, such as DICOM and
    TIFF, are converted to PNG here. If a server has only the network, from pixels to probabilities, images are
    decoded and masks computed here. Over REST TensorFlow is not imported.

    Args:
        server: "host:8500" or "grpcs://host:8500" for gRPC without and with TLS; "http://host:8501" or
            "https://host:8501" for REST; "kserve://host:8001" or "kserves://host:8001" for Triton, OpenVINO Model
            Server and others.
        model: The model's name on the server.
        version: Number of the version to use, instead of the newest.
        label: Label of the version to use.
        timeout: Seconds within which the complete answer must arrive; after a timeout the request is not sent again.
        patience: Seconds during which a request is sent again while the server cannot be reached, with growing pauses
            (default: 60), and ten times that while it reports that it is busy; a warning is logged at the start. After
            one request has failed for so long, others are sent only once until the server answers.
        concurrency: Number of simultaneous requests in `stream`.
        ca: File with the certificates to trust (PEM), if the server's is not signed by a public authority.
        certificate: File with the client's certificate (PEM), if the server requires one.
        key: File with that certificate's key (PEM).
        token_file: File with a bearer token to send with each request; it is read each time.
        keepalive: Seconds without data after which a gRPC connection is probed. The server must allow this; those of
            serving/ allow 10 and more. REST connections are probed by the operating system after a minute.
        proxy: HTTP proxy, "http://host:port"; those of the environment are not used.

    Raises:
        UserError: The address is invalid, or a certificate or token cannot be read or used.
    """

    def __init__(self, server: str, *, model: str = "tfrespam", version: int | None = None, label: str | None = None,
                 timeout: float = 60.0, patience: float | None = None, concurrency: int = 4, ca: str | None = None,
                 certificate: str | None = None, key: str | None = None, token_file: str | None = None,
                 keepalive: float | None = None, proxy: str | None = None):  # fmt: skip
        if version is not None and label:
            raise UserError("give either `version` or `label`, not both")
        self.server, self.model = server, model
        self._timeout, self._concurrency = timeout, concurrency
        self._retry = Retry(PATIENCE if patience is None else patience)
        credentials = Credentials(ca, certificate, key, token_file)
        self._transport = connect(server, model, version, label, credentials, keepalive, proxy)
        self.metadata: dict[str, Any] = {}  # metadata.json of the exported folder, if the caller has it

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        """Predict probabilities (N, H, W, 1) float32 of `images` (N, H, W, 1) in [0, 1], all of the same size."""
        images = np.asarray(images, np.float32)
        if images.ndim != 4 or images.shape[-1] != 1:
            raise UserError(f"images must have the shape (N, H, W, 1). Received: {images.shape}")
        answer = self._predict("serving_default", "image", images, limit_of_values(images.size))
        return answers.probabilities(next(iter(answer.values()), None), images.shape, self.server)

    def predict_bytes(self, images: Sequence[bytes]) -> list[Segmentation]:
        """Segment PNG or JPEG files of any sizes in one request.

        Raises:
            ImageRefusedError: The graph rejected some of them.
            WrongAnswerError: The answer is not of a tfrespam graph; `answers` contains its valid part.
        """
        return self._segment("predict_bytes", images)

    def predict_film(self, films: Sequence[bytes]) -> list[Segmentation]:
        """Segment whole films, PNG or JPEG, in one request; the graph scans them. Raises as `predict_bytes`."""
        return self._segment("predict_film", films)

    def predict_file(self, file: str | Path, film: Film = "auto", context: float | None = None) -> Segmentation:
        """Segment one file: PNG, JPEG, TIFF, BMP, PGM or DICOM.

        Args:
            file: The image.
            film: Whether it is a whole film, which is sent to `predict_film`. "auto": by the DICOM header, else by its
                looks, as for the stage `predict`, if the graph has that signature.
            context: Longest side of a crop over the longest side of its mass, at least 1. The crop is cut or extended
                to the context of the training crops, by `metadata`, or 1.6 if that is empty. None: that of the
                training crops; 1.35 for the crop files of CBIS-DDSM, if `metadata` is known.

        Raises:
            UserError: The file cannot be read, or `context` is out of range.
        """
        InputDescription(film, context=context)
        image = inputs.read(Path(file), film=film != "never")
        if film == "always" or film == "auto" and is_film(image) and self.takes_films:
            return self.predict_film([image.encoded])[0]
        square = region.shown(image.pixels.shape, self.metadata, context, image.context)
        if square is None:
            return self.predict_bytes([image.encoded])[0]
        part = png.encode(region.cut(image.pixels, square, mirrored=True))
        return region.paste(self.predict_bytes([part])[0], square, image.pixels.shape)

    def stream(self, files: Iterable[str | Path], progress: bool = False, film: Film = "auto",
               context: float | None = None) -> Iterator[Answered]:  # fmt: skip
        """Segment files, one a request, several at a time; yields answers in the order of `files`.

        The answer of a file that cannot be segmented contains its error; the others continue. Files with a
        ServerUnavailableError can be sent again.

        Args:
            files: Images, or folders that are searched for them.
            progress: Whether to show a progress bar.
            film: As for `predict_file`.
            context: As for `predict_file`.
        """
        InputDescription(film, context=context)
        found = inputs.find([str(file) for file in files])
        shown = console.progress("segmenting", len(found)) if progress else None
        bar, advance = shown or (contextlib.nullcontext(), lambda: None)
        with bar:
            segment = functools.partial(self._segment_file, film=film, context=context)
            for answer in in_order(segment, found, self._concurrency):
                advance()
                yield answer

    @functools.cached_property
    def takes_images(self) -> bool:
        """True if `predict_bytes` works, in the served graph or in this client."""
        return "predict_bytes" in self.signatures() or self._only_network

    @functools.cached_property
    def takes_films(self) -> bool:
        """True if the served graph has the signature `predict_film`."""
        return "predict_film" in self.signatures()

    def signatures(self) -> dict[str, Any]:
        """Return the model's signatures by name, with inputs and outputs as the server describes them."""
        return self._ask("signatures", lambda call: self._transport.signatures(call))

    def versions(self) -> dict[int, str]:
        """Return the state of each version on the server: START, LOADING, AVAILABLE, UNLOADING or END."""
        return self._ask("versions", lambda call: self._transport.versions(call))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _segment_file(self, file: Path, film: Film, context: float | None) -> Answered:
        try:
            return Answered(file, self.predict_file(file, film, context), None)
        except UserError as error:
            return Answered(file, None, error)

    def _segment(self, signature: str, images: Sequence[bytes]) -> list[Segmentation]:
        if not images:
            return []
        if signature == "predict_bytes" and self._only_network:
            return [self._segment_pixels(image, position) for position, image in enumerate(images)]
        shapes = [answers.shape_of(image) for image in images]
        pixels = [rows * columns for rows, columns in (shape or (1, UNKNOWN_SIZE) for shape in shapes)]
        answer = self._predict(signature, "image_bytes", list(images), limit_of_images(pixels))
        return answers.segmentations(answer, shapes, f"{self.server}: {signature}")

    @functools.cached_property
    def _only_network(self) -> bool:
        """True if the server has only `serving_default`, as for exports in other formats."""
        known = self.signatures()
        return self.server.startswith("kserve") and "serving_default" in known and "predict_bytes" not in known

    def _segment_pixels(self, image: bytes, position: int) -> Segmentation:
        probability = self.predict_images(plain_network.pixels(image, position))[0, ..., 0]
        return plain_network.segmentation(probability, float(self.metadata.get("threshold", 0.5)))

    def _predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes], limit: int) -> dict:
        title = f"{signature} of {len(value)}"
        try:
            return self._ask(title, lambda call: self._transport.predict(signature, name, value, call), limit)
        except ServerFaultError as error:
            self._check_signature(signature, error)
            raise

    def _check_signature(self, signature: str, error: ServerFaultError) -> None:
        """Raise ModelNotFoundError if a missing signature is the cause; the messages of servers differ."""
        if error.code in ("INVALID_ARGUMENT", "FAILED_PRECONDITION", "NOT_FOUND", "UNIMPLEMENTED"):
            known = self.signatures()
            if signature not in known:
                raise ModelNotFoundError(f"{self.server}: {self.model!r} has no signature {signature}; it has "
                                         f"{', '.join(sorted(known))}") from None  # fmt: skip

    def _ask(self, title: str, ask: Callable[[Call], Answer], limit: int | None = None) -> Answer:
        """Return the answer of `ask`, repeated while the server is unreachable or busy; log each attempt by its id."""
        def attempt() -> Answer:
            call = Call.new(self._timeout) if limit is None else Call.new(self._timeout, limit)
            started = time.monotonic()
            try:
                answer = ask(call)
            except ServingError as error:
                LOGGER.debug("request %s, %s: %s", call.id, title, error, extra={"request": call.id})
                raise
            seconds = round(time.monotonic() - started, 3)
            LOGGER.debug("request %s, %s: answered in %g s", call.id, title, seconds,
                         extra={"request": call.id, "seconds": seconds})  # fmt: skip
            return answer

        return self._retry(attempt)


def newest_version(client: Client) -> int:
    """Return the newest loaded version, which answers by default. Raises ModelNotFoundError if none is loaded."""
    loaded = [version for version, state in client.versions().items() if state == "AVAILABLE"]
    if not loaded:
        raise ModelNotFoundError(f"{client.server} has loaded no version of {client.model!r}")
    return max(loaded)
