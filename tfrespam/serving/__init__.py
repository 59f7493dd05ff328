"""Exported models: their graph, what is sent to them, and `Client`, which asks a TensorFlow Serving server.

`tfrespam.serving.Client` and its errors are imported when they are asked for; TensorFlow is not among their imports.
"""

_FAILURES = ("DeadlineExceededError", "ModelNotFoundError", "PictureRefusedError", "ServerFaultError",
             "ServerUnavailableError", "ServingError", "TooMuchDataError")  # fmt: skip


def __getattr__(name: str):
    if name == "Client":
        from tfrespam.serving.client import Client

        return Client
    if name in _FAILURES:
        from tfrespam.serving import failures

        return getattr(failures, name)
    raise AttributeError(f"module 'tfrespam.serving' has no attribute {name!r}")
