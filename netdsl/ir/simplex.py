"""Linear programs in fractions, by the simplex method with Bland's rule: exact, always ending."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from math import inf

Terms = Mapping[Hashable, int]  # products and their factors; () is the product of the constant


class OutOfEffort(Exception):
    """The work that was granted is done, and the answer not found."""


class Effort:
    """How many numbers may still be calculated."""

    def __init__(self, left: int):
        self.left = left
        self._whole: Effort | None = None

    def part(self, most: int) -> Effort:
        """A share of at most this much, spent from this effort too."""
        share = Effort(min(self.left, most))
        share._whole = self
        return share

    def spend(self, work: int) -> None:
        """Raises OutOfEffort when it is not there to be spent."""
        self.left -= work
        if self._whole is not None:
            self._whole.left -= work
        if self.left < 0:
            raise OutOfEffort


def best_combination(
    goal: Terms, facts: Sequence[Terms], products: Mapping[Hashable, bool], effort: Effort
) -> tuple[Fraction | float, frozenset[int]] | None:
    """The largest c with goal = c + Σ λᵢ·factsᵢ + (products with factors ≥ 0), λ ≥ 0, and the i
    with λᵢ > 0. Products marked in `products` must cancel. None: there is no such sum; inf: the
    facts contradict each other. Raises OutOfEffort.
    """
    rows = []  # goal[m] - Σ λᵢ·factsᵢ[m] ≥ 0
    for product, is_free in products.items():
        row = [Fraction(goal.get(product, 0)), *(Fraction(-f.get(product, 0)) for f in facts)]
        rows += [row, [-entry for entry in row]] if is_free else [row]
    objective = [Fraction(goal.get((), 0)), *(Fraction(-fact.get((), 0)) for fact in facts)]
    table = _Table(rows, objective, effort)
    if not table.make_feasible():
        return None
    if not table.improve():
        return inf, frozenset(range(len(facts)))
    return table.objective[0], frozenset(i - 1 for i in table.positive() if 1 <= i <= len(facts))


class _Table:
    """A dictionary of the simplex method: every row is basic = row[0] + Σ row[j]·nonbasic[j]."""

    def __init__(self, rows: list[list[Fraction]], objective: list[Fraction], effort: Effort):
        self.rows, self.objective, self.effort = rows, objective, effort
        count = len(objective)
        self.nonbasic = list(range(count))  # variables by number; 0 stands for the constant
        self.basic = list(range(count, count + len(rows)))

    def positive(self) -> list[int]:
        return [name for name, row in zip(self.basic, self.rows) if row[0] > 0]

    def make_feasible(self) -> bool:
        """Bring the table to a point where no row is negative, through a slack x₀ that is added
        to all rows and driven back to 0."""
        if all(row[0] >= 0 for row in self.rows):
            return True
        slack, wanted = -1, self.objective
        for row in self.rows:
            row.append(Fraction(1))
        self.nonbasic.append(slack)
        self.objective = [Fraction(0)] * len(wanted) + [Fraction(-1)]
        worst = min(range(len(self.rows)), key=lambda i: self.rows[i][0])
        self._pivot(worst, len(self.nonbasic) - 1)
        self.improve()
        if self.objective[0] < 0:
            return False
        if slack in self.basic:
            row = self.basic.index(slack)
            entering = next((j for j in range(1, len(self.nonbasic)) if self.rows[row][j]), None)
            if entering is None:
                del self.rows[row], self.basic[row]
            else:
                self._pivot(row, entering)
        if slack in self.nonbasic:
            gone = self.nonbasic.index(slack)
            del self.nonbasic[gone]
            for row in self.rows:
                del row[gone]
        self.objective = self._in_nonbasic(wanted)
        return True

    def improve(self) -> bool:
        """Go to the largest objective; False when there is none."""
        while True:
            rising = [j for j in range(1, len(self.nonbasic)) if self.objective[j] > 0]
            if not rising:
                return True
            entering = min(rising, key=lambda j: self.nonbasic[j])
            limits = [
                (row[0] / -row[entering], self.basic[i], i)
                for i, row in enumerate(self.rows) if row[entering] < 0
            ]
            if not limits:
                return False
            self._pivot(min(limits)[2], entering)

    def _pivot(self, leaving: int, entering: int) -> None:
        """Solve the leaving row for the entering variable. Raises OutOfEffort."""
        self.effort.spend(len(self.rows) * len(self.nonbasic))
        row = self.rows[leaving]
        by = row[entering]
        solved = [-entry / by for entry in row]
        solved[entering] = 1 / by
        self.rows[leaving] = solved
        for i, other in enumerate(self.rows):
            if i != leaving and other[entering]:
                self.rows[i] = _replaced(other, solved, entering)
        self.objective = _replaced(self.objective, solved, entering)
        self.basic[leaving], self.nonbasic[entering] = self.nonbasic[entering], self.basic[leaving]

    def _in_nonbasic(self, objective: list[Fraction]) -> list[Fraction]:
        """An objective in the first variables, written in those that are nonbasic now."""
        total = [objective[0]] + [Fraction(0)] * (len(self.nonbasic) - 1)
        for name in range(1, len(objective)):
            if name in self.nonbasic:
                total[self.nonbasic.index(name)] += objective[name]
            elif objective[name]:
                row = self.rows[self.basic.index(name)]
                total = [a + objective[name] * b for a, b in zip(total, row)]
        return total


def _replaced(row: list[Fraction], solved: list[Fraction], entering: int) -> list[Fraction]:
    """The row with the entering variable replaced by what it was solved for."""
    by = row[entering]
    result = [a + by * b for a, b in zip(row, solved)]
    result[entering] = by * solved[entering]
    return result
