"""A `Diagnostic` as text for people and as JSON for editors and CI.

    error[N301]: the two sides of `+` have different shapes
      --> resnet.net:18:17
       |
    18 |     return relu(main + skip)
       |                 ^^^^   ^^^^ skip: [B, 64, 56, 56]
       |                 main: [B, 256, 56, 56]
       |
       = in ResNet50.stage.0.block.0 = Bottleneck{64}
       = try: `when cin != c * expand`
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from netdsl.diagnostics import Diagnostic, Mark
from netdsl.source import Source

_TAB = 4
_MOST_TEXT = 600  # characters of one message, note or text beside a mark
_MOST_MARKS = 16  # drawn of one message; JSON has them all

_BOLD, _BLUE, _PLAIN = "1", "1;34", "0"
_SEVERITY_COLORS = {"error": "1;31", "warning": "1;33", "note": "1;36"}

_UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)


def render_text(diagnostic: Diagnostic, color: bool = False, width: int = 100) -> str:
    """The message as a terminal shows it, without a line end at its end.

    Source lines longer than `width` columns are cut around the marks. Control characters in
    the user's text are written as escapes. `color` adds ANSI colours.
    """
    paint = _Paint(color)
    severity = _SEVERITY_COLORS[diagnostic.severity]
    excerpts = _excerpts(diagnostic.marks[:_MOST_MARKS])
    margin = max((len(str(e.lines[-1])) for e in excerpts if e.lines), default=1)
    bar = " " * margin + " " + paint("|", _BLUE)

    label = paint(f"{diagnostic.severity}[{diagnostic.code}]", severity)
    out = [label + paint(f": {_printable(diagnostic.message)}", _BOLD)]
    for excerpt in excerpts:
        arrow = " " * margin + paint("-->", _BLUE)
        out += [f"{arrow} {_printable(excerpt.marks[0].span.place)}", bar]
        previous = excerpt.lines[0]
        for number in excerpt.lines:
            if number > previous + 1:
                out.append(paint("." * max(3, margin), _BLUE))
            previous = number
            shown, below = _draw(excerpt.source, number, excerpt.on(number), width - margin - 3)
            out.append(paint(f"{number:>{margin}} |", _BLUE) + f" {shown}".rstrip())
            out += [f"{bar} {paint.underline(line, severity)}" for line in below]
        out.append(bar)
    notes = [_printable(note, keep="\n") for note in diagnostic.notes]
    if len(diagnostic.marks) > _MOST_MARKS:
        notes.insert(0, f"and {len(diagnostic.marks) - _MOST_MARKS} more places")
    if diagnostic.suggestion:
        notes.append(f"try: {_printable(diagnostic.suggestion, keep=chr(10))}")
    if out[-1] == bar and not notes:
        out.pop()
    for note in notes:
        first, *more = note.split("\n")
        out.append(" " * margin + " " + paint("=", _BLUE) + f" {first}")
        out += [" " * (margin + 3) + line for line in more]
    return "\n".join(out)


def render_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """The message as plain data. Lines and columns count from 1, offsets in the text from 0, all in
    characters; an end is one past the last."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "marks": [_mark_json(mark) for mark in diagnostic.marks],
        "notes": list(diagnostic.notes),
        "suggestion": diagnostic.suggestion,
    }


def _mark_json(mark: Mark) -> dict[str, Any]:
    line, column = mark.span.source.position(mark.span.start)
    end_line, end_column = mark.span.source.position(mark.span.end)
    return {
        "file": mark.span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
        "start": mark.span.start,
        "end": mark.span.end,
        "text": mark.text,
    }


# ---------------------------------------------------------------- excerpts of sources


@dataclass(frozen=True)
class _Excerpt:
    """The marks of one source; each is drawn on the line it begins on."""

    source: Source
    marks: list[Mark]

    @property
    def lines(self) -> list[int]:
        return sorted({mark.span.line for mark in self.marks})

    def on(self, line: int) -> list[Mark]:
        return [mark for mark in self.marks if mark.span.line == line]


def _excerpts(marks: tuple[Mark, ...]) -> list[_Excerpt]:
    by_source: dict[int, _Excerpt] = {}
    for mark in marks:
        source = mark.span.source
        by_source.setdefault(id(source), _Excerpt(source, [])).marks.append(mark)
    return list(by_source.values())


def _draw(source: Source, number: int, marks: list[Mark], width: int) -> tuple[str, list[str]]:
    """A source line as shown, and the lines of carets and texts below it."""
    line = source.line(number)
    start = source.position(marks[0].span.start)[1] - 1
    window = _Window(line, start, max(width, 20))
    placed = []
    for mark in _not_around(marks):
        first = source.position(mark.span.start)[1] - 1
        left = window.column(first)
        right = window.column(min(first + mark.span.end - mark.span.start, len(line)))
        placed.append((left, max(right, left + 1), _printable(mark.text)))
    return window.shown, _underline(placed)


def _not_around(marks: list[Mark]) -> list[Mark]:
    """The marks that are drawn: a call without a text gives way to its operands that have one."""
    return [
        mark for mark in marks if mark.text or not any(
            other.text and mark.span.start <= other.span.start and other.span.end <= mark.span.end
            for other in marks
        )
    ]


class _Window:
    """The part of a line that fits on the screen, and where its characters come to stand."""

    def __init__(self, line: str, focus: int, width: int):
        self._first, last = 0, len(line)
        if _columns(line[: 2 * width]) > width:
            # A third of the screen before the mark; up to two cells go to the signs of a cut.
            self._first = max(0, min(focus - width // 3, len(line) - width + 2))
            last = self._first
            room = width - 2
            while last < len(line) and room >= (cell := _columns(line[last])):
                room -= cell
                last += 1
        cells = [_shown(char) for char in line[self._first : last]]
        before = "…" if self._first else ""
        after = "…" if last < len(line) else ""
        self.shown = before + "".join(cells) + after
        self._stops = [len(before)]
        for cell in cells:
            self._stops.append(self._stops[-1] + _columns(cell))

    def column(self, index: int) -> int:
        """The screen column of a character of the line, held inside the window."""
        return self._stops[min(max(index - self._first, 0), len(self._stops) - 1)]


def _underline(placed: list[tuple[int, int, str]]) -> list[str]:
    """Carets under every mark; the last text beside them, the others below, right to left."""
    placed = sorted(placed)
    carets = [" "] * max(right for _, right, _ in placed)
    for left, right, _ in placed:
        carets[left:right] = "^" * (right - left)
    first = "".join(carets)
    texts = [(left, text) for left, _, text in placed if text]
    if texts and placed[-1][2] and placed[-1][1] == len(carets):
        first += f" {texts.pop()[1]}"
    lines = [first]
    while texts:
        left, text = texts.pop()
        stems = [" "] * left
        for other, _ in texts:
            if other < left:
                stems[other] = "|"
        lines.append("".join(stems) + text)
    return lines


# ---------------------------------------------------------------- characters


def _printable(text: str, keep: str = "") -> str:
    """Text that moves no cursor and turns no direction, of bounded length."""
    if len(text) > _MOST_TEXT:
        text = text[:_MOST_TEXT] + "…"
    return _UNPRINTABLE.sub(lambda char: char[0] if char[0] in keep else _escape(char[0]), text)


def _escape(char: str) -> str:
    short = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char)
    return short or (f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}")


def _shown(char: str) -> str:
    if char == "\t":
        return " " * _TAB
    return _escape(char) if _UNPRINTABLE.match(char) else char


def _columns(text: str) -> int:
    """Columns of the terminal that `text` takes."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_width(char) for char in text)


def _width(char: str) -> int:
    if char == "\t" or _UNPRINTABLE.match(char):
        return len(_shown(char))
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


@dataclass(frozen=True)
class _Paint:
    on: bool

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[{_PLAIN}m" if self.on and text else text

    def underline(self, line: str, code: str) -> str:
        """The line of carets, or of a text, below a source line: blanks stay bare."""
        bare = line.lstrip(" ")
        return line[: len(line) - len(bare)] + self(bare, code)
