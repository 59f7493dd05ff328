"""The how-to pages on user-defined parts and fine-tuning: their files and commands run unchanged."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

HOW_TO = Path(__file__).parents[1] / "docs" / "how-to"
BLOCK = re.compile(r"```(?:python|yaml)\n# (\S+)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def datasets(tmp_path_factory):
    """A small phantom download in the folder that the commands of the pages use."""
    from tfrespam.data.phantom.dataset import write_phantom

    home = tmp_path_factory.mktemp("pages")
    write_phantom(home / "datasets" / "phantom" / "download", patients=12, workers=1)
    return home


@pytest.mark.slow
@pytest.mark.parametrize("page", ["own-parts.md", "fine-tuning.md"])
def test_files_and_commands_of_a_page_work(page, datasets):
    text = (HOW_TO / page).read_text(encoding="utf-8")
    for name, content in BLOCK.findall(text):
        (datasets / name).write_text(content)
    commands = re.findall(r"^ {4}(python .+)$", text, re.MULTILINE)
    assert len(commands) == 3
    for command in commands:
        words = [sys.executable, *shlex.split(command)[1:]]
        done = subprocess.run(words, cwd=datasets, capture_output=True, text=True, timeout=800)
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
        if "initial_weights" in command:
            assert re.search(r"initial weights: (\d+) of \1 weights from", done.stdout)


def test_every_file_that_a_command_names_is_on_its_page():
    for page in ("own-parts.md", "fine-tuning.md"):
        text = (HOW_TO / page).read_text(encoding="utf-8")
        known = {name for name, _ in BLOCK.findall(text)}
        assert set(re.findall(r"(\S+\.(?:yaml|py))", "\n".join(re.findall(r"^ {4}python .+$", text, re.M)))) <= known
