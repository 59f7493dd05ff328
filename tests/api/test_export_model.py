import numpy as np
import pytest
from small_model import SIZE, small_model

import tfrespam as tr
from tfrespam.core.errors import UserError


def test_versions_are_numbered_and_record_their_training_data(prepared, tmp_path):
    model, data = small_model(), tr.data.load(prepared.path)
    first = tr.export(model, tmp_path / "mine", threshold=0.4)
    second = tr.export(model, tmp_path / "mine", data=data.split("folds", fold=0)[0], weights="float16", note="a note")
    assert (first.name, second.name) == ("1", "2") and first.parent == tmp_path / "mine"
    metadata = tr.load_model(second).metadata
    assert metadata["kernels"] == "float16" and metadata["note"] == "a note" and metadata["trained_on"]["patient"]
    assert metadata["data"]["dataset"] == "tiny" and tr.load_model(first).threshold == 0.4


def test_a_data_set_without_splits_records_only_the_cropping(prepared, tmp_path):
    path = tr.export(small_model(), tmp_path / "mine", data=tr.data.load(prepared.path))
    metadata = tr.load_model(path).metadata
    assert metadata["data"]["view"] == "roi" and "trained_on" not in metadata
    image = np.random.default_rng(0).random((1, SIZE, SIZE)).astype(np.float32)
    assert tr.load_model(path).predict(image).masks.shape == (1, SIZE, SIZE)


@pytest.mark.parametrize(("options", "message"), [({"threshold": 1.5}, "`threshold`"), ({"weights": "int8"}, "int8")])
def test_wrong_options_are_refused_before_anything_is_written(options, message, tmp_path):
    with pytest.raises(UserError, match=message):
        tr.export(small_model(), tmp_path / "mine", **options)
    assert not (tmp_path / "mine").exists()
