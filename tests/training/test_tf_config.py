import json

import pytest

from tfrespam.core.errors import UserError
from tfrespam.training.distribution import tf_config
from tfrespam.training.distribution.tf_config import WorkerTask

CLUSTER = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(("cluster", "task", "expected"), [
    (CLUSTER, {"type": "worker", "index": 1}, WorkerTask(1, 2)),
    (CLUSTER | {"chief": ["c:1"]}, {"type": "worker", "index": 0}, WorkerTask(1, 3)),
    (CLUSTER | {"chief": ["c:1"]}, {"type": "chief", "index": 0}, WorkerTask(0, 3)),
])  # fmt: skip
def test_the_chief_has_index_zero(cluster, task, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert tf_config.worker_task("multiworker") == expected
    assert tf_config.worker_task("mirrored") == WorkerTask()


@pytest.mark.parametrize("text", [
    "", "{", "{}", "[]", json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
    json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
])  # fmt: skip
def test_missing_or_invalid_tf_config_is_rejected(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="needs the environment variable TF_CONFIG, for instance"):
        tf_config.worker_task("multiworker")
