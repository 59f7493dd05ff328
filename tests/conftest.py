"""Data and a trained network, made once for all tests: six phantom patients, one of them on the test list."""

import hypothesis
import pytest

hypothesis.settings.register_profile("tfrespam", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tfrespam")


@pytest.fixture(scope="session")
def download(tmp_path_factory):
    """A phantom download of six patients."""
    from tfrespam.data.phantom import write_phantom

    folder = tmp_path_factory.mktemp("source") / "download"
    write_phantom(folder, patients=6, workers=1)
    return folder


@pytest.fixture(scope="session")
def data_dir(download, tmp_path_factory):
    """A home with the data set `tiny`: crops of 32 pixels."""
    from tfrespam.prepare import prepare_source

    home = tmp_path_factory.mktemp("datasets")
    prepare_source(download, home, "tiny", "roi", 1.6, 32, workers=1)
    return home


@pytest.fixture(scope="session")
def prepared(data_dir):
    from tfrespam.data.prepared import Prepared

    return Prepared(data_dir / "tiny" / "roi-1.6-32")


@pytest.fixture(scope="session")
def trained(data_dir, tmp_path_factory):
    """The experiment of tiny.py, trained, exported and judged: (experiment, run folder)."""
    import tiny

    from tfrespam.train import run_folder, train

    experiment = tiny.experiment(tmp_path_factory.mktemp("trained"), data_dir)
    train(experiment)
    return experiment, run_folder(experiment)


@pytest.fixture(scope="session")
def small_export(tmp_path_factory):
    """A served model's folder with two equal versions of the network in small_model.py."""
    import shutil

    from small_model import small_model

    from tfrespam.export import export_model

    home = tmp_path_factory.mktemp("served")
    first = export_model(small_model(), home, "tfrespam", {"model": "small"})
    shutil.copytree(first, home / "tfrespam" / "2")
    return home / "tfrespam"


@pytest.fixture
def switches():
    """Determinism and precision, which hold for a whole process, are as at its start before and after the test."""
    import keras
    from tensorflow.python.framework.config import disable_op_determinism

    disable_op_determinism()
    yield
    disable_op_determinism()
    keras.mixed_precision.set_dtype_policy("float32")
