import json.decoder
import sys
import types

import pytest

from tfrespam.core import lazy


@pytest.fixture
def package(monkeypatch):
    made = types.ModuleType("json_face")
    monkeypatch.setitem(sys.modules, "json_face", made)
    made.__getattr__, made.__dir__ = lazy.attach("json_face", {"JSONDecoder": "json.decoder", "dumps": "json"})
    return made


def test_names_are_imported_on_access_and_cached(package):
    assert "JSONDecoder" not in vars(package)
    assert package.JSONDecoder is json.decoder.JSONDecoder
    assert vars(package)["JSONDecoder"] is json.decoder.JSONDecoder


def test_a_submodule_of_the_same_name_is_returned(monkeypatch):
    package = types.ModuleType("json")
    monkeypatch.setitem(sys.modules, "json", package)
    find, _ = lazy.attach("json", {"decoder": "json.decoder"})
    monkeypatch.setitem(sys.modules, "json.decoder", json.decoder)
    assert find("decoder") is json.decoder


def test_names_are_listed_and_unknown_ones_raise_attribute_error(package):
    assert {"JSONDecoder", "dumps"} <= set(dir(package))
    with pytest.raises(AttributeError, match="'json_face' has no attribute 'load'"):
        _ = package.load
