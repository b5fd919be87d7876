"""Relations between sizes: one form for each, read as people write it, and what is assumed proves
nothing that is not so."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from netdsl.ir.assumptions import Assumptions, agree, collecting, known, strongest, within
from netdsl.ir.dim import Expr, TooComplex, ceil_div, floor_div, substitute, symbol
from netdsl.ir.relations import Assumption, Relation, relation

B, H, K, L, S, T, W = map(symbol, "BHKLSTW")

WRITTEN = {  # what is asked, and how it reads
    "a window": (0, "<=", H + 2 - 9, "H >= 7"),
    "after two strides": ((H + 3) // 4, ">=", 7, "H >= 25"),
    "at most": (S - 1, "<=", 512, "S <= 513"), "less": (S, "<", T, "T > S"),
    "at most one more": (S, "<=", T + 3, "S <= T + 3"), "one apart": (S + 1, "==", T, "T == S + 1"),
    "more than": (T, ">", 2 * S + 1, "T >= 2 * S + 2"),
    "equal": (T, "==", S, "S == T"), "a number": (3, "==", W, "W == 3"),
    "a multiple": (4 * (L // 4), "==", L, "L % 4 == 0"),
    "of what is fixed": (65536 % B, "==", 0, "65536 % B == 0"),
    "in any batch": (B * L * 12, "==", 48 * B * (L // 4), "L % 4 == 0"),
    "odd": ((H + 1) % 2, "==", 0, "H % 2 == 1"),
    "halves": ((H + 1) // 2, "==", H // 2, "H % 2 == 0"),
    "halves up": ((H + 1) // 2, "==", H // 2 + 1, "H % 2 == 1"),
    "there and back": (2 * ceil_div(H, 2), "==", H, "H % 2 == 0"),
    "a remainder": (H % 5, "<=", 3, "H % 5 <= 3"), "not": (B, "!=", 1, "B != 1"),
    "rounded": (2 * S, ">=", 7, "S >= 4"), "a product": (H * W, "==", 49, "H * W == 49"),
    "quotients": (H // 2, "==", W // 2, "H // 2 == W // 2"),
    "two multiples": (2 * S, "==", 3 * T, "2 * S == 3 * T"),
}


@pytest.mark.parametrize("left, operator, right, shown", WRITTEN.values(), ids=WRITTEN)
def test_a_relation_reads_as_people_write_it(left, operator, right, shown):
    assert str(relation(left, operator, right)) == shown


SETTLED = {
    "never even": (2 * S, "==", 2 * T + 1, False), "always": (B, ">=", 1, True),
    "too large a remainder": (H % 3, "==", 5, False), "itself": (B + H - B, "==", H, True),
    "not itself": (B, "!=", B, False), "one more": (B + 1, "!=", B, True),
}


@pytest.mark.parametrize("left, operator, right, answer", SETTLED.values(), ids=SETTLED)
def test_what_its_form_settles(left, operator, right, answer):
    found = relation(left, operator, right)
    assert found is answer or known(left, operator, right) is answer


SAME = [
    [(2 * S, ">=", 7), (S, ">=", 4), (3, "<", S), (B * S, ">=", 4 * B), (S // 2, ">=", 2)],
    [(S, "==", T), (T, "==", S), (B * S, "==", B * T), (3 * S - 3 * T, "==", 0)],
    [(L % 4, "==", 0), (4 * (L // 4), "==", L), (4 * ceil_div(L, 4), "==", L),
     ((L + 3) % 4, "==", 3)],
]


@pytest.mark.parametrize("alike", SAME, ids=lambda alike: str(relation(*alike[0])))
def test_what_says_the_same_is_equal(alike):
    assert len({relation(*each) for each in alike}) == 1


def test_what_its_sides_come_to():
    sizes = {"H": 5, "S": 3, "T": 4, "B": 100, "W": 2}
    shown = {
        relation(H, ">=", 7): "H is 5", relation(S, "==", T): "S is 3, T is 4",
        relation(65536 % B, "==", 0): "65536 % B is 36 (B = 100)",
        relation(2 * S, "==", T * W): "T * W is 8, 2 * S is 6 (S = 3, T = 4, W = 2)",
    }
    for asked, text in shown.items():
        assert not asked.holds(sizes) and asked.seen_in(sizes) == text


def test_a_division_by_nothing_does_not_hold():
    assert not relation(H // (S - T), ">=", 2).holds({"H": 8, "S": 1, "T": 1})


# ------------------------------------------------------------------ against brute force


@st.composite
def sizes(draw, depth: int = 2):
    if depth == 0 or draw(st.integers(0, 2)) == 0:
        return draw(st.one_of(st.integers(-3, 8), st.sampled_from([B, H, W])))
    a, b = draw(sizes(depth - 1)), draw(sizes(depth - 1))
    match draw(st.sampled_from("+-*/%")):
        case "+":
            return a + b
        case "-":
            return a - b
        case "*":
            return a * b
        case "/":
            return a if b == 0 else floor_div(a, b)
    return a if b == 0 else a % b


OPERATORS = {
    "==": lambda a, b: a == b, "!=": lambda a, b: a != b, "<=": lambda a, b: a <= b,
    "<": lambda a, b: a < b, ">=": lambda a, b: a >= b, ">": lambda a, b: a > b,
}
asked = st.tuples(sizes(), st.sampled_from(sorted(OPERATORS)), sizes())
GRID = [dict(zip("BHW", at)) for at in product(range(1, 6), repeat=3)]


def is_so(left, operator, right, at) -> bool | None:
    """None after a division by nothing."""
    try:
        return OPERATORS[operator](substitute(left, at), substitute(right, at))
    except ZeroDivisionError:
        return None


@given(asked)
def test_one_form_says_what_was_asked(question):
    try:
        found = relation(*question)
    except TooComplex:
        return
    truths = [is_so(*question, at) for at in GRID]
    if None in truths:
        return
    if isinstance(found, bool):
        assert set(truths) == {found}
        return
    assert [found.holds(at) for at in GRID] == truths
    assert relation(found.difference, found.operator, 0) == found
    assert str(found) and found.seen_in(GRID[-1])
    left, operator, right = found.sides
    sides = [(substitute(right, at) if isinstance(right, Expr) else right) for at in GRID]
    lefts = [left.at(at) if hasattr(left, "at") else substitute(left, at) for at in GRID]
    assert [OPERATORS[operator](a, b) for a, b in zip(lefts, sides)] == truths


@settings(deadline=None, max_examples=80)
@given(st.lists(asked, min_size=1, max_size=5))
def test_nothing_is_proved_or_refuted_wrongly(questions):
    """Of the sizes that fulfil what was assumed so far, all fulfil what is proved and none what
    is refuted."""
    left = list(GRID)
    assumptions = Assumptions()
    for question in questions:
        truths = [is_so(*question, at) for at in left]
        try:
            wanted = relation(*question)
        except TooComplex:
            continue
        if None in truths:
            continue
        before = len(assumptions)
        if assumptions.needs(wanted):
            assert len(assumptions) > before or all(truths)
            left = [at for at, so in zip(left, truths) if so]
        else:
            assert not any(truths)
            return
    listed = assumptions.listed()
    assert left == [at for at in GRID if all(each.relation.holds(at) for each in listed)]
    kept = strongest(listed)
    assert left == [at for at in GRID if all(each.relation.holds(at) for each in kept)]


# ------------------------------------------------------------------ what is assumed proves others


ONE_CAUSE = {  # questions in order, and all that is assumed
    "equal names": (["S == T"], lambda: (
        agree(S, T), agree(B * S, B * T), agree(S // 2 + 1, (T + 2) // 2), within(S, T),
        agree(B * S + T, B * T + S), agree(S * S, T * T))),
    "a chain": (["S == T", "L == T"], lambda: (agree(S, T), agree(T, L), agree(L, S))),
    "a multiple": (["L % 4 == 0"], lambda: (
        agree(4 * (L // 4), L), agree(2 * (L // 2), L), agree(ceil_div(L, 4), L // 4),
        agree(B * 4 * (L // 4), B * L), within(4, L), agree((L + 2) % 4, 2))),
    "a larger multiple": (["L % 2 == 0", "L % 8 == 0"], lambda: (
        agree(2 * (L // 2), L), agree(8 * (L // 8), L), agree(4 * (L // 4), L))),
    "a remainder": (["L % 3 == 1"], lambda: (
        agree(L % 3, 1), agree(3 * (L // 3) + 1, L), agree((L + 2) // 3, L // 3 + 1))),
    "a bound": (["H >= 7"], lambda: (
        within(7, H), within(5, H), within(0, H - 7), within(3, (H - 1) // 2),
        within(8, H + W))),
    "bounds in order": (["T >= S", "L >= T"], lambda: (
        within(S, T), within(T, L), within(S, L), within(S // 2, L // 2))),
    "what is fixed": (["65536 % B == 0"], lambda: (
        agree(65536 % B, 0), agree(B * (65536 // B), 65536),
        agree(3 * B * (65536 // B) + 1, 3 * 65536 + 1))),
    "a number": (["H == 5"], lambda: (
        agree(H, 5), agree(B * H, 5 * B), within(H, 5), agree(H // 2, 2))),
    "one apart": (["T == S + 1"], lambda: (
        agree(T, S + 1), agree(T - 1, S), within(2, T), agree((T + 1) // 2, S // 2 + 1))),
    "two of one": (["2 * S == 3 * T"], lambda: (
        agree(2 * S, 3 * T), agree(4 * S + 1, 6 * T + 1), within(T, S))),
}


@pytest.mark.parametrize("listed, ask", ONE_CAUSE.values(), ids=ONE_CAUSE)
def test_one_cause_gives_one_assumption(listed, ask):
    with collecting(Assumptions()) as found:
        assert all(ask())
    assert [str(each.relation) for each in found.listed()] == listed


def test_what_was_assumed_refutes():
    with collecting(Assumptions()) as found:
        found.asks("conv", "stem", None)
        assert within(7, H)
        found.asks("slice", "head", None)
        assert not within(H, 6)
        reason, = found.refuting
        assert (str(reason.relation), reason.origin) == ("H >= 7", "conv in stem")
        assert agree(S, T + 1) and not agree(S, T)
        assert not agree(B, B + 1) and not found.refuting  # by itself
    assert [str(each.relation) for each in found.listed()] == ["H >= 7", "S == T + 1"]


def test_a_question_alone_assumes_nothing():
    with collecting(Assumptions()) as found:
        assert known(S, "<=", T) is None and known(S, "==", T) is None and not len(found)
        assert within(S, T) and known(S, "<=", T) is True and known(S, ">", T) is False
    assert known(S, "<=", T) is None


def test_without_a_collector_what_is_not_plainly_wrong_passes():
    assert agree(S, T) and within(7, H) and agree(3, 3)
    assert not agree(B, B + 1) and not within(B + 1, B) and not agree(3, 4) and not within(4, 3)


def test_the_nodes_that_rest_on_it():
    with collecting(Assumptions()) as found:
        for place in ("a", "b", "c"):
            found.asks("conv", place, None)
            assert within(9 if place == "c" else 7, H)
    first, second = found.listed()
    assert {path for path, _ in first.places} == {"a", "b"}
    assert {path for path, _ in second.places} == {"c"}


def test_of_two_bounds_the_stronger_is_told():
    weak, strong, other = (
        Assumption(relation(H, ">=", least), "conv", message=()) for least in (3, 7, 7)
    )
    equal = Assumption(relation(S, "==", T), "add")
    assert strongest((weak, equal, strong)) == (equal, strong)
    assert strongest((strong, weak, other)) == (strong,)
    said = Assumption(relation(H, ">=", 3), "assert", message=("three",))
    assert strongest((said, strong)) == (said, strong)
    assert strongest((weak, said)) == (said,)


def test_a_message_tells_sizes_as_they_are_known():
    each = Assumption(relation(65536 % B, "==", 0), "assert", message=("queue 65536, batch ", B))
    assert each.said() == "queue 65536, batch B"
    assert each.said({"B": 100}) == "queue 65536, batch 100"


def test_hard_questions_end():
    """The effort for one model is counted: what is not found in time is assumed."""
    with collecting(Assumptions()) as found:
        for n in range(2, 150):
            within(n * (H // n) * (W // (n + 1)) + H % (n + 3), H * W + (B + n) // (S + n))
            agree((H * n + 1) // (n + 1), (W * n + 2) // (n + 1))
    assert len(found) > 100


def test_relations_are_data():
    asked = relation(S, "==", T)
    assert isinstance(asked, Relation) and asked.symbols == {"S", "T"}
    assert asked.substitute({"S": 3, "T": 3}) is True
    assert asked.substitute({"S": 3, "T": 4}) is False
    assert str(asked.substitute({"S": 3})) == "T == 3"
