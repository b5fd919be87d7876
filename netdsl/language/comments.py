"""Where each comment goes when a file is written anew: beside what it stood beside, or above.

Documents are made in the order of the source. Whoever lays out a sequence (of statements, of
arguments, of stages) first takes the comments above each item, then the one beside it. A comment
in a place that has no line of its own waits for the next such place, so none is ever lost.
"""

from __future__ import annotations

import re

from netdsl.language import ast
from netdsl.language.layout import NEWLINE, Doc, Suffix
from netdsl.source import Span

_UP_TO = {char: re.compile(rf"(?:[^{re.escape(char)}#]|#[^\n]*)*+") for char in ")]}"}
_BEFORE_EDITION = re.compile(r"(?:\s|\ufeff|#[^\n]*)*")
_EDITION = re.compile(r"net(?:\s|#[^\n]*)+[0-9]+")


class Comments:
    """The comments of one file that are still to be written."""

    def __init__(self, file: ast.File):
        self._source = file.span.source
        self._text = self._source.text
        self._pending = sorted(file.comments, key=lambda comment: comment.span.start, reverse=True)

    @property
    def length(self) -> int:
        return len(self._text)

    def taken_before(self, offset: int) -> list[ast.Comment]:
        """The pending comments that stand before `offset`, to be written on lines of their own."""
        taken = []
        while self._pending and self._pending[-1].span.start < offset:
            taken.append(self._pending.pop())
        return taken

    def above(self, offset: int) -> list[Doc]:
        """The comments before `offset`, each with the line end behind it."""
        out: list[Doc] = []
        for comment in self.taken_before(offset):
            out += [comment.text, NEWLINE]
        return out

    def beside(self, end: int, limit: int | None = None) -> list[Doc]:
        """The comment to go behind what ends at `end`: from within it, or from its line.

        `limit` is where the next item or the bracket around begins.
        """
        if not self._pending:
            return []
        comment = self._pending[-1]
        start = comment.span.start
        if limit is not None and start >= limit:
            return []
        if start >= end and (comment.alone or self._text.find("\n", end, start) >= 0):
            return []
        self._pending.pop()
        return [Suffix(f"  {comment.text}")]

    def beside_bracket(self, bracket: str, limit: int) -> list[Doc]:
        """The comment right behind an opening bracket on its line: `layer L(x) {  # …`."""
        if not self._pending or self._pending[-1].span.start >= limit:
            return []
        comment = self._pending[-1]
        line = self._text[self._text.rfind("\n", 0, comment.span.start) + 1 : comment.span.start]
        if not line.rstrip().endswith(bracket):
            return []
        self._pending.pop()
        return [Suffix(f"  {comment.text}")]

    def blank_line_before(self, offset: int) -> bool:
        """Whether the line above the one on which `offset` is the first sign is blank."""
        start = offset
        while start > 0 and self._text[start - 1].isspace():
            start -= 1
        return self._text.count("\n", start, offset) > 1

    def closing(self, bracket: str, after: int) -> int:
        """Where the closing `bracket` stands, with only signs and comments before it."""
        if not self._pending:
            return after
        return _UP_TO[bracket].match(self._text, after).end()

    def edition_place(self) -> Span:
        """Where `net 1` stands; the tree does not say."""
        start = _BEFORE_EDITION.match(self._text).end()
        found = _EDITION.match(self._text, start)
        return Span(self._source, start, found.end() if found else start)
