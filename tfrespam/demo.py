"""Stage `demo`: a page in the browser for one picture at a time."""

import os
import signal
import sys

from tfrespam import cli
from tfrespam.errors import UserError


def demo(model: str | None = None, models_dir: str = "saved_models", host: str = "127.0.0.1", port: int | None = None,
         upload_mb: int = 100) -> None:  # fmt: skip
    """Opens a local page: drop a PNG or DICOM, see contour, heat map and sizes, switch models, download the mask.

    Args:
        model: Folder of an exported model (default: all under models_dir to choose from, the newest first, or else the
            pretrained one that comes with tfrespam).
        models_dir: Home of exported models.
        host: Address that is listened on; anything but the default lets other computers in, without a password.
        port: Port (default: 7860, or the next free one).
        upload_mb: Largest file that is taken, in megabytes.
    """
    if upload_mb < 1:
        raise UserError(f"--upload_mb must be 1 or more. Received: {upload_mb}")
    if not 0 <= (port or 0) < 2**16:
        raise UserError(f"--port must be a number from 0 to 65535. Received: {port}")
    from tfrespam import runtime

    offered = _models(models_dir, model)
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # read when Gradio is imported
    runtime.start()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing stays behind
    page = _page_module()
    with page.in_memory_folder() as scratch:
        os.environ["GRADIO_TEMP_DIR"] = str(scratch)  # uploads
        made = page.Page(offered, scratch)
        try:
            url = made.launch(host, port, upload_mb, prevent_thread_lock=True)
        except OSError as error:
            raise UserError(f"the page cannot be served on {host}:{port or 'any port'} ({error}). Choose another "
                            "--host or --port") from None  # fmt: skip
        cli.console.print(f"{url}\nCtrl-C ends it; nothing is kept")
        if host not in ("127.0.0.1", "localhost", "::1"):
            cli.console.print("other computers can open this page: there is no password and no encryption")
        try:
            made.blocks.block_thread()
        finally:
            made.blocks.close(verbose=False)


def _models(models_dir: str, model: str | None) -> dict:
    from tfrespam.demonstration.models import offered

    return offered(models_dir, model)


def _page_module():
    try:
        from tfrespam.demonstration import page
    except ImportError as error:
        raise UserError(f"the page needs Gradio ({error}). Install it with: pip install 'tfrespam[demo]'") from None
    return page


def main() -> None:
    cli.run(demo)


if __name__ == "__main__":
    main()
