"""Sizes of axes: exact integers, or integer polynomials in free dimensions such as the batch `B`.

A `Dim` is a Python integer wherever the size is known, so fixed shapes cost nothing. Otherwise it
is an `Expr`, kept canonical: equal expressions are equal objects under `==` and `hash`.

    B * (H // 2) + 1      is      {B·⌊H/2⌋: 1, (): 1}

Free dimensions stand for integers of at least 1. What can be proved about sizes is in `proof`.
Expressions are bounded in size, so that no file makes them grow without end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import gcd, inf, prod
from typing import Any, TypeAlias

MOST_PARTS = 4000  # of an expression, written out
MOST_NESTED = 60  # quotients in quotients
MOST_BITS = 4096  # of a coefficient


class TooComplex(Exception):
    """An expression beyond the bounds above."""


def _worked_out() -> Any:
    """A field that follows from the others: sizes are compared and hashed all the time."""
    return field(init=False, repr=False, compare=False)


def _keep(record: Any, **values: Any) -> None:
    for name, value in values.items():
        object.__setattr__(record, name, value)


@dataclass(frozen=True, slots=True)
class Symbol:
    """A free dimension, by the name it has in the model's inputs."""

    name: str
    order: tuple[int, str] = _worked_out()
    parts: int = _worked_out()
    depth: int = _worked_out()
    bounds: tuple[float, float] = _worked_out()
    _hash: int = _worked_out()

    def __post_init__(self) -> None:
        _keep(self, order=(1, self.name), parts=1, depth=0, bounds=(1, inf), _hash=hash(self.name))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Quotient:
    """⌊numerator / divisor⌋ that does not simplify further."""

    numerator: Dim
    divisor: Dim
    order: tuple[int, str] = _worked_out()
    parts: int = _worked_out()
    depth: int = _worked_out()
    bounds: tuple[float, float] = _worked_out()
    _hash: int = _worked_out()

    def __post_init__(self) -> None:
        inner = [dim for dim in (self.numerator, self.divisor) if isinstance(dim, Expr)]
        _keep(self, order=(0, str(self)), parts=2 + sum(dim.parts for dim in inner),
              depth=1 + max(dim.depth for dim in inner),
              bounds=_quotient_bounds(bounds(self.numerator), bounds(self.divisor)),
              _hash=hash((self.numerator, self.divisor)))

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        return f"{_operand(self.numerator)} // {_operand(self.divisor)}"


Atom: TypeAlias = Symbol | Quotient
Monomial: TypeAlias = tuple[tuple[Atom, int], ...]  # atoms with their powers, in fixed order


@dataclass(frozen=True, slots=True)
class Expr:
    """A polynomial with integer coefficients that is not a constant. Build with arithmetic."""

    terms: tuple[tuple[Monomial, int], ...]
    parts: int = _worked_out()
    depth: int = _worked_out()
    _hash: int = _worked_out()

    def __post_init__(self) -> None:
        """Raises TooComplex."""
        parts, depth = len(self.terms), 0
        for monomial, factor in self.terms:
            for atom, power in monomial:
                parts += atom.parts * power
                depth = max(depth, atom.depth)
            if factor.bit_length() > MOST_BITS:
                raise TooComplex
        if parts > MOST_PARTS or depth > MOST_NESTED:
            raise TooComplex
        _keep(self, parts=parts, depth=depth, _hash=hash(self.terms))

    def __hash__(self) -> int:
        return self._hash

    def __add__(self, other: Dim) -> Dim:
        if isinstance(other, int):  # which stands last
            own = self.terms if self.terms[-1][0] else self.terms[:-1]
            number = other + constant(self)
            return ordered((*own, ((), number)) if number else own)
        terms = dict(self.terms)
        for monomial, factor in other.terms:
            terms[monomial] = terms.get(monomial, 0) + factor
        return polynomial(terms)

    __radd__ = __add__

    def __neg__(self) -> Dim:
        return self * -1

    def __sub__(self, other: Dim) -> Dim:
        return self + -other

    def __rsub__(self, other: Dim) -> Dim:
        return -self + other

    def __mul__(self, other: Dim) -> Dim:
        if isinstance(other, int):
            return ordered(tuple((m, factor * other) for m, factor in self.terms)) if other else 0
        if len(self.terms) * len(other.terms) > MOST_PARTS:
            raise TooComplex
        terms: dict[Monomial, int] = {}
        for left, a in self.terms:
            for right, b in other.terms:
                monomial = times(left, right)
                terms[monomial] = terms.get(monomial, 0) + a * b
        return polynomial(terms)

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
        lone = lone_quotient(self)
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
        return _divide_by_size(a, b)
    if b == 0:
        raise ZeroDivisionError("a size divided by 0")
    if b < 0:
        return floor_div(-a, -b)
    # ⌊(b·q + r) / b⌋ = q + ⌊r / b⌋ for integers q: every factor is brought into 0 … b - 1
    whole = polynomial({m: f // b for m, f in terms_of(a)})
    rest = polynomial({m: f % b for m, f in terms_of(a)})
    if isinstance(rest, int):
        return whole + rest // b
    shared = gcd(b, content(rest))
    if shared > 1:  # ⌊x / cb⌋ = ⌊⌊x / c⌋ / b⌋, and c divides all but the number in x
        return whole + floor_div(floor_div(rest, shared), b // shared)
    offset = constant(rest)
    inner = lone_quotient(rest - offset)
    if inner is not None and isinstance(inner.divisor, int):
        # ⌊(⌊a / c⌋ + n) / b⌋ = ⌊(a + cn) / cb⌋
        return whole + floor_div(inner.numerator + inner.divisor * offset, inner.divisor * b)
    return whole + single(Quotient(rest, b))


def ceil_div(a: Dim, b: Dim) -> Dim:
    """⌈a / b⌉."""
    if isinstance(b, int) and b > 0:
        return floor_div(a + b - 1, b)
    return -floor_div(-a, b)


def size(shape: tuple[Dim, ...]) -> Dim:
    """How many elements a tensor of this shape has."""
    return prod(shape, start=1)


def bounds(dim: Dim) -> tuple[float, float]:
    """An interval that holds the size for every value of its free dimensions."""
    if isinstance(dim, int):
        return dim, dim
    low = high = 0
    for monomial, factor in terms_of(dim):
        a, b = 1, 1
        for atom, power in monomial:
            for _ in range(power):
                a, b = _interval_product((a, b), atom.bounds)
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
        return sizes.get(atom.name, single(atom))
    return floor_div(substitute(atom.numerator, sizes), substitute(atom.divisor, sizes))


def terms_of(dim: Dim) -> tuple[tuple[Monomial, int], ...]:
    """The products of a size and their factors, the constant's product being empty."""
    if isinstance(dim, int):
        return (((), dim),) if dim else ()
    return dim.terms


def constant(dim: Dim) -> int:
    """The term without free dimensions."""
    if isinstance(dim, int):
        return dim
    monomial, factor = dim.terms[-1]
    return 0 if monomial else factor


def content(dim: Dim) -> int:
    """The greatest number that divides the factor of every other term."""
    return gcd(*(f for m, f in terms_of(dim) if m != ()))


def polynomial(terms: Mapping[Monomial, int]) -> Dim:
    """The size with these products and factors."""
    kept = [(m, f) for m, f in terms.items() if f]
    if len(kept) > 1:
        kept.sort(key=_order)
    return ordered(tuple(kept))


def ordered(terms: tuple[tuple[Monomial, int], ...]) -> Dim:
    """The same, of terms in order without zeros."""
    if not terms:
        return 0
    return terms[0][1] if terms[0][0] == () else Expr(terms)


def _order(term: tuple[Monomial, int]) -> tuple:
    """Highest degree first, then by name: the order in which people write polynomials."""
    monomial, _ = term
    return (-sum([power for _, power in monomial]), [(a.order, power) for a, power in monomial])


def single(atom: Atom) -> Dim:
    """The size that is one atom."""
    return Expr(((((atom, 1),), 1),))


def times(left: Monomial, right: Monomial) -> Monomial:
    powers = dict(left)
    for atom, power in right:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items(), key=lambda item: item[0].order))


def lone_quotient(dim: Expr) -> Quotient | None:
    """The quotient that `dim` is, if it is one and nothing else."""
    if len(dim.terms) != 1:
        return None
    (monomial, factor), = dim.terms
    if factor != 1 or len(monomial) != 1 or monomial[0][1] != 1:
        return None
    return monomial[0][0] if isinstance(monomial[0][0], Quotient) else None


def common_factor(*dims: Dim) -> Monomial:
    """The largest product of atoms that divides every term of every size."""
    monomials = [dict(monomial) for dim in dims for monomial, _ in terms_of(dim)]
    first, *others = monomials or [{}]
    powers = {atom: min([power, *(m.get(atom, 0) for m in others)])
              for atom, power in first.items()}
    return tuple((atom, power) for atom, power in powers.items() if power)


def without_factor(dim: Dim, factor: Monomial, by: int = 1) -> Dim:
    """The size divided by a product of atoms and a number that divide its every term."""
    removed = dict(factor)
    return polynomial({
        tuple((atom, left) for atom, power in monomial if (left := power - removed.get(atom, 0))):
            number // by
        for monomial, number in terms_of(dim)
    })


def _divides(factor: Monomial, monomial: Monomial) -> bool:
    powers = dict(monomial)
    return all(powers.get(atom, 0) >= power for atom, power in factor)


def _divide_by_size(a: Dim, b: Expr) -> Dim:
    """⌊a / b⌋ for a divisor that is not known."""
    factor = common_factor(a, b)
    shared = gcd(*(f for _, f in (*terms_of(a), *b.terms)))
    if factor or shared > 1:
        return floor_div(without_factor(a, factor, shared), without_factor(b, factor, shared))
    if len(b.terms) == 1:  # ⌊(b·q + r) / b⌋ = q + ⌊r / b⌋
        (divisor, by), = b.terms
        divisible = {m: f for m, f in terms_of(a) if f % by == 0 and _divides(divisor, m)}
        if divisible:
            part = polynomial(divisible)
            return without_factor(part, divisor, by) + floor_div(a - part, b)
    return single(Quotient(a, b))


def _quotient_bounds(
    numerator: tuple[float, float], divisor: tuple[float, float]
) -> tuple[float, float]:
    (low, high), (least, most) = numerator, divisor
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


def _factor(atom: Atom, power: int) -> str:
    text = f"({atom})" if isinstance(atom, Quotient) else str(atom)
    return text if power == 1 else f"{text} ** {power}"


def _operand(dim: Dim) -> str:
    text = str(dim)
    return f"({text})" if " " in text else text
