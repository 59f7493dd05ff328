"""Fuzz test of the readers of user files: thousands of damaged images and DICOM files.

    python tests/data/fuzz_readers.py --seconds 600 --first 0

makes case 0, 1, 2, … (each from its number alone; those from ODD on are of less usual files), reads them in a process
of its own, and tells those that crash it, take over 5 s of processor time or a minute in all, need over 1 GB, or raise
anything but UserError. The numbers of such cases belong into test_fuzz.py.
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

import cv2
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

from tfrespam.core.errors import UserError
from tfrespam.serving.inference import inputs

SECONDS, WAITED, BYTES = 5.0, 60.0, 1 << 30
EXTREMES = (b"\0", b"\xff", b"\x7f\xff", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\x01\0", b"\x80\0")
STUDY = {"StudyInstanceUID": "1.2.3", "SeriesInstanceUID": "1.2.3.4", "PatientID": "P"}


ODD = 1 << 40  # the first case that is made of odd files


def _deep() -> np.ndarray:
    """Make an image of 12 bits: a ramp above noise."""
    deep = np.random.default_rng(0).integers(0, 4096, (40, 48)).astype(np.uint16)
    deep[:20] = np.arange(48, dtype=np.uint16) * 80
    return deep


@functools.cache
def odd_files() -> list[bytes]:
    """Make undamaged files of rare kinds: rotated, transparent, 16-bit colour, BigTIFF, bare DICOM, LUTs, groups."""
    deep = _deep()
    return [*_odd_pictures(deep), *_odd_dicoms(deep)]


def _odd_pictures(deep: np.ndarray):
    flat, exif = (deep >> 4).astype(np.uint8), Image.Exif()
    exif[0x112] = 6
    for pixels, kind, options in ((flat.T, "JPEG", {"exif": exif}), (flat.T, "PNG", {"exif": exif}),
                                  (np.dstack([flat, np.flipud(flat)]), "PNG", {}),
                                  (np.dstack([flat] * 3 + [np.fliplr(flat)]), "PNG", {}),
                                  (deep, "TIFF", {"big_tiff": True}), (flat, "TIFF", {"big_tiff": True})):  # fmt: skip
        buffer = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, kind, **options)
        yield buffer.getvalue()
    for kind, channels in ((".png", 3), (".png", 4), (".tif", 3)):
        yield cv2.imencode(kind, np.dstack([deep * 16] * channels))[1].tobytes()


def _odd_dicoms(deep: np.ndarray):
    table, window, shared = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 8])
    table.add_new("LUTData", "OW", bytes(np.arange(4096, dtype=np.uint16).astype("u1")))
    window.WindowCenter, window.WindowWidth, shared.FrameVOILUTSequence = 2000, 3000, [window]
    own = {"VOILUTSequence": [table]}, {"ModalityLUTSequence": [table], "WindowCenter": "100", "WindowWidth": "90"}, {
        "SharedFunctionalGroupsSequence": [shared], "NumberOfFrames": 1, "RescaleSlope": "-1"}  # fmt: skip
    for elements in own:
        buffer = io.BytesIO()
        made = dicom_files.dataset(deep, SOPClassUID=dicom_files.MAMMOGRAPHY, **STUDY, **elements)
        pydicom.dcmwrite(buffer, made, enforce_file_format=True)
        yield buffer.getvalue()
    for implicit in (True, False):
        buffer, made = io.BytesIO(), pydicom.Dataset(dicom_files.dataset(deep, **STUDY))
        pydicom.dcmwrite(buffer, made, implicit_vr=implicit, little_endian=True, enforce_file_format=False)
        yield buffer.getvalue()


@functools.cache
def whole_files() -> list[bytes]:
    """Make undamaged files of every supported kind."""
    deep = _deep()
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
    """Make the damaged file of this number."""
    random = np.random.default_rng(number)
    files = whole_files() if number < ODD else odd_files()
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
    """Read the case as `predict` does. Any error other than UserError is a bug."""
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
    """Whether the process hangs: too much processor time, which does not depend on other work, or a minute idle."""
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
