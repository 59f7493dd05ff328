from concurrent.futures import ThreadPoolExecutor

import pytest

from tfrespam.config import DataConfig, Experiment
from tfrespam.core import workers
from tfrespam.studies.comparison import forecast
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.training.estimate import Measured
from tfrespam.training.runs import TrainingRun, run_folder


@pytest.mark.parametrize("protocol", ["folds", "paper"])
def test_dry_run_reports_the_cost_of_trainings(data_dir, tmp_path, capsys, monkeypatch, protocol):
    """Estimated from measured steps; copies that do not exist yet are estimated from their expected number."""
    if protocol == "paper":
        monkeypatch.setattr(workers, "pool", ThreadPoolExecutor)
        monkeypatch.setattr(forecast, "_measured", lambda _: Measured(seconds=0.5, memory=1 << 30, disk=1 << 20))
    base = Experiment(name="b", data_dir=str(data_dir), runs_dir=str(tmp_path),
                      data=DataConfig(dataset="tiny", image_size=32))  # fmt: skip
    base.model.width, base.training.batch_size, base.training.epochs = 0.03125, 3, 7
    planned = trainings(Comparison(name="c", base=base, models=[Network("unet")], protocols=[protocol]))
    known = forecast.forecast(planned)[0]
    train = 13 * 18 * 8 // 10 if protocol == "paper" else int(TrainingRun(planned[0].experiment).splits["train"].sum())
    assert (known.epochs, known.steps, known.batch_size) == (7, train // 3, 3)
    assert 0 < known.measured.seconds < 60 and known.seconds > 7 * known.steps * known.measured.seconds
    monkeypatch.setattr(forecast, "forecast", lambda _: [known])
    forecast.print_plan(Comparison(name="c", base=base, models=[Network("unet")], protocols=[protocol]),
                      [(training, run_folder(training.experiment)) for training in planned])  # fmt: skip
    said = capsys.readouterr().out
    assert "the others take about" in said and "missing" not in said and "of disk" in said
