"""Transport over TensorFlow Serving's REST API (g3doc/api_rest.md there); does not need TensorFlow."""

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrespam.serving.client.call import Call
from tfrespam.serving.client.credentials import Credentials
from tfrespam.serving.client.failures import ServingError, WrongAnswerError, failure
from tfrespam.serving.client.http_exchange import Exchange, Reply

# util/net_http and http_rest_api_util of TensorFlow Serving
CODES = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
         408: "DEADLINE_EXCEEDED", 412: "FAILED_PRECONDITION", 413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED",
         502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip


class RestTransport:
    """Send requests as JSON over HTTP.

    Args:
        address: http://host:port or https://host:port.
        model: The model's name on the server.
        version: Number of the version, or None.
        label: Label of the version, or None.
        credentials: Certificates and token.
        proxy: Address of a proxy, or None.
    """

    def __init__(self, address: str, model: str, version: int | None, label: str | None,
                 credentials: Credentials | None = None, proxy: str | None = None):  # fmt: skip
        which = f"/versions/{version}" if version is not None else f"/labels/{label}" if label else ""
        self._address, self._credentials = address, credentials or Credentials()
        self._url = f"{address.rstrip('/')}/v1/models/{model}{which}"
        self._exchange = Exchange(address, self._credentials, proxy)

    def predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes],
                call: Call) -> dict[str, np.ndarray | list[bytes | None] | Any]:  # fmt: skip
        """Return the outputs of `signature` for its single input `name`: arrays, or bytes if a name ends in _bytes.

        Bytes that cannot be decoded are None; an output that is not a list of numbers is returned unchanged.
        """
        rows = value.tolist() if isinstance(value, np.ndarray) else [{"b64": _text(data)} for data in value]
        answer = self._ask("POST", ":predict", call, {"signature_name": signature, "inputs": {name: rows}})
        outputs = answer.get("outputs")
        if outputs is None:
            raise self._wrong("the answer contains no outputs")
        return {key: _decoded(key, column) for key, column in _named(outputs).items()}

    def signatures(self, call: Call) -> dict[str, Any]:
        """Return the model's signatures by name, with inputs and outputs as the server describes them."""
        answer = self._ask("GET", "/metadata", call)
        try:
            return dict(answer["metadata"]["signature_def"]["signature_def"])
        except (KeyError, TypeError, ValueError):
            raise self._wrong("the answer describes no signatures") from None

    def versions(self, call: Call) -> dict[int, str]:
        """Return the state of each version on the server: START, LOADING, AVAILABLE, UNLOADING or END."""
        states = self._ask("GET", "", call).get("model_version_status", [])
        try:
            return {int(each["version"]): str(each["state"]) for each in states}
        except (KeyError, TypeError, ValueError):
            raise self._wrong("the answer has no versions; expected a number and a state of each") from None

    def close(self) -> None:
        """Close the connections."""
        self._exchange.close()

    def _ask(self, method: str, path: str, call: Call, body: dict | None = None) -> dict[str, Any]:
        headers = {"content-type": "application/json", "x-request-id": call.id, **self._credentials.headers()}
        data = None if body is None else json.dumps(body).encode()
        reply = self._exchange.send(method, self._url + path, data, headers, call.timeout, call.limit)
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError):
            code = CODES.get(reply.status, "UNKNOWN")
            raise failure(code, f"status {reply.status} without JSON (not TensorFlow Serving?)",
                          self._address) from None  # fmt: skip
        if not 200 <= reply.status < 300 or not isinstance(answer, dict):
            raise self._refusal(reply, answer)
        return answer

    def _refusal(self, reply: Reply, answer: Any) -> ServingError:
        said = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if reply.status == 413:
            said = f"the server refused a request that is too large: {said}"
        return failure(CODES.get(reply.status, "UNKNOWN"), said or f"status {reply.status}", self._address)

    def _wrong(self, message: str) -> WrongAnswerError:
        return WrongAnswerError(f"{self._address}: {message} (not TensorFlow Serving?)")


def _named(outputs: Any) -> dict[str, Any]:
    """Convert outputs to a dictionary; TensorFlow Serving sends a single output without its name."""
    return outputs if isinstance(outputs, dict) else {"": outputs}


def _decoded(name: str, column: Any) -> Any:
    if not isinstance(column, list):
        return column
    if name.endswith("_bytes"):
        return [_bytes(each) for each in column]
    try:
        return np.asarray(column, np.float32)
    except (TypeError, ValueError, OverflowError):  # text, or lists of unequal lengths
        return column


def _bytes(value: Any) -> bytes | None:
    try:
        return base64.b64decode(value["b64"], validate=True)
    except (TypeError, KeyError, IndexError, ValueError, binascii.Error):
        return None


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
