"""Every kind of message: a code of its own, in its phase's range, with a page that explains it."""

from __future__ import annotations

import dataclasses
import pkgutil
from importlib import import_module

import pytest

import netdsl.diagnostics
from netdsl.diagnostics import Problem

MODULES = [
    import_module(f"netdsl.diagnostics.{entry.name}")
    for entry in pkgutil.iter_modules(netdsl.diagnostics.__path__)
]
KINDS = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, Problem) and kind.__module__ == module.__name__
]
RANGES = {  # first digits of a module's codes
    "syntax": "1", "habits": "1", "names": "2", "states": "2", "evaluation": "27", "shapes": "3",
    "words": "32",
    "program": "4", "training": "4", "data": "5", "feeding": "5", "weights": "6", "onnx": "8",
    "commands": "89",
}


def test_codes_are_unique():
    by_code: dict[str, list[str]] = {}
    for kind in KINDS:
        by_code.setdefault(kind.code, []).append(f"{kind.__module__}.{kind.__name__}")
    assert len(KINDS) > 80
    assert {code: kinds for code, kinds in by_code.items() if len(kinds) > 1} == {}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.code} {kind.__name__}")
def test_a_code_lies_in_its_range(kind):
    assert len(kind.code) == 4 and kind.code[0] == "N" and kind.code[1:].isdigit()
    room = kind.__module__.rpartition(".")[2]
    assert kind.code[1] in RANGES.get(room, "123456789")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.code} {kind.__name__}")
def test_it_has_a_page_that_begins_with_a_title(kind):
    page = kind.__doc__ or ""
    assert not page.startswith(f"{kind.__name__}("), "only the dataclass's own docstring"
    title, *rest = page.strip().splitlines()
    assert 8 <= len(title) <= 90 and title[-1] in ".:" and title[0] == title[0].upper()
    assert not rest or not rest[0].strip(), "a blank line follows the title"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: f"{kind.code} {kind.__name__}")
def test_it_is_data(kind):
    assert dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen
    assert kind.severity in ("error", "warning", "note")
    assert "describe" in vars(kind) or any(
        "describe" in vars(base) for base in kind.__mro__[1:-3]
    ), "nothing puts it into words"
