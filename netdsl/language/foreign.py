"""Rules for what is written as in Python or C; see `place` for what a rule is."""

from __future__ import annotations

import re

from netdsl.diagnostics.habits import (
    BareHeader,
    ColonBlock,
    EqualsInCondition,
    ForeignConditional,
    ForeignForm,
    ForeignSign,
    ModelParentheses,
    SlashComment,
)
from netdsl.diagnostics.suggest import nearest
from netdsl.language.brackets import starts_line
from netdsl.language.place import Edit, Mistake, Place, Rule
from netdsl.language.words import (
    ARITHMETIC,
    CLOSED_BY,
    CLOSING,
    COMPARISONS,
    DECLARATIONS,
    NAMES,
    TRAIN_SETTINGS,
    is_word,
)

_A_LAYER = "declare a layer: `layer Name{attribute = 1}(x) { … }`"
_A_MODEL = "declare a model: `model Name { … }`, or a layer: `layer Name{attribute = 1}(x) { … }`"
_A_FILE = 'use a file: `use "./blocks.net" as blocks`'
_WORDS = {
    "def": _A_LAYER,
    "function": _A_LAYER,
    "fn": _A_LAYER,
    "func": _A_LAYER,
    "class": _A_MODEL,
    "struct": _A_MODEL,
    "network": _A_MODEL,
    "module": _A_MODEL,
    "import": _A_FILE,
    "from": _A_FILE,
    "include": _A_FILE,
    "var": "bind a name without a word before it: `x = …`",
    "const": "write `let x = …` at the top of the file, `x = …` inside a declaration",
    "elif": "write `else if (condition) { … }`",
    "while": "loops have a known length: `for (i in 0..n) { … }`",
    "self": "leave `self.` out: names are those of the declaration",
    "this": "leave `this.` out: names are those of the declaration",
    "break": "a loop has a known length: shorten its range, or guard what it does with `if`",
    "continue": "guard the rest of the loop's body with `if (condition) { … }`",
    "pass": "leave it out: a block may be empty",
    "print": "nothing is printed while a network is built; `assert` checks",
    "lambda": _A_LAYER,
}

_PYTHON_RANGE = re.compile(r"\brange\(\s*(?:([^(),]+),)?\s*([^(),]+)\)")


def slash_comment(place: Place) -> Mistake | None:
    """`linear{3} // text`: where nothing can be divided; `slashes` knows the others."""
    if place.type() != "FLOOR":
        return None
    return Mistake(SlashComment(place.span()), (Edit(place.at, place.line().stop),))


def foreign_word(place: Place) -> Mistake | None:
    """`def`, `class`, `self.x = …`, at the beginning of a statement."""
    at = place.at if place.kind == "declaration" else place.begin
    word = place.tokens[at]
    if word.type != "NAME" or word.value not in _WORDS or place.at > at + 2:
        return None
    if place.type() in ("EQUAL", "COMMA"):
        return None
    edits = ()
    if word.value == "elif":
        edits = (Edit(at, at + 1, (("ELSE", "else"), ("IF", "if"))),)
    return Mistake(ForeignForm(place.span_at(at), _WORDS[word.value]), edits)


def colon_declaration(place: Place) -> Mistake | None:
    """`model: Small`, as in YAML."""
    keyword = place.type(-1)
    if place.type() != "COLON" or keyword not in DECLARATIONS or place.begin != place.at - 1:
        return None
    problem = ForeignForm(place.span(), f"leave it out: `{DECLARATIONS[keyword]}`")
    return Mistake(problem)


def python_conditional(place: Place) -> Mistake | None:
    """`a if c else b`."""
    line = place.line()
    at = next((p for p in (place.at, place.at - 1) if place.tokens[p].type == "IF"), None)
    if at is None and place.type() == "ELSE":
        earlier = reversed(range(line.start, place.at))
        at = next((p for p in earlier if place.tokens[p].type == "IF"), None)
    if at is None or at == line.start:
        return None
    before = place.tokens[at - 1]
    if not (is_word(before) and before.type in NAMES) and before.type not in _ENDS_VALUE:
        return None
    end = place.operand(at, 1)
    if place.tokens[end + 1].type != "ELSE":
        return None
    first, last = place.operand(at, -1), place.operand(end + 1, 1)
    condition, then = place.text(at + 1, end), place.text(first, at - 1)
    meant = f"if {condition} then {then} else {place.text(end + 2, last)}"
    span = place.span(first - place.at, last - place.at)
    edit = Edit(first, last + 1, (("NAME", "_"),))
    return Mistake(ForeignConditional(span, meant), (edit,))


_ENDS_VALUE = frozenset({"INT", "FLOAT", "STRING", *CLOSING})


def bare_header(place: Place) -> Mistake | None:
    """`for i in 0..n {`, `if c:`."""
    keyword = place.type(-1)
    if keyword not in ("FOR", "IF") or place.type() == "LPAR" or "LPAR" not in place.expected:
        return None
    if "INT" in place.expected or place.type() == "EQUAL":
        return None
    end = _header_end(place)
    header = place.text(place.at, end - 1) if end > place.at else "…"
    header = _PYTHON_RANGE.sub(lambda found: f"{found[1] or 0}..{found[2].strip()}", header)
    meant = f"{keyword.lower()} ({header}) {{ … }}"
    problem = BareHeader(place.span(-1, end - 1 - place.at), meant)
    edits = [Edit(place.at, place.at, (("LPAR", "("),)), Edit(end, end, (("RPAR", ")"),))]
    if place.tokens[end].type == "COLON":
        edits = [edits[0], *_braces(place, end, (("RPAR", ")"),))]
    return Mistake(problem, tuple(edits))


def _header_end(place: Place) -> int:
    """The position of the `{` or `:` that begins the block; of the line's end without one."""
    position, stop = place.at, place.line().stop
    while position < stop:
        type = place.tokens[position].type
        partner = place.pairs.partner.get(position, position)
        goes_on = partner + 1 < stop and place.tokens[partner + 1].type in _AFTER_VALUE
        if type == "COLON" or type == "LBRACE" and not (partner < stop and goes_on):
            return position
        position = (partner if type in CLOSED_BY else position) + 1
    return min(position, stop)


_AFTER_VALUE = frozenset({
    "LBRACE", "LPAR", "COLON", "DOT", "RANGE", "AND", "OR", *ARITHMETIC, *COMPARISONS,
})  # fmt: skip


def colon_block(place: Place) -> Mistake | None:
    """`if (c):`, `else:`, `layer L(x):`."""
    if place.type() != "COLON" or "LBRACE" not in place.expected:
        return None
    header = place.text(place.line().start, place.at - 1)
    return Mistake(ColonBlock(place.span(), f"{header} {{ … }}"), tuple(_braces(place, place.at)))


def _braces(place: Place, colon: int, before: tuple[tuple[str, str], ...] = ()) -> list[Edit]:
    """`{` for a colon, and `}` where the indentation returns."""
    source, tokens = place.source, place.tokens
    first = place.line().start
    column = source.position(tokens[first].start_pos)[1]
    end = colon + 1
    while end < len(tokens) - 1:
        if starts_line(source, tokens, end):
            if source.position(tokens[end].start_pos)[1] <= column:
                break
        if tokens[end].type in CLOSED_BY:
            end = place.pairs.partner.get(end, end)
        elif tokens[end].type in CLOSING:
            break
        end += 1
    opening = Edit(colon, colon + 1, (*before, ("LBRACE", "{")))
    return [opening, Edit(end, end, (("RBRACE", "}"),))]


def equals_in_condition(place: Place) -> Mistake | None:
    """`if (a = b)`, `when a = b`."""
    if place.type() != "EQUAL" or place.adjacent(0) and place.type(-1) in ("SAME", "COLON"):
        return None
    if place.starts_line(-1):
        return None
    for position in range(place.at - 1, place.begin - 1, -1):
        type = place.tokens[position].type
        header = type == "LPAR" and place.tokens[position - 1].type == "IF"
        if header or type in ("WHEN", "ASSERT", "AND", "OR", "NOT", "IF"):
            edit = Edit(place.at, place.at + 1, (("SAME", "=="),))
            return Mistake(EqualsInCondition(place.span()), (edit,))
        if type in CLOSED_BY or type in ("EQUAL", "COMMA", "ARROW", "COLON"):
            return None
    return None


def assert_comma(place: Place) -> Mistake | None:
    """`assert c, "message"`."""
    if place.type() != "COMMA" or place.tokens[place.begin].type != "ASSERT":
        return None
    if "ELSE" not in place.expected:
        return None
    edit = Edit(place.at, place.at + 1, (("ELSE", "else"),))
    problem = ForeignForm(place.span(), "write `else` before the message of an `assert`")
    return Mistake(problem, (edit,))


def joined_signs(place: Place) -> Mistake | None:
    """`x += 1`, `x := 1`, `a === b`, `a => b`, `a <> b`: signs that lie side by side."""
    at = place.at
    if place.type() in ARITHMETIC and place.type(1) == "EQUAL" and place.adjacent(1):
        name, sign = place.token(-1).value, place.token().value
        last = place.line().stop - 1
        term = place.text(at + 2, last) if last > at + 1 else "…"
        term = f"({term})" if last > at + 2 else term
        problem = ForeignSign(place.span(0, 1), f"{name} = {name} {sign} {term}")
        return Mistake(problem, (Edit(at, at + 1),))
    for first in (-1, 0):
        pair = (place.type(first), place.type(first + 1))
        if pair in _JOINED and place.adjacent(first + 1):
            instead, tokens = _JOINED[pair]
            edit = Edit(at + first, at + first + 2, tokens)
            return Mistake(ForeignSign(place.span(first, first + 1), instead), (edit,))
    return None


_JOINED = {
    ("COLON", "EQUAL"): ("=", (("EQUAL", "="),)),
    ("SAME", "EQUAL"): ("==", (("SAME", "=="),)),
    ("DIFFERENT", "EQUAL"): ("!=", (("DIFFERENT", "!="),)),
    ("EQUAL", "MORETHAN"): ("->", (("ARROW", "->"),)),
    ("LESSTHAN", "MORETHAN"): ("!=", (("DIFFERENT", "!="),)),
}


def annotated_binding(place: Place) -> Mistake | None:
    """`logits: f32[B, 10] = e`, `x: image -> relu`."""
    colon = place.at - 1
    if place.type(-1) != "COLON" or place.expected != {"FOR", "IF"} or place.begin != colon - 1:
        return None
    name = place.token(-2).value
    end = place.operand(colon, 1) + 1
    if place.tokens[end].type == "EQUAL":
        problem = ForeignForm(place.span(-1, end - 1 - place.at), f"leave it out: `{name} = …`")
        return Mistake(problem, (Edit(colon, end),))
    problem = ForeignForm(place.span(-1), f"bind a name with `=`: `{name} = …`")
    return Mistake(problem, (Edit(colon, colon + 1, (("EQUAL", "="),)),))


def setting_sign(place: Place) -> Mistake | None:
    """`batch = 32`, `epochs: 10`."""
    if place.kind != "train" or place.at != place.begin + 1:
        return None
    if place.type() not in ("EQUAL", "COLON") or place.type(-1) not in NAMES:
        return None
    name, value = place.token(-1).value, place.text(place.at + 1, place.operand(place.at, 1))
    match nearest(name, [*map(str.lower, TRAIN_SETTINGS), "minimize", "lr"]):
        case "minimize":
            way = f"write `minimize LOSS with {value}`"
        case "lr":
            way = f"it belongs to the optimiser: `minimize LOSS with sgd(lr = {value})`"
        case setting:
            way = f"leave it out: `{setting or name} {value}`"
    return Mistake(ForeignForm(place.span(), way), (Edit(place.at, place.at + 1),))


def prefixed_string(place: Place) -> Mistake | None:
    """`f"…"`, `r"…"`."""
    first = next((o for o in (-1, 0) if place.type(o) == "NAME" and place.type(o + 1) == "STRING"
                  and place.adjacent(o + 1)), None)
    if first is None:
        return None
    edit = Edit(place.at + first, place.at + first + 1)
    way = "leave it out: strings have no prefix; an `assert` fills `{name}` in by itself"
    return Mistake(ForeignForm(place.span(first), way), (edit,))


def model_parentheses(place: Place) -> Mistake | None:
    """`model Net(classes = 10) { … }`."""
    if place.type() != "LPAR" or place.type(-2) != "MODEL":
        return None
    close = place.pairs.partner.get(place.at)
    if close is None:
        return None
    edits = (
        Edit(place.at, place.at + 1, (("LBRACE", "{"),)),
        Edit(close, close + 1, (("RBRACE", "}"),)),
    )
    inside = place.text(place.at + 1, close - 1) if close > place.at + 1 else ""
    meant = place.token(-1).value + (f"{{{inside}}}" if inside else "")
    return Mistake(ModelParentheses(place.span(0, close - place.at), meant), edits)


FOREIGN_RULES: tuple[Rule, ...] = (
    slash_comment,
    foreign_word,
    colon_declaration,
    python_conditional,
    bare_header,
    colon_block,
    joined_signs,
    equals_in_condition,
    assert_comma,
    annotated_binding,
    setting_sign,
    prefixed_string,
    model_parentheses,
)
