"""The files under launch/: TF_CONFIG of each worker, as far as it can be tested without a cluster."""

import json
import subprocess
from pathlib import Path

import yaml

LAUNCH = Path(__file__).parents[1] / "launch"


def told(script: str, **variables) -> dict:
    """Return the TF_CONFIG that a shell script has set at its end."""
    answer = subprocess.run(["sh", "-euc", script + "\nprintf '%s' \"$TF_CONFIG\""], cwd=LAUNCH.parent, text=True,
                            env={"PATH": "/usr/bin:/bin", **variables}, capture_output=True, check=True)  # fmt: skip
    return json.loads(answer.stdout)


def test_every_worker_gets_the_cluster_and_its_index():
    config = told(". launch/tf_config.sh", HOSTS="host0 host1 ", INDEX="1", TFRESPAM_PORT="77")
    assert config == {"cluster": {"worker": ["host0:77", "host1:77"]}, "task": {"type": "worker", "index": 1}}


def test_kubernetes_workers_use_pod_names():
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


def test_the_slurm_script_is_valid_shell():
    subprocess.run(["bash", "-n", LAUNCH / "slurm.sbatch"], check=True)
