"""Relations between sizes, `H >= 7` or `S == T`, and assumptions: relations that a network needs
and that only data can settle.

A relation is kept as `difference operator 0` in one form, so that those which say the same are
equal: `2 * S >= 7` and `B * S >= 4 * B` are `S >= 4`, and `4 * (L // 4) == L` is `L % 4 == 0`.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from netdsl.ir.dim import (
    Dim,
    Expr,
    Monomial,
    Quotient,
    common_factor,
    constant,
    content,
    floor_div,
    free_symbols,
    polynomial,
    single,
    substitute,
    terms_of,
    without_factor,
)
from netdsl.source import Span

MOST_SHOWN = 100  # characters of a relation in a list

Message: TypeAlias = tuple[str | Dim, ...]  # texts, and sizes to be shown as they are known
Place: TypeAlias = tuple[str, Span | None]  # of nodes: label path and span; None: all below it


@dataclass(frozen=True, slots=True)
class Remainder:
    """number % divisor"""

    number: Dim
    divisor: Dim

    def at(self, sizes: Mapping[str, int]) -> Dim:
        return substitute(self.number, sizes) % substitute(self.divisor, sizes)

    def __str__(self) -> str:
        sides = (f"({side})" if " " in str(side) else str(side)
                 for side in (self.number, self.divisor))
        return " % ".join(sides)


@dataclass(frozen=True, slots=True)
class Relation:
    """`difference operator 0`, where the operator is ==, != or >=. Made by `relation`."""

    difference: Expr
    operator: str

    @property
    def symbols(self) -> frozenset[str]:
        """Names of its free dimensions."""
        return free_symbols(self.difference)

    def holds(self, sizes: Mapping[str, int]) -> bool:
        """Whether it is so for these sizes, which name every free dimension."""
        try:
            value = substitute(self.difference, sizes)
        except ZeroDivisionError:
            return False
        return {"==": value == 0, "!=": value != 0, ">=": value >= 0}[self.operator]

    def substitute(self, sizes: Mapping[str, Dim]) -> Relation | bool:
        """What remains to be seen with these sizes."""
        try:
            return relation(substitute(self.difference, sizes), self.operator, 0)
        except ZeroDivisionError:
            return False

    @property
    def sides(self) -> tuple[Dim | Remainder, str, Dim]:
        """Left, operator and right as people write them."""
        found = _remainder(self.difference)
        if found is not None:
            remainder, sign, rest = found
            operator = "<=" if sign < 0 and self.operator == ">=" else self.operator
            return remainder, operator, -sign * rest
        left = polynomial({m: f for m, f in self.difference.terms if f > 0})
        right = polynomial({m: -f for m, f in self.difference.terms if f < 0})
        operator = self.operator
        if operator == ">=" and constant(right) == 1 and not isinstance(right, int):
            operator, right = ">", right - 1
        if constant(left):  # the number stands on the right
            left, operator, right = right, operator.replace(">", "<"), left
        return left, operator, right

    def __str__(self) -> str:
        return " ".join(map(str, self.sides))

    def seen_in(self, sizes: Mapping[str, int]) -> str:
        """What its sides come to: `H is 5`, `S is 3, T is 4`, `65536 % B is 36 (B = 100)`."""
        left, _, right = self.sides
        told = {}
        for side in (left, right):
            if not isinstance(side, int):
                value = side.at(sizes) if isinstance(side, Remainder) else substitute(side, sizes)
                told[str(side)] = value
        given = ", ".join(f"{n} = {sizes[n]}" for n in sorted(self.symbols) if n not in told)
        shown = ", ".join(f"{side} is {value}" for side, value in told.items())
        return f"{shown} ({given})" if given else shown


@dataclass(frozen=True, slots=True)
class Assumption:
    """A relation that was not provable where `what` (a word, an operator, "assert") needed it:
    at `span`, in the layer at `path`. `places` are those of the nodes that rest on it. One that is
    `of_batch` asserts something about the number of rows: only training needs it.
    """

    relation: Relation
    what: str
    path: str = ""
    span: Span | None = None
    message: Message = ()
    places: frozenset[Place] = frozenset()
    of_batch: bool = False

    @property
    def is_asserted(self) -> bool:
        return bool(self.message)

    def said(self, sizes: Mapping[str, int] | None = None) -> str:
        """The message of an assertion, with sizes as far as they are known; "" for others."""
        known = sizes or {}
        return "".join(
            part if isinstance(part, str) else str(substitute(part, known))
            for part in self.message
        )

    @property
    def layer(self) -> str:
        """The label path of the layer that needs it, without the number of a function."""
        around, _, last = self.path.rpartition(".")
        return around if last.rpartition("_")[0] == self.what else self.path

    @property
    def line(self) -> str:
        """For a list: `H >= 7 (conv in stem, file.net:12)`."""
        text = str(self.relation)
        return f"{text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + '…'} ({self.origin})"

    @property
    def origin(self) -> str:
        """Who needs it: `conv in stem, file.net:12`."""
        where = [] if self.span is None else [f"{self.span.source.name}:{self.span.line}"]
        return ", ".join([f"{self.what} in {self.layer}" if self.layer else self.what, *where])

    def as_data(self) -> dict[str, str]:
        """For JSON."""
        return {"relation": str(self.relation), "what": self.what, "layer": self.layer,
                "place": "" if self.span is None else self.span.place, "message": self.said()}

    def is_needed(self, places: Container[Place], paths: Container[str]) -> bool:
        """Whether a node rests on it: at one of these places, below one of these label paths."""
        return any(
            (path, span) in places if span is not None else not path or path in paths
            for path, span in self.places
        )


# ------------------------------------------------------------------ one form for each relation


def relation(left: Dim, operator: str, right: Dim) -> Relation | bool:
    """`left operator right` for ==, !=, <=, <, >=, >: in its one form, or settled by it."""
    difference, operator = compared(left, operator, right)
    found = _inequality(difference) if operator == ">=" else _equation(difference)
    if isinstance(found, bool):
        return found is not (operator == "!=")
    return Relation(found, operator)


def compared(left: Dim, operator: str, right: Dim) -> tuple[Dim, str]:
    """The same as `difference operator 0` for ==, !=, >=."""
    if operator in ("==", "!="):
        return left - right, operator
    greater, smaller = (right, left) if operator in ("<=", "<") else (left, right)
    return greater - smaller - (operator in ("<", ">")), ">="


def _equation(difference: Dim) -> Expr | bool:
    """What says the same as difference = 0."""
    difference = without_factor(difference, _positive_factor(difference))
    if isinstance(difference, int):
        return difference == 0
    shared = content(difference)
    if constant(difference) % shared:
        return False
    difference = without_factor(difference, (), shared)
    difference = _same_half(difference)
    found = _remainder(difference)
    if found is not None and isinstance(found[0].divisor, int):
        (remainder, sign, rest) = found
        number, divisor = remainder.number, remainder.divisor
        if not 0 <= -sign * rest < divisor:
            return False
        # (n + k) % d = r is n % d = (r - k) % d
        wanted = (-sign * rest - constant(number)) % divisor
        return number - constant(number) - divisor * floor_div(
            number - constant(number), divisor) - wanted
    return -difference if difference.terms[0][1] < 0 else difference


def _inequality(difference: Dim) -> Expr | bool:
    """What says the same as difference ≥ 0."""
    before: Dim = 0
    while difference != before:
        before = difference
        difference = without_factor(difference, _positive_factor(difference))
        if isinstance(difference, int):
            return difference >= 0
        rest, shared = constant(difference), content(difference)
        # shared · p + rest ≥ 0 is p + ⌊rest / shared⌋ ≥ 0
        difference = without_factor(difference - rest, (), shared) + rest // shared
        difference = _unrounded(difference)
    return difference if isinstance(difference, Expr) else difference >= 0


def _unrounded(difference: Expr) -> Dim:
    """Without a lone quotient: ⌊n / d⌋ ≥ k is n ≥ k·d, and ⌊n / d⌋ ≤ k is n ≤ k·d + d - 1."""
    quotients = [
        (atom, factor, len(monomial) == power == 1)
        for monomial, factor in difference.terms for atom, power in monomial
        if isinstance(atom, Quotient)
    ]
    if len(quotients) != 1:
        return difference
    (quotient, factor, is_alone), = quotients
    divisor = quotient.divisor
    if not is_alone or abs(factor) != 1 or not isinstance(divisor, int):
        return difference
    rest = difference - factor * single(quotient)
    if factor == 1:
        return quotient.numerator + rest * divisor
    return rest * divisor + divisor - 1 - quotient.numerator


def _same_half(difference: Expr) -> Expr:
    """⌊(n + 1) / 2⌋ = ⌊n / 2⌋ is n % 2 = 0, and ⌊(n + 1) / 2⌋ = ⌊n / 2⌋ + 1 is n % 2 = 1."""
    rest = constant(difference)
    halves = {
        factor: monomial[0][0].numerator
        for monomial, factor in difference.terms
        if len(monomial) == 1 and isinstance(monomial[0][0], Quotient)
        and monomial[0][0].divisor == 2 and monomial[0][1] == 1
    }
    if len(difference.terms) - (rest != 0) != 2 or halves.keys() != {1, -1}:
        return difference
    sign = halves[1] - halves[-1]
    if sign not in (1, -1) or sign * rest not in (0, -1):
        return difference
    n = halves[-sign]
    return n - 2 * floor_div(n, 2) + sign * rest


def _positive_factor(difference: Dim) -> Monomial:
    """The factor that all terms share, as far as it is at least 1."""
    shared = common_factor(difference)
    return tuple((atom, power) for atom, power in shared if atom.bounds[0] >= 1)


def _remainder(difference: Dim) -> tuple[Remainder, int, int] | None:
    """r, s, k where difference = s·(n % d) + k for numbers s = ±1 and k."""
    for monomial, _ in terms_of(difference):
        for atom, _ in monomial:
            if not isinstance(atom, Quotient):
                continue
            whole = atom.numerator - atom.divisor * single(atom)
            for sign in (1, -1):
                rest = difference - sign * whole
                if isinstance(rest, int):
                    return Remainder(atom.numerator, atom.divisor), sign, rest
    return None
