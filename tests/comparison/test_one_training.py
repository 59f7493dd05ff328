from pathlib import Path

import pytest

from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.one_training import experiment_of

FOLDER = Path(__file__).parents[2] / "experiments"


def test_an_experiment_is_read_with_its_overrides():
    found = experiment_of(FOLDER / "respam_paper.yaml", ["--training.epochs", "3", "--data_dir", "elsewhere"])
    assert (found.name, found.data.protocol, found.model.width) == ("respam_paper", "paper", 1.0)
    assert (found.training.epochs, found.data_dir) == (3, "elsewhere")


def test_the_named_training_of_a_comparison_is_selected():
    found = experiment_of(FOLDER / "leakage.yaml", ["--base.training.ema", "0.5"], network="U-Net", protocol="paper")
    assert (found.model.name, found.data.protocol, found.training.epochs) == ("unet", "paper", 20)
    assert found.training.ema == 0.5 and found.model.options["batch_normalization"] is True


@pytest.mark.parametrize(("network", "protocol", "count"), [("unet", "", 2), ("", "folds", 2), ("segnet", "folds", 0)])
def test_none_or_several_matches_are_rejected_with_the_known_names(network, protocol, count):
    with pytest.raises(UserError, match=rf": {count} trainings match. Expected one.*U-Net, controlled recipe"):
        experiment_of(FOLDER / "leakage.yaml", network=network, protocol=protocol)


def test_a_file_that_cannot_be_read_is_reported(tmp_path):
    with pytest.raises(UserError, match=r"none.yaml cannot be read"):
        experiment_of(tmp_path / "none.yaml")
