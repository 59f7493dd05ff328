"""This process among those that train together, as the environment variable TF_CONFIG names them."""

import dataclasses
import json
import os

from tfrespam.errors import UserError

EXAMPLE = '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'


@dataclasses.dataclass(frozen=True)
class Workplace:
    """Worker `index` of `workers`; the chief, number 0, is the one that writes."""

    index: int = 0
    workers: int = 1

    @property
    def chief(self) -> bool:
        return self.index == 0


def workplace(strategy: str) -> Workplace:
    """What TF_CONFIG says under strategy "multiworker"; a single process under every other. Raises UserError."""
    if strategy != "multiworker":
        return Workplace()
    received = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(received)
        cluster, task = config["cluster"], config["task"]
        chiefs, workers = len(cluster.get("chief", ())), len(cluster["worker"])
        kind, index = task["type"], int(task["index"])
        place = Workplace(index if kind == "chief" else chiefs + index, chiefs + workers)
        if kind not in ("chief", "worker") or place.index >= place.workers or index < 0:
            raise ValueError(f"task {task} is not in the cluster")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"--strategy multiworker needs the environment variable TF_CONFIG, for instance {EXAMPLE}, "
                        f"with its own task on each machine ({error!r}). Received: {received or 'nothing'}") from None
    return place
