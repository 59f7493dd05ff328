"""The files under launch/: what each worker would be told, as far as it can be seen without a cluster."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tfrespam import workplace
from tfrespam.errors import UserError
from tfrespam.workplace import Workplace

LAUNCH = Path(__file__).parents[1] / "launch"


def told(script: str, **variables) -> dict:
    """The TF_CONFIG that a shell script has set at its end."""
    answer = subprocess.run(["sh", "-euc", script + "\nprintf '%s' \"$TF_CONFIG\""], cwd=LAUNCH.parent, text=True,
                            env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, check=True)  # fmt: skip
    return json.loads(answer.stdout)


def test_every_worker_is_told_the_cluster_and_its_place():
    config = told(". launch/tf_config.sh", HOSTS="host0 host1 ", INDEX="1", TFRESPAM_PORT="77")
    assert config == {"cluster": {"worker": ["host0:77", "host1:77"]}, "task": {"type": "worker", "index": 1}}


def test_kubernetes_names_its_pods():
    service, job = yaml.safe_load_all((LAUNCH / "kubernetes.yaml").read_text())
    spec = job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    script = container["args"][0].split("exec ")[0]
    config = told(script, WORKERS="2", JOB_COMPLETION_INDEX="1")
    names = [f"{job['metadata']['name']}-{index}.{spec['subdomain']}" for index in range(job["spec"]["completions"])]
    port = service["spec"]["ports"][0]["port"]
    assert config["cluster"]["worker"] == [f"{name}:{port}" for name in names]
    assert service["metadata"]["name"] == spec["subdomain"] and container["ports"][0]["containerPort"] == port
    assert service["spec"]["selector"].items() <= job["spec"]["template"]["metadata"]["labels"].items()


def test_slurms_script_is_valid_shell():
    subprocess.run(["bash", "-n", LAUNCH / "slurm.sbatch"], check=True)


CLUSTER = {"worker": ["a:1", "b:1"]}


@pytest.mark.parametrize(("cluster", "task", "expected"), [
    (CLUSTER, {"type": "worker", "index": 1}, Workplace(1, 2)),
    (CLUSTER | {"chief": ["c:1"]}, {"type": "worker", "index": 0}, Workplace(1, 3)),
    (CLUSTER | {"chief": ["c:1"]}, {"type": "chief", "index": 0}, Workplace(0, 3)),
])  # fmt: skip
def test_the_chief_is_the_first(cluster, task, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": task}))
    assert workplace.workplace("multiworker") == expected
    assert workplace.workplace("mirrored") == Workplace()


@pytest.mark.parametrize("text", [
    "", "{", "{}", "[]", json.dumps({"cluster": CLUSTER, "task": {"type": "ps", "index": 0}}),
    json.dumps({"cluster": CLUSTER, "task": {"type": "worker", "index": 2}}),
])  # fmt: skip
def test_without_a_place_there_is_no_work(text, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="needs the environment variable TF_CONFIG, for instance"):
        workplace.workplace("multiworker")
