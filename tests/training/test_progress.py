import logging
import re

from tfrespam.training.progress import EpochLines


def test_each_epoch_has_a_line_with_its_scores(caplog):
    lines = EpochLines(epochs=2, steps=4)
    with caplog.at_level(logging.INFO, "tfrespam"):
        lines.on_epoch_begin(1)
        for batch in (1, 3):  # two steps a call
            lines.on_train_batch_end(batch)
        lines.on_epoch_end(1, {"loss": 0.5, "val_dice": 0.25, "other": 1.0})
        lines.on_train_end()
    (record,) = caplog.records
    assert re.fullmatch(r"epoch   2/2  loss 0\.5000  val_dice 0\.2500  \d+\.\d s", record.getMessage())


def test_training_without_an_epoch_prints_nothing(capsys):
    EpochLines(epochs=1, steps=1).on_train_end()
    assert capsys.readouterr() == ("", "")
