"""Check every request to the page, and add headers that prevent browsers from executing uploads."""

import asyncio
import ipaddress
import logging
import re
import socket
import urllib.parse
from collections.abc import Iterable
from pathlib import Path

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tfrespam.studies.demonstration.uploads import Uploads

LOGGER = logging.getLogger(__name__)
LOOPBACK = ("127.0.0.1", "localhost", "::1")
IMAGES = ("image/png", "image/jpeg", "image/webp")  # images that browsers may display
# Gradio's page has inline scripts and styles; nothing is loaded from elsewhere, and framing is forbidden
POLICY = ("default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; frame-ancestors 'none'; object-src 'none'; "
          "base-uri 'self'; form-action 'self'")  # fmt: skip
FILE, UPLOAD = re.compile(r"(?:^|/)file[=/](.*)", re.DOTALL), "/gradio_api/upload"
UPLOAD_SECONDS = 300
REFUSED = ("/gradio_api/proxy=", "/gradio_api/stream", "/gradio_api/component_server", "/gradio_api/process_recording",
           "/gradio_api/vibe", "/gradio_api/undo-vibe", "/gradio_api/custom_component", "/gradio_api/deep_link",
           "/monitoring", "/gradio_api/run/", "/gradio_api/api/", "/gradio_api/call/")  # fmt: skip


class Guard:
    """ASGI middleware that rejects requests of other web pages, for other host names, and too many uploads.

    Other pages that a user visits can send requests here, and can resolve their name to this machine's address (DNS
    rebinding); Origin and Host are therefore checked.

    Args:
        app: The page.
        hosts: Names and addresses under which the page may be requested.
        folder: Folder of all files that the page may serve, its images and downloads.
        uploads: Folder of uploads, with its limits; it may be inside `folder`.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str], folder: Path, uploads: Uploads):
        self._app, self._hosts = app, {host.lower() for host in hosts}
        self._folder, self._uploads = folder.resolve(), uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Reject the request, or pass it on."""
        if scope["type"] == "lifespan":
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        if scope["type"] != "http":
            return await send({"type": "websocket.close", "code": 1008})  # the page uses none
        if reason := self._refusal(scope, headers):
            LOGGER.warning("refused %s %a: %s", scope["method"], _service(scope["path"]), reason)
            return await _answer(403, reason, scope, receive, send)
        if scope["path"].rstrip("/") == UPLOAD and scope["method"] == "POST":
            return await self._upload(scope, headers, receive, send)
        return await self._app(scope, receive, _Hardened(send, scope["path"]))

    def _refusal(self, scope: Scope, headers: Headers) -> str:
        """Return why a request is rejected, or ""."""
        host = _name(headers.get("host", ""))
        if host not in self._hosts:
            return "unknown host name (Host): start the demo with --hosts to allow it"
        origin = headers.get("origin")
        if origin is not None and origin.partition("://")[2].lower() != headers["host"].lower():
            return "the request comes from another website (Origin)"
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_visit(scope, headers):
            return "the request comes from another website (Sec-Fetch-Site)"
        if scope["path"].startswith(REFUSED):
            return "this Gradio endpoint is disabled"
        file = FILE.search(scope["path"])
        return "" if file is None or self._may_give_out(file[1]) else "this file is not served"

    def _may_give_out(self, name: str) -> bool:
        try:
            path = Path(name).resolve()
        except (OSError, RuntimeError, ValueError):  # loops of links, NUL bytes
            return False
        return path.is_relative_to(self._folder) and not self._uploads.holds(path)

    async def _upload(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if not headers.get("content-length", "").isdecimal():
            return await _answer(411, "an upload needs the header Content-Length", scope, receive, send)
        length = int(headers["content-length"])
        if not self._uploads.reserve(length):
            LOGGER.warning("refused an upload of %d bytes: the limit of all uploads together", length)
            return await _answer(413, "the uploads exceed their limit: retry in two minutes", scope, receive, send)
        try:
            async with asyncio.timeout(UPLOAD_SECONDS):
                await self._app(scope, receive, _Hardened(send, scope["path"]))
        finally:
            self._uploads.release(length)


class _Hardened:
    """Pass an answer on with security headers."""

    def __init__(self, send: Send, path: str):
        self._send, self._path = send, path

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            LOGGER.debug("%a: %d", _service(self._path), message["status"], extra={"status": message["status"]})
            headers = MutableHeaders(scope=message)
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "no-referrer"
            headers["x-frame-options"] = "DENY"
            headers["cross-origin-resource-policy"] = "same-origin"
            headers["content-security-policy"] = POLICY
            if FILE.search(self._path):
                headers["content-security-policy"] = "sandbox allow-downloads; default-src 'none'"
                if headers.get("content-type", "").partition(";")[0] not in IMAGES:
                    headers["content-type"] = "application/octet-stream"
                    headers["content-disposition"] = _attachment(headers.get("content-disposition", ""))
        await self._send(message)


def hosts(listened: str, named: Iterable[str] = ()) -> set[str]:
    """Return the host names for a page that listens on `listened`, including the `named` ones.

    A page that listens on all addresses has those of this machine and its name.
    """
    found = {*LOOPBACK, listened, *named}
    if listened in ("0.0.0.0", "::"):
        name = socket.gethostname()
        found |= {name, socket.getfqdn(), *_addresses(name)}
    return {host.lower() for host in found}


def _addresses(name: str) -> set[str]:
    try:
        return {str(ipaddress.ip_address(each[4][0].partition("%")[0])) for each in socket.getaddrinfo(name, None)}
    except OSError:
        return set()


def _is_visit(scope: Scope, headers: Headers) -> bool:
    """Return whether a user follows a link to the page, which is visible and changes nothing."""
    return scope["method"] in ("GET", "HEAD") and headers.get("sec-fetch-dest") == "document" and scope["path"] == "/"


def _service(path: str) -> str:
    """Remove the file from a path, because its name may be that of a patient."""
    return re.split("[=]|/file/", path)[0][:100]


def _name(host: str) -> str:
    """Return the name in a Host header, without port and the brackets of an IPv6 address."""
    try:
        return (urllib.parse.urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _attachment(disposition: str) -> str:
    name = disposition.partition(";")[2]
    return f"attachment;{name}" if name else "attachment"


async def _answer(status: int, reason: str, scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(f"{reason}\n", status)(scope, receive, _Hardened(send, scope["path"]))
