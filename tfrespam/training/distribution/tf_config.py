"""Index of this worker and number of workers, from the environment variable TF_CONFIG."""

import dataclasses
import json
import os

from tfrespam.core.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class WorkerTask:
    """Worker `index` of `workers`. The chief, worker 0, writes the files."""

    index: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        return self.index == 0


def worker_task(strategy: str) -> WorkerTask:
    """Read TF_CONFIG for strategy "multiworker"; any other strategy has a single process. Raises UserError."""
    if strategy != "multiworker":
        return WorkerTask()
    received = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(received)
        cluster, task = config["cluster"], config["task"]
        chiefs, workers = len(cluster.get("chief", ())), len(cluster["worker"])
        kind, index = task["type"], int(task["index"])
        place = WorkerTask(index if kind == "chief" else chiefs + index, chiefs + workers)
        if kind not in ("chief", "worker") or place.index >= place.workers or index < 0:
            raise ValueError(f"task {task} is not in the cluster")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"`strategy` multiworker needs the environment variable TF_CONFIG, for instance {EXAMPLE}, "
                        f"with a different task on each machine ({error!r}). "
                        f"Received: {received or 'nothing'}") from None
    return place
