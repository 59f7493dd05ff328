"""TensorFlow Serving's REST API: g3doc/api_rest.md. Needs no TensorFlow."""

import base64
import re
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from tfrespam.serving.failures import ServingError, failure

# util/net_http and http_rest_api_util of TensorFlow Serving
CODES = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED",
         502: "UNAVAILABLE", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip


class RestTransport:
    """Sends requests as JSON over HTTP.

    Args:
        address: http://host:port or https://host:port.
        model: The model's name on the server.
        version: Its number, or None.
        label: A version's label, or None.
        verify: File with the certificates to trust, or True for those of the system.
        certificate: The client's certificate and key, or None.
    """

    def __init__(self, address: str, model: str, version: int | None, label: str | None,
                 verify: str | bool = True, certificate: tuple[str, str] | None = None):  # fmt: skip
        which = f"/versions/{version}" if version is not None else f"/labels/{label}" if label else ""
        self._address = address
        self._url = f"{address.rstrip('/')}/v1/models/{model}{which}"
        self._verify, self._certificate = verify, certificate
        self._local = threading.local()

    def predict(self, signature: str, name: str, value: np.ndarray | Sequence[bytes],
                timeout: float) -> dict[str, np.ndarray | list[bytes]]:  # fmt: skip
        """The outputs of `signature` for its one input: arrays, or bytes where a name ends in _bytes."""
        rows = value.tolist() if isinstance(value, np.ndarray) else [{"b64": _text(data)} for data in value]
        answer = self._ask("POST", ":predict", timeout, {"signature_name": signature, "inputs": {name: rows}})
        outputs = answer.get("outputs")
        if outputs is None:
            raise failure("UNKNOWN", "the answer holds no outputs", self._address)
        return {key: _decoded(key, column) for key, column in _named(outputs).items()}

    def signatures(self, timeout: float) -> dict[str, Any]:
        """Names of the model's signatures, each with its inputs and outputs as the server describes them."""
        answer = self._ask("GET", "/metadata", timeout)
        try:
            return answer["metadata"]["signature_def"]["signature_def"]
        except (KeyError, TypeError):
            raise failure("UNKNOWN", "the answer describes no signatures", self._address) from None

    def versions(self, timeout: float) -> dict[int, str]:
        """State of each version that the server knows: START, LOADING, AVAILABLE, UNLOADING or END."""
        states = self._ask("GET", "", timeout).get("model_version_status", [])
        return {int(each["version"]): each["state"] for each in states}

    def close(self) -> None:
        """Nothing to do: connections are let go of with their threads."""

    def _ask(self, method: str, path: str, timeout: float, body: dict | None = None) -> dict[str, Any]:
        import requests

        try:
            reply = self._session().request(method, self._url + path, json=body, timeout=timeout)
            answer = reply.json()
        except requests.exceptions.ConnectTimeout as error:
            raise failure("UNAVAILABLE", _reason(error), self._address) from None
        except requests.exceptions.Timeout:
            raise failure("DEADLINE_EXCEEDED", f"no answer within {timeout:g} s", self._address) from None
        except requests.exceptions.JSONDecodeError:
            raise failure(CODES.get(reply.status_code, "UNKNOWN"), f"status {reply.status_code} without JSON: "
                          "no TensorFlow Serving?", self._address) from None  # fmt: skip
        except requests.exceptions.SSLError as error:
            raise failure("UNAUTHENTICATED", _reason(error), self._address) from None
        except (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError) as error:
            raise failure("UNAVAILABLE", _reason(error), self._address) from None
        except requests.exceptions.RequestException as error:
            raise failure("UNKNOWN", _reason(error), self._address) from None
        if not reply.ok or not isinstance(answer, dict):
            raise _refusal(reply.status_code, answer, self._address)
        return answer

    def _session(self):
        """One for each thread: `requests` does not promise more."""
        import requests

        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
            self._local.session.verify, self._local.session.cert = self._verify, self._certificate
        return self._local.session


def _refusal(status: int, answer: Any, address: str) -> ServingError:
    said = str(answer.get("error", "")) if isinstance(answer, dict) else ""
    return failure(CODES.get(status, "UNKNOWN"), said or f"status {status}", address)


def _named(outputs: Any) -> dict[str, Any]:
    """A signature with one output answers with its value alone."""
    return outputs if isinstance(outputs, dict) else {"": outputs}


def _decoded(name: str, column: list) -> np.ndarray | list[bytes]:
    if name.endswith("_bytes"):
        return [base64.b64decode(each["b64"]) for each in column]
    return np.asarray(column, np.float32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _reason(error: Exception) -> str:
    """The cause's own words, without the object that urllib3 puts before them."""
    cause = getattr(error.args[0], "reason", error.args[0]) if error.args else error
    return re.sub(r"^(<[^>]*>|\w+\([^)]*\)): ", "", str(cause)) or type(error).__name__
