"""Certificates for tests, made by the `openssl` command: of an authority, a server and a client."""

import subprocess
from pathlib import Path

import pytest


def make(folder: Path) -> Path:
    """Write ca.pem, server.pem, client.pem and stranger.pem (signed by an unknown authority) with their .key files."""
    folder.mkdir(exist_ok=True)
    try:
        for name in ("ca", "stranger"):
            _openssl("req", "-x509", *_key(folder, name), "-days", "2", "-subj", f"/CN={name}", "-out",
                     folder / f"{name}.pem")  # fmt: skip
        for name in ("server", "client"):
            _openssl("req", "-x509", *_key(folder, name), "-days", "2", "-subj", "/CN=localhost", "-addext",
                     "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
                     "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-out", folder / f"{name}.pem")  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl is not installed, or too old")
    return folder


def _key(folder: Path, name: str) -> list:
    return ["-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}.key"]


def _openssl(*words) -> None:
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
