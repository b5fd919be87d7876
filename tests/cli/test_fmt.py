"""`fmt`: in place, whole, and only where something changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commands import netdsl

LOOSE = "# kept\nmodel   M{a=1} { input x: f32[B,4]\n output y = x->fc: linear{a}  }\n"
NEAT = """\
# kept
model M{a = 1} {
    input x: f32[B, 4]
    output y = x -> fc: linear{a}
}
"""


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    path = tmp_path / "loose.net"
    path.write_text(LOOSE, "utf-8")
    return path


def test_in_place(loose):
    result = netdsl("fmt", loose)
    assert (result.exit_code, result.stdout) == (0, f"changed {loose}\n")
    assert loose.read_text("utf-8") == NEAT
    assert os.listdir(loose.parent) == ["loose.net"]


def test_nothing_to_do(loose):
    loose.write_text(NEAT, "utf-8")
    before = loose.stat().st_mtime_ns
    result = netdsl("fmt", loose)
    assert (result.exit_code, result.stdout) == (0, "")
    assert loose.stat().st_mtime_ns == before


@pytest.mark.parametrize("options, code, shown", [
    (["--check"], 1, "would change"),
    (["--diff"], 0, "-model   M{a=1} { input x: f32[B,4]\n"),
    (["--check", "--diff"], 1, "+    output y = x -> fc: linear{a}\n"),
])
def test_only_looking(loose, options, code, shown):
    result = netdsl("fmt", loose, *options)
    assert result.exit_code == code
    assert shown in result.stdout
    assert loose.read_text("utf-8") == LOOSE


def test_check_of_what_is_neat(loose):
    loose.write_text(NEAT, "utf-8")
    assert netdsl("fmt", "--check", loose).exit_code == 0


def test_one_file_that_cannot_be_parsed_stops_no_other(loose, tmp_path):
    broken = tmp_path / "broken.net"
    broken.write_text("model {", "utf-8")
    result = netdsl("fmt", broken, loose)
    assert result.exit_code == 1
    assert "broken.net:1:7" in result.stderr
    assert broken.read_text("utf-8") == "model {"
    assert loose.read_text("utf-8") == NEAT


@pytest.mark.skipif(os.name == "nt", reason="modes and links of POSIX")
def test_links_and_modes_stay(loose, tmp_path):
    loose.chmod(0o640)
    link = tmp_path / "link.net"
    link.symlink_to(loose)
    assert netdsl("fmt", link).exit_code == 0
    assert link.is_symlink()
    assert loose.read_text("utf-8") == NEAT
    assert loose.stat().st_mode & 0o777 == 0o640
