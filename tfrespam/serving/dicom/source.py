"""Read the source header of DICOM outputs, and describe the network in them.

The identity of patient and study is copied from DICOM file to DICOM file and nowhere else.
"""

import contextlib
import dataclasses
import importlib.metadata
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid

from tfrespam.core.errors import UserError, extra
from tfrespam.data.dicom.functional_groups import merged
from tfrespam.data.dicom.reader import quiet
from tfrespam.serving.dicom.valid_header import repair

MANUFACTURER = "tfrespam"
_WORDS = re.compile(r"[A-Z][A-Za-z]{3,}")  # words of a message, which may be keywords of elements
# PS3.3 requires these in every object, possibly empty; files converted by hand often lack them
TYPE_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
          "ReferringPhysicianName", "AccessionNumber")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """Description of the network in DICOM outputs."""
    name: str  # the experiment
    version: str  # tfrespam's, and the model's
    sha256: str  # of graph and weights, of two networks with a "+" between; "" if unknown
    threshold: float | None  # probability threshold of the mask; None if only a server knows it

    @classmethod
    def of(cls, metadata: Mapping[str, Any], served: str, threshold: float | None, film: bool = False) -> "Algorithm":
        """Create the description from metadata.json if it is available, else from the model's name on the server.

        Args:
            metadata: Content of metadata.json; {} if it is not available.
            served: The model's name on a server.
            threshold: The user's threshold, or None for the model's.
            film: Whether a whole film is scanned, for which the model may have a separate threshold.
        """
        name = str(metadata.get("name") or served)
        release = importlib.metadata.version("tfrespam")
        version = f"tfrespam {release}, model {metadata.get('version', 'unknown')}"
        own = metadata.get("threshold")
        own = metadata.get("film_threshold", own) if film else own
        return cls(name, version, str(metadata.get("sha256", "")), own if threshold is None else threshold)

    def outlined_by(self, other: "Algorithm", threshold: float) -> "Algorithm":
        """Return the description of this network and another one that outlines its candidates at `threshold`."""
        model = other.version.partition("model ")[2]
        return Algorithm(f"{self.name} + {other.name}", f"{self.version} + {model}",
                         f"{self.sha256 or 'unknown'}+{other.sha256 or 'unknown'}", threshold)  # fmt: skip

    @property
    def serial_number(self) -> str:
        """Start of the hash, or of both hashes, short enough for Device Serial Number."""
        return "+".join(each[:16] for each in self.sha256.split("+")) or "unknown"

    @property
    def device_uid(self) -> UID:
        """UID of the network as the observer of a report, the same for all images."""
        return generate_uid(entropy_srcs=["device", self.name, self.version, self.sha256])

    @property
    def parameters(self) -> dict[str, str]:
        """Values for Algorithm Parameters."""
        threshold = "unknown" if self.threshold is None else f"{self.threshold:g}"
        return {"threshold": threshold, "model_sha256": self.sha256 or "unknown"}


def read_source(path: Path, removed: list[str] | None = None) -> Dataset:
    """Read the header of a DICOM file, and complete it so that objects can refer to it. Raises UserError.

    The keywords of elements with invalid values, which are left out of the objects, are appended to `removed`.
    """
    with explained():
        source = merged(pydicom.dcmread(path, stop_before_pixels=True, force=True))
        invalid = repair(source)
        if removed is not None:
            removed += invalid
        for name in TYPE_2:
            if name not in source:
                setattr(source, name, "")
        missing = [name for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
                   if not source.get(name)]  # fmt: skip
        if missing:
            raise UserError(f"no DICOM object can refer to this file: it lacks {', '.join(missing)}")
        return source


def uid_for(source: Dataset, algorithm: Algorithm, *parts: object) -> UID:
    """Derive a UID from source, network and output, so that repeated calls do not duplicate objects in an archive."""
    return generate_uid(entropy_srcs=[str(source.SOPInstanceUID), algorithm.name, algorithm.version, algorithm.sha256,
                                      *map(str, parts)])  # fmt: skip


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """Convert errors of the libraries to UserError, without their messages, which may quote patient data."""
    try:
        with quiet():
            yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f"{error.name} is not installed, {extra('dicom')}") from None
    except Exception as error:
        named = " ".join(word for word in _WORDS.findall(str(error)) if tag_for_keyword(word))
        raise UserError("no DICOM object can be made from this file's header "
                        f"({type(error).__name__}{f' about {named}' if named else ''})") from None
