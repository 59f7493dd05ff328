"""Command line of `demo`: a page in the browser that segments one image at a time."""

import os
import signal
import sys
from typing import Literal

from tfrespam import cli
from tfrespam.core.console import log
from tfrespam.core.errors import UserError, extra

GROUPS = {"Address and uploads": ("host", "port", "hosts", "upload_mb")}


def demo(model: str | None = None, models_dir: str = "saved_models", host: str = "127.0.0.1", port: int | None = None,
         upload_mb: int = 100, hosts: list[str] | None = None,
         log_format: Literal["text", "json"] = "text") -> None:  # fmt: skip
    """Open a local page: drop a PNG or DICOM, see contour, heat map and sizes, switch models, download the mask.

    Args:
        model: Folder of an exported model (default: a choice of all under models_dir, the newest first, else the
            pretrained one of tfrespam).
        models_dir: Folder of all exported models.
        host: Address on which the server listens; other ones than the default admit other computers, without a
            password.
        port: Port (default: 7860, or the next free one).
        upload_mb: Largest accepted file in megabytes; all files that were not read yet may have four times as much.
        hosts: Further host names under which browsers may open the page, such as those of a proxy.
        log_format: "json" writes each request, without file names, as a line of JSON to standard error.
    """
    if upload_mb < 1:
        raise UserError(f"--upload_mb must be 1 or more. Received: {upload_mb}")
    if not 0 <= (port or 0) < 2**16:
        raise UserError(f"--port must be a number from 0 to 65535. Received: {port}")
    from tfrespam.core import runtime

    offered = _models(models_dir, model)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    runtime.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the folder of images is removed
    page = _page_module()
    with page.in_memory_folder() as scratch:
        os.environ["GRADIO_TEMP_DIR"] = str(page.cache_of(scratch))
        made = page.Page(offered, scratch)
        try:
            url = made.launch(host, port, upload_mb, hosts or (), prevent_thread_lock=True)
        except OSError as error:
            raise UserError(f"the page cannot be served on {host}:{port or 'any port'} ({error}). Choose another "
                            "--host or --port") from None  # fmt: skip
        log.info(f"{url}\nPress Ctrl-C to stop the page. Images and downloads are deleted an hour after they were "
                 "made, and when the page stops")
        if host not in ("127.0.0.1", "localhost", "::1"):
            log.info("other computers can open this page: there is no password and no encryption")
        try:
            with made.swept():
                made.blocks.block_thread()
        finally:
            made.blocks.close(verbose=False)


def _models(models_dir: str, model: str | None) -> dict:
    from tfrespam.studies.demonstration.models import offered

    return offered(models_dir, model)


def _page_module():
    try:
        from tfrespam.studies.demonstration import gradio_page as page
    except ImportError as error:
        raise UserError(f"the page needs Gradio, {extra('demo')} ({error})") from None
    return page


def main() -> None:
    cli.run(demo, groups=GROUPS)


if __name__ == "__main__":
    main()
