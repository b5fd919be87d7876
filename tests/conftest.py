"""Fixtures that every room's tests may use."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings


def pytest_configure(config: pytest.Config) -> None:
    """The fast suite draws the same examples every time; the slow checks search on."""
    settings.register_profile("repeatable", derandomize=True)
    if "not slow" in config.option.markexpr:
        settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared data and reference figures; tests that need it are skipped without."""
    folder = Path(os.environ.get("NETDSL_SHARED", "../shared"))
    if not folder.is_dir():
        pytest.skip(f"needs shared data: set NETDSL_SHARED (now {folder})")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="accept the pictures as made")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[Path, str], None]:
    """Compares a text with a file that lies beside the test; `--update-golden` writes the file."""

    def compare(path: Path, text: str) -> None:
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        assert path.is_file(), f"no {path.name}; make it with --update-golden"
        assert text == path.read_text("utf-8")

    return compare
