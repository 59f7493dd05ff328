"""Exported models: graph, inference on this machine, and `Client` for a model server.

`tfrespam.serving.Client` and its errors are imported on first use and do not import TensorFlow.
"""

_FAILURES = ("CredentialsError", "DeadlineExceededError", "ImageRefusedError", "ModelNotFoundError",
             "ServerBusyError", "ServerFaultError", "ServerUnavailableError", "ServingError", "TooMuchDataError",
             "WrongAnswerError")  # fmt: skip


def __getattr__(name: str):
    if name == "Client":
        from tfrespam.serving.client.client import Client

        return Client
    if name in _FAILURES:
        from tfrespam.serving.client import failures

        return getattr(failures, name)
    raise AttributeError(f"module 'tfrespam.serving' has no attribute {name!r}")
