"""Profile of a TensorFlow function: time by kind of operation."""

import glob
import tempfile
from collections import Counter
from collections.abc import Callable

import tensorflow as tf


def by_operation(call: Callable[[], object], calls: int = 5) -> dict[str, float]:
    """Measure the seconds of one `call` in each kind of TensorFlow operation, largest first, summed over threads.

    The overhead of the profiler is included. Operations that run in parallel add up to more than the wall-clock time.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    call()
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(calls):
                call()
        (file,) = glob.glob(f"{folder}/**/*.xplane.pb", recursive=True)
        space = xplane_pb2.XSpace()
        with open(file, "rb") as opened:
            space.ParseFromString(opened.read())
    total = Counter()
    for plane in space.planes:
        if plane.name == "/host:CPU":
            for line in plane.lines:
                total.update(_own_seconds(plane, line))
    return {kind: seconds / calls for kind, seconds in total.most_common()}


def _own_seconds(plane, line) -> Counter:
    """Sum the time of one thread's operations ("name:Kind"), excluding operations nested in them."""
    seconds, open_until = Counter(), []
    for event in sorted(line.events, key=lambda event: (event.offset_ps, -event.duration_ps)):
        name = plane.event_metadata[event.metadata_id].name
        _, colon, kind = name.rpartition(":")
        if not colon or not kind.isidentifier():
            continue
        end = event.offset_ps + event.duration_ps
        while open_until and open_until[-1][0] <= event.offset_ps:
            open_until.pop()
        if open_until:  # an operation inside another: a function call
            seconds[open_until[-1][1]] -= event.duration_ps / 1e12
        seconds[kind] += event.duration_ps / 1e12
        open_until.append((end, kind))
    return seconds
