"""Sizes of axes: exact integers, or integer polynomials in free dimensions such as the batch `B`.

A `Dim` is a Python integer wherever the size is known, so fixed shapes cost nothing. Otherwise it
is an `Expr`, kept canonical: equal expressions are equal objects under `==` and `hash`.

    B * (H // 2) + 1      is      {B·⌊H/2⌋: 1, (): 1}

Free dimensions stand for integers of at least 1. Questions about sizes have three answers:
True (proved), False (refuted), None (it depends; the compiler notes it as an assumption).
Expressions are bounded in size, so that no file makes them grow without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf, prod
from typing import TypeAlias

MOST_PARTS = 4000  # of an expression, written out
MOST_NESTED = 60  # quotients in quotients
MOST_BITS = 4096  # of a coefficient


class TooComplex(Exception):
    """An expression beyond the bounds above."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A free dimension, by the name it has in the model's inputs."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """⌊numerator / divisor⌋ that does not simplify further."""

    numerator: Dim
    divisor: Dim

    def __str__(self) -> str:
        return f"{_operand(self.numerator)} // {_operand(self.divisor)}"


Atom: TypeAlias = Symbol | Quotient
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]  # atoms with their powers, in fixed order


@dataclass(frozen=True, slots=True)
class Expr:
    """A polynomial with integer coefficients that is not a constant. Build with arithmetic."""

    terms: tuple[tuple[Monomial, int], ...]
    parts: int = field(init=False, repr=False, compare=False)
    depth: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raises TooComplex."""
        atoms = [(_extent(atom), power) for monomial, _ in self.terms for atom, power in monomial]
        parts = len(self.terms) + sum(parts * power for (parts, _), power in atoms)
        depth = max(depth for (_, depth), _ in atoms)
        widest = max(factor.bit_length() for _, factor in self.terms)
        if parts > MOST_PARTS or depth > MOST_NESTED or widest > MOST_BITS:
            raise TooComplex
        object.__setattr__(self, "parts", parts)
        object.__setattr__(self, "depth", depth)

    def __add__(self, other: Dim) -> Dim:
        terms = dict(self.terms)
        for monomial, factor in _terms(other):
            terms[monomial] = terms.get(monomial, 0) + factor
        return _canonical(terms)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return _canonical({monomial: -factor for monomial, factor in self.terms})

    def __sub__(self, other: Dim) -> Dim:
        return self + -other

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, Expr) and len(self.terms) * len(other.terms) > MOST_PARTS:
            raise TooComplex
        terms: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in _terms(other):
                monomial = _times(left, right)
                terms[monomial] = terms.get(monomial, 0) + a * b
        return _canonical(terms)

    __rmul__ = __mul__

    def __floordiv__(self, other: Dim) -> Dim:
        return floor_div(self, other)

    def __rfloordiv__(self, other: Dim) -> Dim:
        return floor_div(other, self)

    def __mod__(self, other: Dim) -> Dim:
        return self - floor_div(self, other) * other

    def __rmod__(self, other: Dim) -> Dim:
        return other - floor_div(other, self) * self

    def __pow__(self, power: int) -> Dim:
        result: Dim = 1
        for _ in range(power):
            result = result * self
        return result

    def __str__(self) -> str:
        lone = _lone_quotient(self)
        if lone is not None:
            return str(lone)
        written = []
        for monomial, factor in self.terms:
            parts = [_factor(atom, power) for atom, power in monomial]
            if abs(factor) != 1 or not parts:
                parts.insert(0, str(abs(factor)))
            sign = "- " if factor < 0 else "+ "
            written.append(sign + " * ".join(parts))
        text = " ".join(written)
        return text.removeprefix("+ ") if text.startswith("+") else "-" + text.removeprefix("- ")

    __repr__ = __str__


Dim: TypeAlias = int | Expr


def symbol(name: str) -> Dim:
    """The free dimension called `name`."""
    return Expr(((((Symbol(name), 1),), 1),))


def floor_div(a: Dim, b: Dim) -> Dim:
    """⌊a / b⌋. Raises ZeroDivisionError for a divisor of 0."""
    if isinstance(a, int) and isinstance(b, int):
        return a // b
    if b == 1 or a == 0:
        return a
    if a == b:
        return 1
    if not isinstance(b, int):
        whole = _divide_by_monomial(a, b)
        return whole if whole is not None else _atom(Quotient(a, b))
    if b == 0:
        raise ZeroDivisionError("a size divided by 0")
    # ⌊(b·q + r) / b⌋ = q + ⌊r / b⌋ for integers q: every factor is brought into 0 … b - 1
    whole = _canonical({m: f // b for m, f in _terms(a)})
    rest = _canonical({m: f % b for m, f in _terms(a)})
    if isinstance(rest, int):
        return whole + rest // b
    offset = sum(f for m, f in rest.terms if m == ())
    inner = _lone_quotient(rest - offset)
    if inner is not None and isinstance(inner.divisor, int) and inner.divisor > 0 and b > 0:
        # ⌊(⌊a / c⌋ + n) / b⌋ = ⌊(a + cn) / cb⌋
        return whole + floor_div(inner.numerator + inner.divisor * offset, inner.divisor * b)
    return whole + _atom(Quotient(rest, b))


def ceil_div(a: Dim, b: Dim) -> Dim:
    """⌈a / b⌉."""
    if isinstance(b, int) and b > 0:
        return floor_div(a + b - 1, b)
    return -floor_div(-a, b)


def size(shape: tuple[Dim, ...]) -> Dim:
    """How many elements a tensor of this shape has."""
    return prod(shape, start=1)


def equal(a: Dim, b: Dim) -> bool | None:
    """Whether two sizes agree: True or False where that is certain, None where it depends."""
    low, high = bounds(a - b)
    if low == high == 0:
        return True
    if low > 0 or high < 0:
        return False
    return None


def at_most(a: Dim, b: Dim) -> bool | None:
    """Whether a ≤ b, three-valued as `equal`."""
    low, high = bounds(b - a)
    if low >= 0:
        return True
    return False if high < 0 else None


def bounds(dim: Dim) -> tuple[float, float]:
    """An interval that holds the size for every value of its free dimensions."""
    low = high = 0
    for monomial, factor in _terms(dim):
        a, b = 1, 1
        for atom, power in monomial:
            for _ in range(power):
                a, b = _interval_product((a, b), _atom_bounds(atom))
        a, b = _interval_product((a, b), (factor, factor))
        low, high = _end_sum(low, a), _end_sum(high, b)
    return low, high


def free_symbols(dim: Dim) -> frozenset[str]:
    """The names of the free dimensions in a size."""
    if isinstance(dim, int):
        return frozenset()
    names: set[str] = set()
    for monomial, _ in dim.terms:
        for atom, _ in monomial:
            if isinstance(atom, Symbol):
                names.add(atom.name)
            else:
                names |= free_symbols(atom.numerator) | free_symbols(atom.divisor)
    return frozenset(names)


def substitute(dim: Dim, sizes: Mapping[str, Dim]) -> Dim:
    """The size with some free dimensions replaced."""
    if isinstance(dim, int):
        return dim
    total: Dim = 0
    for monomial, factor in dim.terms:
        product: Dim = factor
        for atom, power in monomial:
            product = product * _substitute_atom(atom, sizes) ** power
        total = total + product
    return total


def _substitute_atom(atom: Atom, sizes: Mapping[str, Dim]) -> Dim:
    if isinstance(atom, Symbol):
        return sizes.get(atom.name, _atom(atom))
    return floor_div(substitute(atom.numerator, sizes), substitute(atom.divisor, sizes))


def _terms(dim: Dim):
    if isinstance(dim, int):
        return (((), dim),) if dim else ()
    return dim.terms


def _canonical(terms: dict[Monomial, int]) -> Dim:
    kept = [(m, f) for m, f in terms.items() if f]
    if not kept:
        return 0
    if len(kept) == 1 and kept[0][0] == ():
        return kept[0][1]
    # highest degree first, then by name: the order in which people write polynomials
    kept.sort(key=lambda item: (-sum(power for _, power in item[0]), str(item[0])))
    return Expr(tuple(kept))


def _atom(atom: Atom) -> Dim:
    return Expr(((((atom, 1),), 1),))


def _times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: str(item[0])))


def _lone_quotient(dim: Expr) -> Quotient | None:
    """The quotient that `dim` is, if it is one and nothing else."""
    if len(dim.terms) != 1:
        return None
    (monomial, factor), = dim.terms
    if factor != 1 or len(monomial) != 1 or monomial[0][1] != 1:
        return None
    return monomial[0][0] if isinstance(monomial[0][0], Quotient) else None


def _divide_by_monomial(a: Dim, b: Dim) -> Dim | None:
    """a / b where b is a single product that divides every term of a, else None."""
    if len(b.terms) != 1:
        return None
    (divisor, by), = b.terms
    result: dict[Monomial, int] = {}
    for monomial, factor in _terms(a):
        powers = dict(monomial)
        for atom, power in divisor:
            powers[atom] = powers.get(atom, 0) - power
        if factor % by or any(power < 0 for power in powers.values()):
            return None
        result[tuple((atom, power) for atom, power in powers.items() if power)] = factor // by
    return _canonical(result)


def _atom_bounds(atom: Atom) -> tuple[float, float]:
    if isinstance(atom, Symbol):
        return 1, inf
    (low, high), (least, most) = bounds(atom.numerator), bounds(atom.divisor)
    if least <= 0:
        return -inf, inf
    lower = low if low == -inf else low // least if low < 0 else 0 if most == inf else low // most
    upper = inf if high == inf else high // least if high >= 0 else -1
    return lower, upper


def _interval_product(x: tuple[float, float], y: tuple[float, float]) -> tuple[float, float]:
    ends = [_end_product(a, b) for a in x for b in y]
    return min(ends), max(ends)


def _end_product(a: float, b: float) -> float:
    """a * b where 0 * inf is 0; a large integer never becomes a float."""
    if a == 0 or b == 0:
        return 0
    if abs(a) == inf or abs(b) == inf:
        return inf if (a > 0) == (b > 0) else -inf
    return a * b


def _end_sum(a: float, b: float) -> float:
    """a + b of two lower or two upper ends; a large integer never becomes a float."""
    return a if abs(a) == inf else b if abs(b) == inf else a + b


def _extent(atom: Atom) -> tuple[int, int]:
    """How many parts an atom has, and how deep quotients nest in it."""
    if isinstance(atom, Symbol):
        return 1, 0
    inner = [dim for dim in (atom.numerator, atom.divisor) if isinstance(dim, Expr)]
    return 2 + sum(dim.parts for dim in inner), 1 + max(dim.depth for dim in inner)


def _factor(atom: Atom, power: int) -> str:
    text = f"({atom})" if isinstance(atom, Quotient) else str(atom)
    return text if power == 1 else f"{text} ** {power}"


def _operand(dim: Dim) -> str:
    text = str(dim)
    return f"({text})" if " " in text else text
