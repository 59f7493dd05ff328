"""Certificates and tokens that authenticate client and server."""

import dataclasses
import ipaddress
import urllib.parse
from pathlib import Path

from tfrespam.core.errors import UserError


@dataclasses.dataclass(frozen=True)
class Credentials:
    """Files of certificates and tokens; they are read on each use, so that renewed ones take effect.

    Args:
        ca: Certificates to trust (PEM), if the server's is not signed by a public authority.
        certificate: The client's certificate with its chain (PEM), if the server requires one.
        key: The certificate's private key (PEM).
        token_file: A bearer token, sent with each request as `authorization: Bearer TOKEN`.
    """

    ca: str | None = None
    certificate: str | None = None
    key: str | None = None
    token_file: str | None = None

    def check(self, server: str, encrypted: bool) -> None:
        """Raise UserError for missing or unused files, and for a token that would be sent unencrypted."""
        if bool(self.certificate) != bool(self.key):
            raise UserError("a certificate and its key belong together: expected both of `certificate` and `key`. "
                            f"Received: {self.certificate or self.key} alone")  # fmt: skip
        for file in filter(None, (self.ca, self.certificate, self.key)):
            if not encrypted:
                raise UserError(f"a certificate is for encrypted servers (grpcs://, https://, kserves://). Received: "
                                f"{file} with {server!r}")  # fmt: skip
            if not Path(file).is_file():
                raise UserError(f"no such file with certificates: {file}")
        if self.token_file and not encrypted and not _is_this_machine(server):
            raise UserError(f"the token would be sent unencrypted to {server!r}: expected grpcs://, https:// or kserves://")
        self.headers()

    def headers(self) -> dict[str, str]:
        """Return the header with the token, {} without one. Raises UserError if the file cannot be read or used."""
        if not self.token_file:
            return {}
        try:
            token = Path(self.token_file).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not ASCII"
            raise UserError(f"the token in {self.token_file} cannot be read ({reason})") from None
        if not token or not token.isprintable() or " " in token:
            raise UserError(f"{self.token_file} must contain one token, a word without spaces")
        return {"authorization": f"Bearer {token}"}


def _is_this_machine(server: str) -> bool:
    try:
        host = urllib.parse.urlsplit(server if "://" in server else f"//{server}").hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
