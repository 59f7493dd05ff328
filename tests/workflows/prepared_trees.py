"""Prepared data sets for tests of `prepare`."""

import csv

import cv2
import numpy as np

from tfrespam.data.loading.prepared import Prepared
from tfrespam.workflows import preparation

SIZE = 32


def make(source, home, *, name=None, view="roi", context=1.6, size=SIZE):
    return Prepared(preparation.prepare_source(source, home, name, view, context, size, workers=1))


def ledger_of(prepared):
    with open(prepared.path / "ledger.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["lesion_id", "film_file", "mask_file", "action", "detail"]
    assert len({row["lesion_id"] for row in rows}) == len(rows)
    return {row["lesion_id"]: row for row in rows}


def decoded(png, kind=cv2.IMREAD_UNCHANGED):
    return cv2.imdecode(np.frombuffer(png, np.uint8), kind)
