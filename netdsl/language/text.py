"""Reading a source: bounded, from ordinary files only, UTF-8, and no character that deceives."""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from pathlib import Path

from netdsl.diagnostics import Refused
from netdsl.diagnostics.syntax import NotText, StrangeCharacter, TooLong, UnreadableFile
from netdsl.source import Source, Span

MOST_BYTES = 4 * 2**20
MOST_TEXT = "4 MiB"

BYTE_ORDER_MARK = "\ufeff"

# Controls other than tab and line ends, a carriage return alone, line separators, marks that
# turn the direction of text or show nothing, halves of surrogate pairs.
_DECEIVING = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"
    "\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]|\r(?!\n)"
)
_CONTROL_NAMES = {"\x00": "null", "\x08": "backspace", "\r": "carriage return", "\x1b": "escape"}
_MOST_REPORTED = 5


def read_source(path: Path | str, name: str | None = None, asked: Span | None = None) -> Source:
    """The text of a `.net` file.

    `name` is what messages call the file (default: `path` as given); `asked` is the `use` that
    names it. Raises `Refused` for what is missing, not an ordinary file, unreadable, longer
    than 4 MiB or not UTF-8.
    """
    name = str(path) if name is None else name
    try:
        data = _read(path)
    except IsADirectoryError:
        raise Refused(UnreadableFile(name, "it is a folder", asked)) from None
    except OSError as error:
        reason = (error.strerror or "it cannot be opened").lower()
        raise Refused(UnreadableFile(name, reason, asked)) from None
    except ValueError:
        raise Refused(UnreadableFile(name, "this is not a path", asked)) from None
    if len(data) > MOST_BYTES:
        raise Refused(TooLong(name, MOST_TEXT, asked))
    path = Path(path)
    try:
        return Source(name, data.decode("utf-8").removeprefix(BYTE_ORDER_MARK), path)
    except UnicodeDecodeError as error:
        source = Source(name, data.decode("utf-8", "replace"), path)
        offset = len(data[: error.start].decode("utf-8"))
        span = Span(source, offset, offset + 1)
        raise Refused(NotText(span, data[error.start])) from None


def _read(path: Path | str) -> bytes:
    """At most one byte more than the bound; never waits for a pipe or reads a device."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError
        if not stat.S_ISREG(mode):
            raise OSError(0, "it is not an ordinary file")
        return file.read(MOST_BYTES + 1)


def check_text(source: Source) -> None:
    """Raises `Refused` for a text beyond the bound or with characters that deceive the eye."""
    if len(source.text) > MOST_BYTES:
        raise Refused(TooLong(source.name, MOST_TEXT))
    start = len(BYTE_ORDER_MARK) if source.text.startswith(BYTE_ORDER_MARK) else 0
    problems = []
    for found in _DECEIVING.finditer(source.text, start):
        span = Span(source, found.start(), found.end())
        reason = "this character may not stand in a source text"
        problems.append(StrangeCharacter(span, character_name(found[0]), reason))
        if len(problems) == _MOST_REPORTED:
            break
    if problems:
        raise Refused(*problems)


def character_name(character: str) -> str:
    """`U+202E right-to-left override`."""
    name = _CONTROL_NAMES.get(character) or unicodedata.name(character, "control character")
    return f"U+{ord(character):04X} {name.lower()}"
