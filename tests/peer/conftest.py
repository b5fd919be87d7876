"""The examples of operations and the list of models serve here too. Without PyTorch there is
nothing to compare with, and nothing is collected."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
sys.path[:0] = [str(TESTS / "ops"), str(TESTS / "models")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.peer)
