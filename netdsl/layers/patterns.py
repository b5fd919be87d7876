"""Patterns that name axes: `b (h d) l -> b h l d` of rearrange (Rogozhnikov 2022, einops) and
`b i k, b k j -> b i j` of einsum. They are read here; a mistake tells where in the text it is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from netdsl.layers.arguments import BadArgument, Kind

TOKEN = re.compile(r"->|[A-Za-z_][A-Za-z_0-9]*|[0-9]+|\S")
MOST_AXES = 32


class BadPattern(BadArgument):
    """A pattern that cannot be read, or does not fit its tensors (`misfit`). `start` and `stop` are
    the characters of it to blame; `argument` is the argument that is at fault instead."""

    def __init__(
        self, message: str, start: int, stop: int, misfit: bool = False,
        suggestion: str | None = None, argument: str | None = None,
    ):
        self.start, self.stop, self.misfit = start, stop, misfit
        self.suggestion, self.argument = suggestion, argument
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a pattern; as an axis, its name or 1."""

    text: str
    start: int
    stop: int

    def wrong(self, message: str, misfit: bool = False, way: str | None = None) -> BadPattern:
        return BadPattern(message, self.start, self.stop, misfit, way)


@dataclass(frozen=True, slots=True)
class Group:
    """What is one axis of the tensor: several named axes for one in parentheses."""

    axes: tuple[Token, ...]
    start: int
    stop: int

    def wrong(self, message: str, way: str | None = None) -> BadPattern:
        return BadPattern(message, self.start, self.stop, True, way)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.text for axis in self.axes if axis.text != "1")


@dataclass(frozen=True, slots=True)
class Rearrangement:
    """`b (h d) -> b h d`: one group for each axis of the operand, and of the result."""

    text: str
    left: tuple[Group, ...]
    right: tuple[Group, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for group in self.left for name in group.names)


@dataclass(frozen=True, slots=True)
class Contraction:
    """`b i k, b k j -> b i j`: the axes of each operand, and of the result."""

    text: str
    operands: tuple[tuple[Token, ...], ...]
    result: tuple[Token, ...]


def rearrangement(value: Any) -> Rearrangement:
    """Raises BadPattern, or BadArgument for what is no text."""
    left, right = (tuple(_groups(side)) for side in _sides(value, "b c h w -> b (h w) c"))
    _each_once(left, "left"), _each_once(right, "right")
    _same_axes(left, right)
    return Rearrangement(value, left, right)


def contraction(value: Any) -> Contraction:
    """Raises BadPattern, or BadArgument for what is no text."""
    left, right = _sides(value, "b i k, b k j -> b i j")
    operands: list[list[Token]] = [[]]
    for token in left:
        if token.text == ",":
            operands.append([])
        else:
            operands[-1].append(_plain_axis(token))
    result = [_plain_axis(token) for token in right]
    for axes, where in (*((axes, "in one operand") for axes in operands), (result, "on the right")):
        for token in axes:
            if [axis.text for axis in axes].count(token.text) > 1:
                raise token.wrong(f"`{token.text}` stands twice {where}")
    known = {token.text for axes in operands for token in axes}
    for token in result:
        if token.text not in known:
            raise token.wrong(f"`{token.text}` stands on the right only: no operand has it",
                              way=_spaced(value, known, result))
    return Contraction(value, tuple(map(tuple, operands)), tuple(result))


def _spaced(text: str, known: set[str], result: list[Token]) -> str | None:
    """The pattern with its letters apart, where each is meant to be an axis: `bchw,bchw->bc`."""
    letters = {letter for name in known for letter in name}
    if not all(letter in letters for token in result for letter in token.text):
        return None
    apart = TOKEN.sub(lambda m: " ".join(m[0]) if m[0].isalpha() else f" {m[0]} ", text)
    spaced = " ".join(apart.split()).replace(" ,", ",")
    return f'spaces stand between axes: "{spaced}"'


def _sides(value: Any, example: str) -> tuple[list[Token], list[Token]]:
    """The tokens before and behind the arrow."""
    if not isinstance(value, str):
        raise BadArgument("is not a text")
    tokens = [Token(m[0], m.start(), m.end()) for m in TOKEN.finditer(value)]
    if len(tokens) > 4 * MOST_AXES:
        raise BadPattern(f"a pattern has at most {MOST_AXES} axes", 0, len(value))
    arrows = [i for i, token in enumerate(tokens) if token.text == "->"]
    if not arrows:
        raise BadPattern("a pattern has an arrow `->` between what was and what will be",
                         0, len(value), suggestion=f'a pattern such as "{example}"')
    if len(arrows) > 1:
        raise tokens[arrows[1]].wrong("a pattern has one arrow; this is the second")
    return tokens[: arrows[0]], tokens[arrows[0] + 1 :]


def _groups(tokens: list[Token]) -> Iterator[Group]:
    open_: Token | None = None
    inside: list[Token] = []
    for token in tokens:
        if token.text == "(":
            if open_ is not None:
                raise token.wrong("parentheses do not nest")
            open_, inside = token, []
        elif token.text == ")":
            if open_ is None:
                raise token.wrong("nothing is open that this could close")
            yield Group(tuple(inside), open_.start, token.stop)
            open_ = None
        elif open_ is not None:
            inside.append(_axis(token))
        else:
            yield Group((_axis(token),), token.start, token.stop)
    if open_ is not None:
        raise open_.wrong("this parenthesis is never closed")


def _axis(token: Token) -> Token:
    if token.text.isdigit() and token.text != "1":
        raise token.wrong("only 1 stands for itself; other axes have names",
                          way=f"name the axis and give its length: `n = {token.text}`")
    if token.text != "1" and not token.text.isidentifier():
        raise token.wrong(f"`{token.text}` is no name of an axis")
    return token


def _plain_axis(token: Token) -> Token:
    if token.text.isdigit() or not token.text.isidentifier():
        raise token.wrong(f"`{token.text}` is no name of an axis")
    return token


def _each_once(groups: tuple[Group, ...], side: str) -> None:
    seen: set[str] = set()
    for axis in (axis for group in groups for axis in group.axes if axis.text != "1"):
        if axis.text in seen:
            raise axis.wrong(f"`{axis.text}` stands twice on the {side}")
        seen.add(axis.text)


def _same_axes(left: tuple[Group, ...], right: tuple[Group, ...]) -> None:
    """Nothing is lost and nothing comes from nowhere."""
    sides = [{name for group in side for name in group.names} for side in (left, right)]
    for axis in (axis for group in left for axis in group.axes if axis.text != "1"):
        if axis.text not in sides[1]:
            last = right[-1].names if right else ()
            way = f"`({' '.join(last)} {axis.text})` joins it to another axis" if last else None
            raise axis.wrong(f"`{axis.text}` is lost: it stands on the left only", way=way)
    for axis in (axis for group in right for axis in group.axes if axis.text != "1"):
        if axis.text not in sides[0]:
            raise axis.wrong(f"`{axis.text}` comes from nowhere: it stands on the right only")


RearrangementOf = Annotated[
    Rearrangement, Kind('a pattern such as "b (h d) l -> b h l d"', rearrangement)
]
ContractionOf = Annotated[
    Contraction, Kind('a pattern such as "b i k, b k j -> b i j"', contraction)
]
