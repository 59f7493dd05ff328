"""What DICOM outputs take over from the file that they are about, and what they say about the network that made them.

The patient's and the study's identity go from one DICOM file to another and nowhere else.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid

from tfrespam.data.dicom import quiet
from tfrespam.errors import UserError

MANUFACTURER = "tfrespam"
# PS3.3 wants these in every object, if only empty; films converted by hand often lack them
TYPE_2 = ("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "StudyID",
          "ReferringPhysicianName", "AccessionNumber")  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Algorithm:
    """The network, as its outputs name it."""

    name: str  # the experiment
    version: str  # tfrespam's, and the model's
    sha256: str  # of graph and weights; "" when unknown
    threshold: float | None  # None when only a server knows it

    @classmethod
    def of(cls, metadata: Mapping[str, Any], served: str, threshold: float | None, film: bool = False) -> "Algorithm":
        """From metadata.json where it is at hand; `served` names the model otherwise.

        Args:
            metadata: {} when it is not at hand.
            served: The model's name on a server.
            threshold: The user's, or None for the model's own.
            film: Whether for a scan of a whole film, which may have a threshold of its own.
        """
        from tfrespam import __version__

        name = str(metadata.get("name") or served)
        version = f"tfrespam {__version__}, model {metadata.get('version', 'unknown')}"
        own = metadata.get("threshold")
        own = metadata.get("film_threshold", own) if film else own
        return cls(name, version, str(metadata.get("sha256", "")), own if threshold is None else threshold)

    @property
    def serial_number(self) -> str:
        """Short enough for Device Serial Number, and other weights have another."""
        return self.sha256[:16] or "unknown"

    @property
    def parameters(self) -> dict[str, str]:
        """What Algorithm Parameters tells."""
        threshold = "unknown" if self.threshold is None else f"{self.threshold:g}"
        return {"threshold": threshold, "model_sha256": self.sha256 or "unknown"}


def read_source(path: Path) -> Dataset:
    """The header of the DICOM file at `path`, completed so that objects about it can be made. Raises UserError."""
    with explained():
        source = pydicom.dcmread(path, stop_before_pixels=True)
        _name_character_sets(source)
        for name in TYPE_2:
            if name not in source:
                setattr(source, name, "")
        missing = [name for name in ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
                   if not source.get(name)]  # fmt: skip
        if missing:
            raise UserError(f"no DICOM object can refer to this file: it lacks {', '.join(missing)}")
        return source


def _name_character_sets(source: Dataset) -> None:
    """Of several sets, among them those of Japan and Korea, highdicom knows some: such texts become UTF-8."""
    given = source.get("SpecificCharacterSet")
    if not given:
        source.pop("SpecificCharacterSet", None)
    elif not isinstance(given, str):
        source.decode()
        source.SpecificCharacterSet = "ISO_IR 192"


def uid_for(source: Dataset, algorithm: Algorithm, *parts: object) -> UID:
    """The same UID for the same output of the same network, so that a repeated call does not fill an archive twice."""
    return generate_uid(entropy_srcs=[str(source.SOPInstanceUID), algorithm.name, algorithm.version, algorithm.sha256,
                                      *map(str, parts)])  # fmt: skip


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """What a header may do to the libraries as UserError, without their sentences, which may quote a patient's data."""
    try:
        with quiet():
            yield
    except UserError:
        raise
    except ImportError as error:
        raise UserError(f'{error.name} is not installed: pip install "tfrespam[dicom]" brings it') from None
    except Exception as error:
        raise UserError(f"no DICOM object can be made from this file's header ({type(error).__name__})") from None
