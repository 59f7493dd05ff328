"""Files that `predict` writes, and files of the user that it does not replace."""

import numpy as np
import pytest
from bright_blobs import blob, table, write

from tfrespam.core.errors import UserError
from tfrespam.predict import predict


def test_results_of_an_earlier_call_are_not_segmented_again(exported, tmp_path):
    write(tmp_path / "a.png", blob(20, 20))
    for _ in range(2):
        predict(str(tmp_path), output=str(tmp_path), model=str(exported))
    assert list(table(tmp_path)) == ["a"]
    with pytest.raises(UserError, match="only earlier results"):
        predict(str(tmp_path / "a_mask.png"), output=str(tmp_path), model=str(exported))


def test_files_of_the_user_are_not_replaced(exported, tmp_path):
    """As in BUSI, where the reference mask beside each image has the name of the result."""
    write(tmp_path / "a.png", blob(20, 20))
    own = write(tmp_path / "a_mask.png", np.zeros((20, 20), np.uint8)).read_bytes()
    with pytest.raises(UserError, match="a_mask.png exists and was not written by predict.*another `output`"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported))
    assert (tmp_path / "a_mask.png").read_bytes() == own and not (tmp_path / "predictions.csv").exists()
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported))


def test_a_table_of_the_user_is_not_replaced(exported, tmp_path):
    write(tmp_path / "a.png", blob(20, 20))
    (tmp_path / "predictions.csv").write_text("name,answer\na,benign\n")
    own = write(tmp_path / "a_mask.png", np.zeros((20, 20), np.uint8)).read_bytes()
    with pytest.raises(UserError, match="predictions.csv exists and was not written by predict.*another `output`"):
        predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported))
    assert "benign" in (tmp_path / "predictions.csv").read_text() and (tmp_path / "a_mask.png").read_bytes() == own


def test_an_existing_file_that_predict_would_not_write_is_allowed(exported, tmp_path):
    """A PNG gets no DICOM segmentation, so a file of that name may exist."""
    write(tmp_path / "a.png", blob(20, 20))
    (tmp_path / "a_seg.dcm").write_bytes(b"the user's")
    predict(str(tmp_path / "a.png"), output=str(tmp_path), model=str(exported), dicom_seg=True)
    assert table(tmp_path)["a"]["status"] == "ok" and (tmp_path / "a_seg.dcm").read_bytes() == b"the user's"


def test_results_in_any_folder_are_not_used_as_inputs(exported, tmp_path):
    """Also if predictions.csv contains only the rows of a later call."""
    for name in ("a", "b"):
        write(tmp_path / f"{name}.png", blob(20, 20))
        predict(str(tmp_path / f"{name}.png"), output=str(tmp_path / "out"), model=str(exported))
    predict(str(tmp_path), output=str(tmp_path / "other"), model=str(exported))
    assert list(table(tmp_path / "other")) == ["a", "b"]
    predict(str(tmp_path / "a.png"), output=str(tmp_path / "out"), model=str(exported))
    assert (tmp_path / "out" / ".predict.names").exists() and not (tmp_path / "other" / ".predict.names").exists()


def test_file_names_of_the_maximum_length_are_supported(exported, tmp_path):
    file = write(tmp_path / f"{'x' * 246}.png", blob(20, 20))
    predict(str(file), output=str(tmp_path / "out"), model=str(exported))
    assert list(table(tmp_path / "out").values())[0]["status"] == "ok"
