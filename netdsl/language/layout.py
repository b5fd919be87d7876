"""Laying text out within a width: groups stay on one line if they fit, else all their lines break.

The algebra of Wadler's "A prettier printer" with Prettier's additions for comments. A document
is a string or one of the classes below; `render` turns it into text with an explicit stack.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Line:
    """A line end where the group around it breaks, else `flat`; a `hard` one always breaks."""

    flat: str = " "
    hard: bool = False


@dataclass(frozen=True, slots=True)
class Indent:
    """Lines of `body` begin `by` columns further right than those around it."""

    by: int
    body: Doc


@dataclass(frozen=True, slots=True)
class Align:
    """Lines of `body` begin in the column where `body` begins."""

    body: Doc


@dataclass(frozen=True, slots=True)
class Group:
    body: Doc
    broken: bool


@dataclass(frozen=True, slots=True)
class IfBroken:
    """`text` where the group around it breaks, else nothing."""

    text: str


@dataclass(frozen=True, slots=True)
class Suffix:
    """A comment that goes to the end of the line, wherever that is; it takes no width."""

    text: str


@dataclass(frozen=True, slots=True)
class Parts:
    parts: tuple[Doc, ...]
    broken: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "broken", any(map(must_break, self.parts)))


Doc: TypeAlias = str | Line | Indent | Align | Group | IfBroken | Suffix | Parts

SPACE = Line()  # a space, or a line end
BREAK = Line(flat="")  # nothing, or a line end
NEWLINE = Line(hard=True)


def must_break(doc: Doc) -> bool:
    """Whether a group around `doc` cannot stay on one line."""
    match doc:
        case Parts() | Group():
            return doc.broken
        case Indent() | Align():
            return must_break(doc.body)
        case Line():
            return doc.hard
        case _:
            return isinstance(doc, Suffix)


def parts(*docs: Doc) -> Parts:
    return Parts(docs)


def group(*docs: Doc) -> Group:
    body = Parts(docs)
    return Group(body, body.broken)


def join(separator: Doc, docs: Iterable[Doc]) -> Parts:
    joined: list[Doc] = []
    for doc in docs:
        joined += [separator, doc] if joined else [doc]
    return Parts(tuple(joined))


_Todo: TypeAlias = tuple[int, bool, Doc]  # indentation, whether lines break, what to print


def render(doc: Doc, width: int) -> str:
    """`doc` in lines of at most `width` columns where that is possible."""
    out: list[str] = []
    suffixes: list[str] = []
    column = 0
    todo: list[_Todo] = [(0, True, doc)]
    while todo:
        indent, breaks, doc = todo.pop()
        match doc:
            case str():
                out.append(doc)
                column += len(doc)
            case Parts():
                todo.extend((indent, breaks, part) for part in reversed(doc.parts))
            case Indent():
                todo.append((indent + doc.by, breaks, doc.body))
            case Align():
                todo.append((column, breaks, doc.body))
            case Group():
                flat = not doc.broken and _fits(doc.body, todo, width - column)
                todo.append((indent, not flat, doc.body))
            case IfBroken():
                if breaks:
                    out.append(doc.text)
                    column += len(doc.text)
            case Suffix():
                suffixes.append(doc.text)
            case Line() if doc.hard or breaks:
                out += [*suffixes, "\n", " " * indent]
                suffixes.clear()
                column = indent
            case Line():
                out.append(doc.flat)
                column += len(doc.flat)
    text = "".join([*out, *suffixes])
    return "\n".join(line.rstrip() for line in text.split("\n"))


def fits(doc: Doc, room: int) -> bool:
    """Whether `doc` can and may stand on one line of `room` columns."""
    return not must_break(doc) and _fits(doc, [], room)


def _fits(doc: Doc, rest: list[_Todo], room: int) -> bool:
    """Whether `doc` on one line, and what follows up to the next line end, take `room` columns."""
    todo: list[tuple[bool, Doc]] = [(False, doc)]
    following = len(rest)
    while room >= 0:
        if todo:
            breaks, doc = todo.pop()
        elif following:
            following -= 1
            _, breaks, doc = rest[following]
        else:
            return True
        match doc:
            case str():
                room -= len(doc)
            case Parts():
                todo.extend((breaks, part) for part in reversed(doc.parts))
            case Indent() | Align():
                todo.append((breaks, doc.body))
            case Group():
                todo.append((doc.broken or breaks, doc.body))
            case IfBroken():
                room -= len(doc.text) if breaks else 0
            case Line():
                if doc.hard or breaks:
                    return True
                room -= len(doc.flat)
    return False
