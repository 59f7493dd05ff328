"""Damaged pictures and DICOM files by the thousand, for the readers that a user's files go through.

    python tests/data/fuzz_readers.py --seconds 600 --first 0

makes case 0, 1, 2, … (each from its number alone), reads them in a process of its own, and tells those that crash it,
take over 5 s of processor time or a minute in all, need over 1 GB, or raise anything but UserError. The numbers of such
cases belong into test_fuzz.py.
"""

import argparse
import functools
import io
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import dicom_files
import numpy as np
import pydicom
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tfrespam.errors import UserError
from tfrespam.serving import inputs

SECONDS, WAITED, BYTES = 5.0, 60.0, 1 << 30
EXTREMES = (b"\0", b"\xff", b"\x7f\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x01\0", b"\x80\0")
STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "PatientID": "P"}


@functools.cache
def whole_files() -> list[bytes]:
    """Undamaged files of every kind that the readers know."""
    deep = np.random.default_rng(0).integers(0, 4096, (40, 48)).astype(np.uint16)
    deep[:20] = np.arange(48, dtype=np.uint16) * 80
    return [*_pictures(deep), *_dicoms(deep)]


def _pictures(deep: np.ndarray):
    flat = (deep >> 4).astype(np.uint8)
    for pixels, kind, options in ((deep, "PNG", {}), (flat, "PNG", {}), (flat, "JPEG", {}), (deep, "TIFF", {}),
                                  (flat, "JPEG", {"progressive": True}), (deep, "TIFF", {"compression": "tiff_lzw"}),
                                  (flat, "TIFF", {"compression": "tiff_deflate"})):  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, kind, **options)
        yield buffer.getvalue()


def _dicoms(deep: np.ndarray):
    digital = STUDY | {"SOPClassUID": dicom_files.MAMMOGRAPHY, "ImagerPixelSpacing": [0.1, 0.1], "WindowCenter": "2000",
                       "WindowWidth": "3000", "PixelPaddingValue": 5, "BitsStored": 12, "HighBit": 11}  # fmt: skip
    for syntax in (None, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless,
                   JPEGLSLossless):  # fmt: skip
        made = dicom_files.dataset(deep, **(digital if syntax else STUDY))
        if syntax and syntax.is_compressed and syntax != DeflatedExplicitVRLittleEndian:
            made.compress(syntax)
        elif syntax:
            made.file_meta.TransferSyntaxUID = syntax
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, made, enforce_file_format=True)
        yield buffer.getvalue()


def case(number: int) -> bytes:
    """The damaged file of this number."""
    random = np.random.default_rng(number)
    files = whole_files()
    data = bytearray(files[random.integers(len(files))])
    for _ in range(random.integers(1, 6)):
        _damage(data, random, files)
    return bytes(data)


def _damage(data: bytearray, random: np.random.Generator, files: list[bytes]) -> None:
    if not data:
        return
    # half of all damage hits the first kilobyte, where sizes and types stand
    reach = len(data) if random.random() < 0.5 else min(len(data), 1024)
    place, length = int(random.integers(reach)), int(random.integers(1, 32))
    match int(random.integers(7)):
        case 0:
            data[place] ^= 1 << int(random.integers(8))
        case 1:
            data[place : place + length] = random.bytes(length)
        case 2:
            del data[place : place + length]
        case 3:
            del data[place:]
        case 4:
            value = EXTREMES[int(random.integers(len(EXTREMES)))]
            data[place : place + len(value)] = value
        case 5:
            data[place:place] = data[place : place + length] * int(random.integers(1, 200))
        case 6:
            other = random.choice(np.arange(len(files)))
            data[place : place + length] = files[other][place : place + length]


def read_case(number: int, folder: Path) -> None:
    """Reads the case as `predict` would. Anything but UserError is a fault of ours."""
    file = folder / "case"
    file.write_bytes(case(number))
    try:
        picture = inputs.read(file, cleaned=number % 8 == 0)
        assert picture.pixels.ndim == 2 and picture.pixels.dtype in (np.uint8, np.uint16)
    except UserError:
        pass


def _work(first: int, state, faults) -> None:
    with tempfile.TemporaryDirectory() as folder:
        number = first
        while True:
            state[0], state[1], state[2] = number, int(time.monotonic() * 1000), int(time.process_time() * 1000)
            Path("/proc/self/clear_refs").write_text("5")  # forget the largest size so far
            try:
                read_case(number, Path(folder))
            except BaseException as error:
                faults.put((number, f"{type(error).__name__}: {error}"[:200]))
            peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) * 1024
            if peak > BYTES:
                faults.put((number, f"{peak >> 20} MiB"))
            number += 1


def _hangs(pid: int, state) -> bool:
    """Processor time tells a slow reader from a busy machine; waiting without using any counts from a minute."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    used = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")
    return used - state[2] / 1000 > SECONDS or time.monotonic() - state[1] / 1000 > WAITED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    state, faults = multiprocessing.Array("q", 3, lock=False), multiprocessing.SimpleQueue()
    end, first, found = time.monotonic() + options.seconds, options.first, []
    while time.monotonic() < end:
        worker = multiprocessing.Process(target=_work, args=(first, state, faults), daemon=True)
        state[1], state[2] = int(time.monotonic() * 1000), 20_000  # its imports do not count
        worker.start()
        while worker.is_alive() and time.monotonic() < end and not _hangs(worker.pid, state):
            time.sleep(0.2)
            while not faults.empty():
                found.append(faults.get())
                print(*found[-1], flush=True)
        if time.monotonic() < end:
            reason = "hangs" if worker.is_alive() else f"the process died ({worker.exitcode})"
            found.append((state[0], reason))
            print(*found[-1], flush=True)
        worker.kill()
        worker.join()
        first = state[0] + 1
    print(f"cases {options.first} to {state[0]}: {len(found)} faults")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
