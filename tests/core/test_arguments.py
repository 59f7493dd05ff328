import dataclasses

import pytest

from tfrespam.core.arguments import option_names, parse
from tfrespam.core.errors import UserError


@dataclasses.dataclass
class Network:
    """Options of the network.

    Args:
        width: Factor on the channel counts.
    """

    width: float = 1.0


def stage(*files: str, network: Network = Network(), box: tuple[int, int, int, int] | None = None,  # noqa: B008
          quick: bool = False) -> None:  # fmt: skip
    """Does something with files.

    Args:
        files: The files.
        network: The network.
        box: A box.
        quick: Whether to hurry.
    """


def test_words_are_parsed_into_typed_arguments():
    files, options = parse(stage, ["a.png", "b.png", "--network.width", "0.5", "--box", "1", "2", "3", "4", "--quick"])
    assert files == ["a.png", "b.png"]
    assert options == {"network": Network(0.5), "box": (1, 2, 3, 4), "quick": True}


def test_command_line_overrides_the_file_and_the_file_overrides_defaults(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("network:\n  width: 2.0\nquick: true\n")
    given = ["a.png", "--config", str(config), "--quick", "false"]
    options = parse(stage, given, defaults={"network.width": 3.0})[1]
    assert options == {"network": Network(2.0), "box": None, "quick": False}
    assert parse(stage, ["a.png"], defaults={"network.width": 3.0})[1]["network"] == Network(3.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0), (1, 2, 0)])
def test_single_options_override_files_in_any_order(order, tmp_path):
    config, network = tmp_path / "settings.yaml", tmp_path / "network.yaml"
    config.write_text("network:\n  width: 2.0\nquick: true\n")
    network.write_text("width: 3.0\n")
    given = [["--quick", "false"], [f"--config={config}"], ["--network", str(network)]]
    options = parse(stage, ["a.png", *(word for place in order for word in given[place])])[1]
    assert options == {"network": Network(3.0), "box": None, "quick": False}
    given[2] = ["--network.width", "4"]
    assert parse(stage, ["a.png", *(word for place in order for word in given[place])])[1]["network"] == Network(4.0)


def test_the_last_config_file_overrides_earlier_ones(tmp_path):
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("network:\n  width: 2.0\nquick: true\n")
    second.write_text("network:\n  width: 3.0\n")
    options = parse(stage, ["a.png", "--config", str(first), "--config", str(second)])[1]
    assert options == {"network": Network(3.0), "box": None, "quick": True}


@pytest.mark.parametrize(("words", "message"), [
    (["a", "--netwrok.width", "1"], r"Did you mean --network.width\?"), (["a", "--network.width", "wide"], "width"),
    ([], "arguments are required: files"),
])  # fmt: skip
def test_invalid_words_are_reported(words, message):
    with pytest.raises(UserError, match=message):
        parse(stage, words)


def test_key_without_a_value_is_refused(tmp_path):
    config = tmp_path / "settings.yaml"
    config.write_text("network:\n  width:\n")
    with pytest.raises(UserError, match="--network.width has no value"):
        parse(stage, ["a.png", "--config", str(config)])


def test_option_names_are_joined_by_dots():
    assert option_names(stage) == ["files", "network", "network.width", "box", "quick"]
