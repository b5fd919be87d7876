"""The examples of operations and the list of models serve here too. Without PyTorch there is
nothing to compare with, and nothing is collected."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent
collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]
collect_ignore = [] if find_spec("expecttest") else ["test_opinfo.py"]  # OpInfo imports it
sys.path[:0] = [str(TESTS / "ops"), str(TESTS / "models"), str(TESTS / "backends")]
COUNTS = pytest.StashKey[dict]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.peer)


@pytest.fixture
def opinfo_counts(pytestconfig: pytest.Config) -> dict:
    """What became of the samples of each operator; told when all tests are over."""
    return pytestconfig.stash.setdefault(COUNTS, {})


def pytest_terminal_summary(terminalreporter, config: pytest.Config) -> None:
    counts = config.stash.get(COUNTS, {})
    if counts:
        from test_opinfo import table

        terminalreporter.section("PyTorch's samples")
        terminalreporter.write_line("\n".join(table(counts)))
