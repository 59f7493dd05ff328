import pytest

from tfrespam.config import Experiment
from tfrespam.core import yaml_files
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]\n" for k in range(1, 10))


@pytest.mark.parametrize("text", [BOMB, "a: &a [*a, *a]", "[" * 100 + "]" * 100, "a: " + "x" * yaml_files.MOST_BYTES,
                                  "- x\n" * (yaml_files.MOST_VALUES + 1)])  # fmt: skip
def test_alias_bombs_and_large_files_are_rejected(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    for read in (yaml_files.check, yaml_files.load, lambda file: parse(Experiment, ["--config", str(file)]),
                 lambda file: parse(Experiment, [f"--config={file}"])):  # fmt: skip
        with pytest.raises(UserError, match="a.yaml"):
            read(tmp_path / "a.yaml")


def test_ordinary_aliases_are_loaded(tmp_path):
    (tmp_path / "a.yaml").write_text("a: &a {x: 1, y: [1, 2]}\nb: *a\nc: [*a, *a]\n")
    assert yaml_files.load(tmp_path / "a.yaml")["c"] == [{"x": 1, "y": [1, 2]}] * 2


def test_missing_and_invalid_files_pass_the_size_check(tmp_path):
    yaml_files.check(tmp_path / "none.yaml")
    for content in (b"a: [", b"\xff\xfe\0", b""):
        (tmp_path / "a.yaml").write_bytes(content)
        yaml_files.check(tmp_path / "a.yaml")
