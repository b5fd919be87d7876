"""What can be proved about sizes: exact linear reasoning over their products.

A size is a polynomial whose free dimensions are at least 1. Written in s' = s - 1 ≥ 0 its products
are at least 0 as well, so that H * W - H = h·w + w + … shows its sign; and ⌊n / d⌋ obeys
0 ≤ n - d·⌊n / d⌋ ≤ d - 1. The lower bound found for a size g is the best of the form

    g = c + Σ λᵢ fᵢ + Σ μₖ mₖ        λ, μ ≥ 0, facts fᵢ ≥ 0, products mₖ ≥ 0

which is a small linear program, solved in fractions. It is rounded up, because sizes are integers.
The work is counted, so that no file makes it long: what is not found in time is not proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, inf

from netdsl.ir.dim import (
    Dim,
    Expr,
    Monomial,
    Quotient,
    TooComplex,
    bounds,
    common_factor,
    constant,
    content,
    polynomial,
    single,
    terms_of,
    times,
    without_factor,
)
from netdsl.ir.simplex import Effort, OutOfEffort, best_combination

ONE_QUESTION = 10_000  # numbers calculated for one bound
MOST_PRODUCTS = 80  # in the linear program of one bound
MOST_FACTS = 30
MOST_DEGREE = 6  # of a product
MOST_BITS = 256  # of a factor

Products = dict[Monomial, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """True: proved, False: refuted, None: it depends. `used` are the facts that it rests on."""

    value: bool | None
    used: frozenset[int] = frozenset()


def equal(a: Dim, b: Dim) -> bool | None:
    """Whether two sizes agree: True or False where that is certain, None where it depends."""
    return a == b or decide(a - b, "==").value


def at_most(a: Dim, b: Dim) -> bool | None:
    """Whether a ≤ b, three-valued as `equal`."""
    return decide(b - a, ">=").value


def decide(
    difference: Dim, operator: str, facts: Sequence[Expr] = (), effort: Effort | None = None
) -> Answer:
    """Whether `difference operator 0` for all sizes with every fact ≥ 0; the operator is one of
    ==, !=, >=."""
    if operator == "!=":
        answer = decide(difference, "==", facts, effort)
        return Answer(None if answer.value is None else not answer.value, answer.used)
    if (quick := by_intervals(difference, operator)) is not None:
        return Answer(quick)
    if operator == "==" and constant(difference) % content(difference):
        return Answer(False)  # it is a multiple of something, and that number beside it
    low, high = bounds(difference)
    effort = effort or Effort(2 * ONE_QUESTION)
    tight, below = least(difference, facts, effort)
    low = max(low, tight)
    if operator == ">=" and low >= 0:
        return Answer(True, below)
    tight, above = least(-difference, facts, effort)
    return Answer(_judged(low, min(high, -tight), operator), below | above)


def by_intervals(difference: Dim, operator: str) -> bool | None:
    """The quick answer, from the interval of each product."""
    if operator == "!=":
        same = by_intervals(difference, "==")
        return None if same is None else not same
    return _judged(*bounds(difference), operator)


def _judged(low: float, high: float, operator: str) -> bool | None:
    if operator == ">=":
        return True if low >= 0 else False if high < 0 else None
    return True if low == high == 0 else False if low > 0 or high < 0 else None


def least(
    goal: Dim, facts: Sequence[Expr], effort: Effort
) -> tuple[float, frozenset[int]]:
    """A lower bound of a size where all facts are at least 0, and which of them it rests on;
    (-inf, nothing) where none was found."""
    own = effort.part(ONE_QUESTION)
    try:
        system = _System(goal, facts, own)
        found = best_combination(system.goal, system.facts, system.products(), own)
    except (TooComplex, OutOfEffort):
        found = None
    if found is None:
        return -inf, frozenset()
    value, used = found
    rounded = value if value == inf else ceil(value)
    return rounded, frozenset(i for i in used if i < len(facts))


class _System:
    """A goal and its facts in terms of products that are at least 0. Raises TooComplex."""

    def __init__(self, goal: Dim, facts: Sequence[Expr], effort: Effort):
        self._effort = effort
        self.goal = self._shifted(goal)
        self.facts = [self._shifted(fact) for fact in facts]
        seen: set[tuple[Quotient, Dim]] = set()
        waiting = [goal, *facts]
        while waiting:
            for quotient, others in _quotients(waiting.pop()):
                if (quotient, others) in seen or len(self.facts) + 2 > MOST_FACTS:
                    continue
                seen.add((quotient, others))
                self.facts += map(self._shifted, self._of_quotient(quotient, others))
                waiting += quotient.numerator, quotient.divisor

    def products(self) -> dict[Monomial, bool]:
        """Every product that occurs, and whether it can be negative."""
        found = dict.fromkeys(m for terms in (self.goal, *self.facts) for m in terms if m)
        if len(found) > MOST_PRODUCTS:
            raise TooComplex
        return {m: any(atom.bounds[0] == -inf for atom, _ in m) for m in found}

    def _of_quotient(self, q: Quotient, others: Dim) -> Iterator[Dim]:
        """n - d·q ≥ 0 and d·q + d - 1 - n ≥ 0 for q = ⌊n / d⌋ with d ≥ 1, times what is at
        least 0."""
        if bounds(q.divisor)[0] >= 1 and bounds(others)[0] >= 0:
            rest = q.numerator - q.divisor * single(q)
            yield rest * others
            yield (q.divisor - 1 - rest) * others

    def _shifted(self, dim: Dim) -> Products:
        """With every atom that has a lower bound replaced by atom' + bound, atom' ≥ 0."""
        total: Products = {}
        for monomial, factor in terms_of(dim):
            degree = sum(power for _, power in monomial)
            if degree > MOST_DEGREE or factor.bit_length() > MOST_BITS:
                raise TooComplex
            part: Products = {(): factor}
            for atom, power in monomial:
                low = atom.bounds[0]
                for _ in range(power):
                    part = _times_shifted(part, ((atom, 1),), 0 if low == -inf else int(low))
            for product, by in part.items():
                total[product] = total.get(product, 0) + by
        self._effort.spend(len(total))
        return {product: by for product, by in total.items() if by}


def _times_shifted(part: Products, atom: Monomial, low: int) -> Products:
    """part · (atom' + low)"""
    result: Products = {product: by * low for product, by in part.items()} if low else {}
    for product, by in part.items():
        raised = times(product, atom)
        result[raised] = result.get(raised, 0) + by
    return result


def _quotients(dim: Dim) -> Iterator[tuple[Quotient, Dim]]:
    """Every quotient in a size with what it stands beside: 1, the rest of its product, and that
    without the divisor where it is a factor."""
    for monomial, _ in terms_of(dim):
        for atom, _ in monomial:
            if not isinstance(atom, Quotient):
                continue
            others = without_factor(polynomial({monomial: 1}), ((atom, 1),))
            yield atom, 1
            yield atom, others
            beside = common_factor(others, atom.divisor)
            if beside and atom.divisor == polynomial({beside: 1}):
                yield atom, without_factor(others, beside)
