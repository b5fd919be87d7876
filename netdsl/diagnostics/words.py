"""Problems of single words and of libraries: codes N320 to N329."""

from __future__ import annotations

from dataclasses import dataclass

from netdsl.diagnostics import Diagnostic, Mark, Problem
from netdsl.diagnostics.names import listed
from netdsl.diagnostics.suggest import did_you_mean
from netdsl.source import Span


@dataclass(frozen=True)
class PatternMalformed(Problem):
    """The pattern of `rearrange` or `einsum` cannot be read.

    A pattern names the axes before and behind an arrow. In `rearrange` every axis stands once on
    either side, and parentheses hold the parts of one axis:

        rearrange(x, "b l (h d) -> b h l d", h = 8)
        rearrange(x, "b h l d -> b l h")              # `d` is lost
        rearrange(x, "b (h l d -> b l h d")           # never closed
    """

    code = "N320"
    span: Span
    of: str
    reason: str
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}`: {self.reason}", self.span, suggestion=self.way)


@dataclass(frozen=True)
class PatternMisfit(Problem):
    """The pattern of `rearrange` or `einsum` does not fit its tensor.

    It has as many axes as the tensor; a split has lengths for all of its parts but one, and
    their product divides the axis; a name has one size wherever it stands.

        rearrange(x, "b l (h d) -> b h l d", h = 7)   # 768 does not divide into parts of 7
    """

    code = "N321"
    span: Span
    of: str
    reason: str
    operands: tuple[Mark, ...] = ()
    way: str | None = None

    def describe(self) -> Diagnostic:
        return self.say(f"`{self.of}`: {self.reason}", self.span, *self.operands,
                        suggestion=self.way)


@dataclass(frozen=True)
class UnknownLibrary(Problem):
    """`use` names a library that netdsl does not have.

    A library comes with netdsl and is used by its name; a file of your own by its path:

        use std
        use "./blocks.net" as blk
    """

    code = "N322"
    span: Span
    name: str
    known: tuple[str, ...]

    def describe(self) -> Diagnostic:
        way = did_you_mean(self.name, self.known)
        return self.say(
            f"there is no library called `{self.name}`", self.span,
            notes=[f"netdsl comes with {listed(self.known)}"],
            suggestion=way or f'`use "./{self.name}.net" as {self.name}` for a file of that name',
        )
