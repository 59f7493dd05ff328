"""Films read by an Apache Beam runner instead of this machine's process pool."""

import pickle
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from tfrespam.data.examples import CropPolicy, film_examples
from tfrespam.data.records import Film
from tfrespam.errors import UserError


def read_all(source: str, films: list[Film], policy: CropPolicy, runner: str, folder: Path) -> Iterator[tuple]:
    """`film_examples` of every film, in order, computed by `runner`.

    Args:
        source: Name of the source's module.
        films: What to read; the workers must reach the files under the same paths.
        policy: How examples are cut.
        runner: A Beam runner, such as "DirectRunner" (here: in several processes) or "FlinkRunner"; its own options
            come from the environment.
        folder: Where the workers leave their results, on storage that all of them and this process share.

    Raises:
        UserError: Apache Beam is not installed.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError("--beam_runner needs Apache Beam, which wants a protobuf older than constraints.txt pins: "
                        f"set up an environment of its own as docs/distributed.md says ({error})") from None
    local = {"direct_running_mode": "multi_processing", "direct_num_workers": 0} if runner == "DirectRunner" else {}
    options = PipelineOptions(runner=runner, save_main_session=False, **local)
    with tempfile.TemporaryDirectory(dir=folder) as results:
        with beam.Pipeline(options=options) as pipeline:
            numbered = pipeline | beam.Create(list(enumerate(films))) | beam.Reshuffle()
            numbered | beam.Map(_read, source=source, policy=policy, results=results)
        for number in range(len(films)):
            yield pickle.loads(_file(results, number).read_bytes())


def _read(numbered: tuple[int, Film], source: str, policy: CropPolicy, results: str) -> None:
    number, film = numbered
    temporary = _file(results, number).with_suffix(f".{uuid.uuid4()}")  # a runner may do the same work twice at once
    temporary.write_bytes(pickle.dumps(film_examples(source, film, policy)))
    temporary.rename(_file(results, number))


def _file(results: str, number: int) -> Path:
    return Path(results) / f"{number}.pickle"
