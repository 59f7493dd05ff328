"""Write the reduced real films as a download, with the tool that lies beside them."""

import os
import subprocess
import sys
from pathlib import Path


def make_tree(out: Path, *options: str) -> Path:
    """Write a download into `out` and return it. TFRESPAM_REAL_DATA must name the folder of the films."""
    tool = Path(os.environ["TFRESPAM_REAL_DATA"]).resolve().parent.parent / "tools" / "make_cbis_tree.py"
    subprocess.run([sys.executable, str(tool), str(out), *options], check=True, capture_output=True)
    return out
