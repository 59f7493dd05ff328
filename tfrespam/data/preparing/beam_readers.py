"""Read films with an Apache Beam runner instead of a process pool of this machine."""

import base64
import contextlib
import dataclasses
import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tfrespam.core.errors import UserError
from tfrespam.data.preparing.film_examples import CropPolicy, film_examples
from tfrespam.data.preparing.film_pool import Read
from tfrespam.data.readers.records import Action, Film, LedgerRow


@contextlib.contextmanager
def reading(source: str, films: dict[str, list[Film]], policy: CropPolicy, runner: str, folder: Path) -> Iterator[Read]:
    """Yield a function that reads the films of a split with `runner`; arguments are those of `read_all`."""
    yield lambda split: read_all(source, films[split], policy, runner, folder)


def read_all(source: str, films: list[Film], policy: CropPolicy, runner: str, folder: Path) -> Iterator[tuple]:
    """Compute `film_examples` of every film, in order, with `runner`.

    Args:
        source: Name of the source's module.
        films: Films to read; workers must have the files at the same paths.
        policy: How examples are cropped.
        runner: A Beam runner, such as "DirectRunner" (here: in several processes) or "FlinkRunner"; its options come
            from the environment.
        folder: Folder for the results of the workers, on storage that all of them and this process share.

    Raises:
        UserError: Apache Beam is not installed.
    """
    try:
        import apache_beam as beam
        from apache_beam.options.pipeline_options import PipelineOptions
    except ImportError as error:
        raise UserError("`beam_runner` needs Apache Beam, which requires an older protobuf than constraints.txt: "
                        f"set up a separate environment as docs/how-to/distributed.md says ({error})") from None
    local = {"direct_running_mode": "multi_processing", "direct_num_workers": 0} if runner == "DirectRunner" else {}
    options = PipelineOptions(runner=runner, save_main_session=False, **local)
    with tempfile.TemporaryDirectory(dir=folder) as results:
        with beam.Pipeline(options=options) as pipeline:
            numbered = pipeline | beam.Create(list(enumerate(films))) | beam.Reshuffle()
            numbered | beam.Map(_read, source=source, policy=policy, results=results)
        for number in range(len(films)):
            yield from_text(_file(results, number).read_text(encoding="utf-8"))


def _read(numbered: tuple[int, Film], source: str, policy: CropPolicy, results: str) -> None:
    number, film = numbered
    temporary = _file(results, number).with_suffix(f".{uuid.uuid4()}")  # a film may be processed twice at once
    temporary.write_text(to_text(*film_examples(source, film, policy)), encoding="utf-8")
    temporary.rename(_file(results, number))


def _file(results: str, number: int) -> Path:
    return Path(results) / f"{number}.json"


def to_text(examples: list[dict], ledger: list[LedgerRow]) -> str:
    """Convert the result of `film_examples` to JSON, which cannot contain code that the shared folder injects."""
    plain = [{**example, "image": _letters(example["image"]), "mask": _letters(example["mask"]),
              "crop": example["crop"].tolist(), "pixel_spacing_mm": float(example["pixel_spacing_mm"])}
             for example in examples]  # fmt: skip
    return json.dumps([plain, [dataclasses.asdict(row) for row in ledger]])


def from_text(text: str) -> tuple[list[dict], list[LedgerRow]]:
    """Invert `to_text`."""
    plain, rows = json.loads(text)
    examples = [{**example, "image": base64.b64decode(example["image"]), "mask": base64.b64decode(example["mask"]),
                 "crop": np.array(example["crop"], np.int32),
                 "pixel_spacing_mm": np.float32(example["pixel_spacing_mm"])} for example in plain]  # fmt: skip
    return examples, [LedgerRow(**{**row, "action": Action(row["action"])}) for row in rows]


def _letters(content: bytes) -> str:
    return base64.b64encode(content).decode()
