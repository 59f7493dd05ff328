import numpy as np
import pytest
from fake_runs import write_run

from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.collect import Scores, shared_images
from tfrespam.training.run_results import RunResults

FULL, HALF, MISSED = (40, 0, 0), (20, 20, 20), (0, 0, 40)  # Dice 1, 0.5, 0


def run(folder, images, **facts) -> RunResults:
    return RunResults.read(write_run(folder, images, **facts))


def test_folds_are_pooled(tmp_path):
    first = run(tmp_path / "0", {"b 1": HALF, "a 1": FULL})
    second = run(tmp_path / "1", {"c 1": MISSED})
    scores = Scores.pool([first, second])
    assert scores.images.tolist() == ["a_1 0", "b_1 0", "c_1 0"] and scores.patients.tolist() == ["a", "b", "c"]
    assert scores.columns["dice"].tolist() == [1, 0.5, 0]
    assert scores.columns["tp"].tolist() == [40, 20, 0]


def test_seeds_are_averaged_image_by_image(tmp_path):
    first, second = run(tmp_path / "0", {"a 1": FULL, "b 1": HALF}), run(tmp_path / "1", {"a 1": MISSED, "b 1": HALF})
    scores = Scores.pool([first, second])
    assert scores.columns["dice"].tolist() == [0.5, 0.5] and scores.columns["fn"].tolist() == [20, 20]


def test_an_image_evaluated_by_one_seed_counts_once(tmp_path):
    scores = Scores.pool([run(tmp_path / "0", {"a 1": FULL, "b 1": FULL}), run(tmp_path / "1", {"a 1": MISSED})])
    assert scores.columns["dice"].tolist() == [0.5, 1]  # mean 0.75, not 2/3


def test_copies_of_a_lesion_count_as_separate_images(tmp_path):
    scores = Scores.pool([run(tmp_path / "0", {"a 1 0": FULL, "a 1 7": HALF})])
    assert scores.images.tolist() == ["a_1 0", "a_1 7"] and scores.patients.tolist() == ["a", "a"]


def test_shared_images_have_a_common_order(tmp_path):
    first = Scores.pool([run(tmp_path / "0", {"a 1": FULL, "b 1": HALF, "c 1": FULL})])
    second = Scores.pool([run(tmp_path / "1", {"c 1": MISSED, "b 1": FULL})])
    shared = shared_images([first, second])
    assert shared == ["b_1 0", "c_1 0"]
    assert first.only(shared).columns["dice"].tolist() == [0.5, 1]
    assert second.only(shared).columns["dice"].tolist() == [1, 0]
    assert shared_images([]) == []


def test_the_split_named_in_the_summary_is_read(tmp_path):
    found = run(tmp_path / "0", {"a 1": FULL}, split="test", seconds=4.5)
    assert found.training_seconds == pytest.approx(9)
    assert [row["loss"] for row in found.history] == [1, 0.5]
    assert found.probe is None and found.summary["split"] == "test"


def test_a_run_without_its_images_is_an_error(tmp_path):
    folder = write_run(tmp_path / "0", {"a 1": FULL})
    (folder / "validation" / "per_image.csv").unlink()
    with pytest.raises(UserError, match="per_image.csv is missing"):
        RunResults.read(folder)


def test_many_images_and_runs_agree_with_a_loop(tmp_path):
    random = np.random.default_rng(0)
    several = [{f"p{k} {k % 3}": (int(random.integers(1, 30)), 5, 5) for k in random.permutation(30)[:20]}
               for _ in range(3)]  # fmt: skip
    runs = [run(tmp_path / str(number), images) for number, images in enumerate(several)]
    scores = Scores.pool(runs)
    for name, value in zip(scores.images, scores.columns["dice"], strict=True):
        mine = [float(row["dice"]) for each in runs for row in each.images if f"{row['lesion_id']} 0" == name]
        assert value == pytest.approx(np.mean(mine))
