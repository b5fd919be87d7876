"""Rules for what Python, C and papers say in one sign or word and this language says otherwise; see
`place` for what a rule is."""

from __future__ import annotations

import re

from netdsl.diagnostics.forms import NamelessResult
from netdsl.diagnostics.habits import (
    ForeignConditional,
    ForeignForm,
    ForeignSign,
    SlashComment,
)
from netdsl.language.place import Edit, Mistake, Place, Rule
from netdsl.language.words import NAMES

_UNNAMED = (("NAME", "_"),)


def block_comment(place: Place) -> Mistake | None:
    """`/* text */`."""
    if (place.type(), place.type(1)) != ("SLASH", "STAR") or not place.adjacent(1):
        return None
    end = place.line().stop
    for position in range(place.at + 2, len(place.tokens) - 1):
        if place.tokens[position].type == "STAR" and place.tokens[position + 1].type == "SLASH":
            end = position + 2
            break
    return Mistake(SlashComment(place.span(0, 1)), (Edit(place.at, end),))


def list_comprehension(place: Place) -> Mistake | None:
    """`[2 * i for i in 0..3]`."""
    opened = place.open[-1] if place.open else 0
    if place.type() != "FOR" or place.tokens[opened].type != "LSQB":
        return None
    close = place.pairs.partner.get(opened)
    if close is None:
        return None
    item = place.text(opened + 1, place.at - 1)
    way = f"grow a list in a loop: `xs = []` and `for (…) {{ xs = xs + [{item}] }}`"
    problem = ForeignForm(place.span(opened - place.at, close - place.at), way,
                          "a list is not made by a `for` inside of it")
    return Mistake(problem, (Edit(opened + 1, close, _UNNAMED),))


def lambda_word(place: Place) -> Mistake | None:
    """`f = lambda x: x`."""
    for position in range(place.at, max(place.at - 4, 0), -1):
        if place.tokens[position].value == "lambda":
            way = "declare a layer: `layer Name{attribute = 1}(x) { … }`"
            edit = Edit(position, place.line().stop, _UNNAMED)
            return Mistake(ForeignForm(place.span_at(position), way), (edit,))
    return None


def spread(place: Place) -> Mistake | None:
    """`concat(*xs, axis = 1)`."""
    if place.type() not in ("STAR", "POWER") or place.type(-1) not in ("LPAR", "COMMA", "LSQB"):
        return None
    way = "leave it out: `concat` and `stack` take a list of tensors as it is"
    return Mistake(ForeignForm(place.span(), way), (Edit(place.at, place.at + 1),))


def comparing_word(place: Place) -> Mistake | None:
    """`c is none`, `c is not none`, `n in [1, 2]`."""
    behind_value = "PLUS" in place.expected
    if place.type() == "IN" and behind_value and place.begin < place.at - 1:
        value, items = place.token(-1).value, place.text(place.at + 1, place.operand(place.at, 1))
        each = [f"{value} == {item.strip()}" for item in items.strip("[]()").split(",")]
        edit = Edit(place.at, place.operand(place.at, 1) + 1, (("SAME", "=="), ("INT", "0")))
        return Mistake(ForeignForm(place.span(), f"compare one by one: `{' or '.join(each)}`"),
                       (edit,))
    at = next((p for p in (place.at, place.at - 1) if place.tokens[p].value == "is"), None)
    if at is None or place.tokens[at - 1].type not in NAMES:
        return None
    negated = place.tokens[at + 1].type == "NOT"
    token = ("DIFFERENT", "!=") if negated else ("SAME", "==")
    problem = ForeignSign(place.span(at - place.at, at + negated - place.at), token[1])
    return Mistake(problem, (Edit(at, at + 1 + negated, (token,)),))


def when_before_stage(place: Place) -> Mistake | None:
    """`x -> when c relu`."""
    if place.type() != "WHEN" or place.type(-1) != "ARROW":
        return None
    way = "the stage comes first: `-> relu when condition`"
    return Mistake(ForeignForm(place.span(), way), (Edit(place.at, place.at, _UNNAMED),))


def ternary(place: Place) -> Mistake | None:
    """`c ? a : b`, and `x -> relu when c else tanh`."""
    at, line = place.at, place.line()
    if place.type() == "QMARK" and "PLUS" in place.expected:
        first, middle = place.operand(at, -1), place.operand(at, 1) + 1
        if place.tokens[middle].type != "COLON":
            return None
        parts = ((first, at - 1), (at + 1, middle - 1))
        way = "if {0} then {1} else {2}"
    elif place.type() == "ELSE":
        middle = at
        when = next((p for p in range(at, line.start, -1) if place.tokens[p].type == "WHEN"), at)
        first = place.operand(when, -1)
        if when == at or place.tokens[first - 1].type != "ARROW":
            return None
        parts = ((when + 1, at - 1), (first, when - 1))
        way = "(if {0} then {1} else {2})"
    else:
        return None
    last = place.operand(middle, 1)
    if last == middle or any(begin > end for begin, end in parts):
        return None
    meant = way.format(*(place.text(*part) for part in parts), place.text(middle + 1, last))
    problem = ForeignConditional(place.span(first - at, last - at), meant)
    return Mistake(problem, (Edit(first, last + 1, _UNNAMED),))


def split_sign(place: Place) -> Mistake | None:
    """`x - > relu`, `a < = b`."""
    for first in (-1, 0):
        sign = _SPLIT.get((place.type(first), place.type(first + 1)))
        if sign is not None and not place.starts_line(first + 1):
            edit = Edit(place.at + first, place.at + first + 2, (sign,))
            return Mistake(ForeignSign(place.span(first, first + 1), sign[1]), (edit,))
    return None


_SPLIT = {
    ("MINUS", "MORETHAN"): ("ARROW", "->"),
    ("LESSTHAN", "EQUAL"): ("AT_MOST", "<="),
    ("MORETHAN", "EQUAL"): ("AT_LEAST", ">="),
}


def label_of_parts(place: Place) -> Mistake | None:
    """`x -> stage.0: conv{8}`, `"c": conv{8}`."""
    if place.type() != "COLON" or place.type(1) not in NAMES or place.starts_line(1):
        return None
    if place.type(2) not in ("LBRACE", "LPAR", "DOT") or "COLON" in place.expected:
        return None
    first = place.operand(place.at, -1)
    if place.tokens[first - 1].type not in ("ARROW", "EQUAL", "RETURN") or first == place.at:
        return None
    if any(place.tokens[p].type not in _OF_LABELS for p in range(first, place.at)):
        return None
    label = re.sub(r"\W+", "_", place.text(first, place.at - 1)).strip("_")
    label = label if label.isidentifier() else f"layer_{label}".rstrip("_")
    made = place.text(place.at + 1, place.operand(place.at, 1))
    problem = ForeignForm(place.span(first - place.at, -1), f"`{label}: {made}`",
                          "a label is one name")
    return Mistake(problem, (Edit(first, place.at, (("NAME", label),)),))


_OF_LABELS = frozenset({"INT", "FLOAT", "STRING", "DOT", *NAMES})


def label_behind(place: Place) -> Mistake | None:
    """`-> linear{10}: fc`, `-> fc = linear{10}`."""
    if place.type() == "EQUAL" and place.type(-1) in NAMES and place.type(-2) == "ARROW":
        labelled = place.text(place.at + 1, place.operand(place.at, 1))
        way = f"a label takes `:`: `{place.token(-1).value}: {labelled}`"
        edit = Edit(place.at, place.at + 1, (("COLON", ":"),))
        return Mistake(ForeignForm(place.span(), way), (edit,))
    arrows = [p for p in place.line() if p < place.at and place.tokens[p].type == "ARROW"]
    if place.type() != "COLON" or place.type(1) not in NAMES or not arrows:
        return None
    labelled = place.text(arrows[-1] + 1, place.at - 1)
    way = f"a label stands before what it names: `{place.token(1).value}: {labelled}`"
    problem = ForeignForm(place.span(0, 1), way)
    return Mistake(problem, (Edit(place.at, place.at + 2),))


def nameless_declaration(place: Place) -> Mistake | None:
    """`input: f32[B, 3]`, `output: relu(x)`."""
    colon = place.at if place.type() == "COLON" else place.at - 1
    role = place.tokens[colon - 1].type
    if place.tokens[colon].type != "COLON" or role not in _DECLARED_NAMES:
        return None
    if place.tokens[colon + 1].type in ("FOR", "IF") or place.begin not in (colon - 1, colon):
        return None
    name, keyword = _DECLARED_NAMES[role], role.lower()
    declared = role in ("INPUT", "STATE", "PARAMETER")
    last = max(place.line().stop - 1, colon + 1)
    sign = ":" if declared else " ="
    way = f"{keyword} {name}{sign} {place.text(colon + 1, last)}"
    tokens = (("NAME", name), ("COLON", ":") if declared else ("EQUAL", "="))
    problem = NamelessResult(place.span_at(colon - 1), keyword, way)
    return Mistake(problem, (Edit(colon, colon + 1, tokens),))


def input_equals(place: Place) -> Mistake | None:
    """`input image = f32[B, 3, 32, 32]`."""
    begin = place.begin
    declares = place.tokens[begin].type in ("INPUT", "STATE", "PARAMETER")
    if not declares or place.at != begin + 2 or place.type() != "EQUAL":
        return None
    keyword, declared = place.tokens[begin].value, place.text(begin, place.at - 1)
    if keyword != "input" and "LSQB" not in (place.type(1), place.type(2)):
        way = f"give it one: `{declared}: f32[…] = {place.text_behind(place.at)}`"
        type = (("COLON", ":"), ("NAME", "f32"), ("LSQB", "["), ("RSQB", "]"))
        return Mistake(ForeignForm(place.span(-1), way, f"a {keyword} has a type"),
                       (Edit(place.at, place.at, type),))
    way = f"write `:`: `{declared}: {place.text_behind(place.at)}`"
    edit = Edit(place.at, place.at + 1, (("COLON", ":"),))
    return Mistake(ForeignForm(place.span(), way), (edit,))


def result_equals(place: Place) -> Mistake | None:
    """`loss = cross_entropy(logits, label)`, `output logits, features`."""
    at, begin = place.at, place.begin
    if place.type() == "EQUAL" and place.type(-1) in _RESULT_NAMES and begin in (at - 1, at):
        role = place.token(-1).value
        name = _RESULT_NAMES[place.type(-1)]
        lone = role == "output" and place.type(1) in NAMES and place.starts_line(2)
        way = f"{role} {place.token(1).value}" if lone else (
            f"{role} {name} = {place.text_behind(at)}")
        problem = NamelessResult(place.span(-1), role, way)
        return Mistake(problem, (Edit(at, at, (("NAME", name),)),))
    several = place.tokens[begin].type == "OUTPUT" and at == begin + 2
    if several and place.type() == "COMMA" and not place.starts_line(1):
        way = f"`output {place.token(-1).value}  output {place.token(1).value}`"
        edit = Edit(at, at + 1, (("OUTPUT", "output"),))
        return Mistake(ForeignForm(place.span(), way, "each output is said by itself"), (edit,))
    return None


_RESULT_NAMES = {"OUTPUT": "y", "LOSS": "total", "METRIC": "score"}
_DECLARED_NAMES = {"INPUT": "x", "STATE": "s", "PARAMETER": "w", **_RESULT_NAMES}


def nameless_import(place: Place) -> Mistake | None:
    """`use "./blocks.net"`."""
    path = place.token(-1)
    if place.type(-2) != "USE" or path.type != "STRING" or "AS" not in place.expected:
        return None
    stem = path.value.strip('"').rpartition("/")[2].partition(".")[0] or "blocks"
    name = stem if stem.isidentifier() else "blocks"
    problem = ForeignForm(place.span(-1), f"`use {path.value} as {name}`",
                          "a file that is used gets a name")
    return Mistake(problem, (Edit(place.at, place.at, (("AS", "as"), ("NAME", name))),))


IDIOM_RULES: tuple[Rule, ...] = (
    block_comment,
    list_comprehension,
    lambda_word,
    spread,
    comparing_word,
    when_before_stage,
    ternary,
    split_sign,
    label_of_parts,
    label_behind,
    nameless_declaration,
    input_equals,
    result_equals,
    nameless_import,
)
