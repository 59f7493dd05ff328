"""Fixtures for all tests: phantom data of six patients, one of them on the test list, and a trained network."""

import hypothesis
import pytest

hypothesis.settings.register_profile("tfrespam", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tfrespam")


@pytest.fixture(autouse=True)
def shown_log():
    """Print the log of library code, as a command line does."""
    from tfrespam.cli import shown_log

    with shown_log(propagate=True):  # for caplog
        yield


@pytest.fixture(scope="session")
def download(tmp_path_factory):
    """A phantom download of six patients."""
    from tfrespam.data.phantom.dataset import write_phantom

    folder = tmp_path_factory.mktemp("source") / "download"
    write_phantom(folder, patients=6, workers=1)
    return folder


@pytest.fixture(scope="session")
def data_dir(download, tmp_path_factory):
    """Folder of data sets with the prepared data set `tiny`: crops of 32 pixels."""
    from tfrespam.workflows.preparation import prepare_source

    home = tmp_path_factory.mktemp("datasets")
    prepare_source(download, home, "tiny", "roi", 1.6, 32, workers=1)
    return home


@pytest.fixture(scope="session")
def prepared(data_dir):
    from tfrespam.data.loading.prepared import Prepared

    return Prepared(data_dir / "tiny" / "roi-1.6-32")


@pytest.fixture(scope="session")
def trained(data_dir, tmp_path_factory):
    """Experiment of tiny.py with TensorBoard, trained, exported and evaluated: (experiment, run folder)."""
    import tiny

    from tfrespam.training.runs import run_folder
    from tfrespam.workflows.training import train

    experiment = tiny.experiment(tmp_path_factory.mktemp("trained"), data_dir, **tiny.SHOWN)
    train(experiment)
    return experiment, run_folder(experiment)


@pytest.fixture(scope="session")
def small_export(tmp_path_factory):
    """Folder of a served model with two equal versions of the network in small_model.py."""
    import shutil

    from small_model import small_model

    from tfrespam.workflows.exporting import export_model

    home = tmp_path_factory.mktemp("served")
    first = export_model(small_model(), home, "tfrespam", {"model": "small"})
    shutil.copytree(first, home / "tfrespam" / "2")
    return home / "tfrespam"


@pytest.fixture
def switches():
    """Reset determinism and precision, which are settings of the process, before and after the test."""
    import keras
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()
    yield
    disable_op_determinism()
    keras.mixed_precision.set_dtype_policy("float32")
