"""Rules for statements and expressions that lack a part; see `place` for what a rule is."""

from __future__ import annotations

from netdsl.diagnostics.forms import (
    BarePipeline,
    BelongsElsewhere,
    ForeignSlice,
    LoneExpression,
    MinimizeForm,
    MissingBraces,
    MissingComma,
    MissingShape,
    NamelessResult,
)
from netdsl.diagnostics.habits import ForeignForm
from netdsl.diagnostics.syntax import MissingExpression, ReservedWord, Unexpected
from netdsl.language.place import Edit, Mistake, Place, Rule
from netdsl.language.words import (
    CLOSED_BY,
    CLOSING,
    END,
    NAMES,
    STATEMENTS,
    TRAIN_SETTINGS,
    TRAIN_STATEMENTS,
    called,
)

_ENDS_VALUE = frozenset({"INT", "FLOAT", "STRING", *CLOSING, *NAMES})
_BEGINS_VALUE = frozenset({"INT", "FLOAT", "STRING", *NAMES})


def missing_shape(place: Place) -> Mistake | None:
    """`input image: f32`."""
    if place.expected != {"LSQB"} or place.type(-1) not in NAMES or place.type(-2) != "COLON":
        return None
    edit = Edit(place.at, place.at, (("LSQB", "["), ("RSQB", "]")))
    return Mistake(MissingShape(place.span(-1), place.token(-1).value), (edit,))


def setting_in_body(place: Place) -> Mistake | None:
    """`epochs 3` in a model."""
    word = place.token(-1).value
    if place.kind != "statement" or word.upper() not in TRAIN_SETTINGS:
        return None
    if place.begin != place.at - 1 or place.type() not in _BEGINS_VALUE:
        return None
    name = place.declared_name("MODEL") or "Name"
    last = place.line().stop - 1
    way = f"train {name} {{ {place.text(place.at - 1, last)} }}"
    return Mistake(BelongsElsewhere(place.span(-1), way), (Edit(place.at - 1, last + 1),))


def minimize_form(place: Place) -> Mistake | None:
    """`minimize ce`, `minimize ce adam(lr = 1e-3)`, `minimize(ce, adam(lr = 1e-3))`."""
    begin = place.begin
    if place.tokens[begin].type != "MINIMIZE" or place.kind not in ("train", "step"):
        return None
    line = range(place.at, place.line().stop)
    if place.at == begin + 1 and place.type() == "LPAR":
        close = place.pairs.partner.get(place.at)
        if close is None or close < place.at + 2:
            return None
        inside = place.text(place.at + 1, close - 1)
        loss, _, rest = inside.partition(",")
        edits = (Edit(place.at, close + 1, _MINIMISED),)
        span = place.span(-1, close - place.at)
    elif "WITH" in place.expected:
        loss = place.text(begin + 1, place.at - 1)
        follows = not place.starts_line() and place.type() in NAMES
        if not (follows or place.starts_line() or place.type() in ("RBRACE", "$END")):
            return None
        skips = 1 if follows and place.type(1) in NAMES else 0  # `minimize ce using adam(…)`
        rest = place.text(place.at + skips, line[-1]) if follows and line else ""
        tokens = (("WITH", "with"),) if follows else (("WITH", "with"), ("NAME", "x"))
        edits = (Edit(place.at, place.at + skips, tokens),)
        span = place.span(begin - place.at, -1)
    else:
        return None
    optimizer = rest.strip() or "adam(lr = 1e-3)"
    return Mistake(MinimizeForm(span, f"minimize {loss} with {optimizer}"), edits)


def minimize_loss(place: Place) -> Mistake | None:
    """`minimize loss with adam(lr = 1e-3)`."""
    if place.type() != "LOSS" or place.type(-1) != "MINIMIZE":
        return None
    tokens = place.tokens
    losses = [tokens[p + 1].value for p in range(len(tokens) - 2) if tokens[p].type == "LOSS"
              and tokens[p + 1].type in NAMES and tokens[p + 2].type == "EQUAL"] or ["ce"]
    way = f"`minimize {losses[0]} {place.text_behind(place.at)}`"
    if len(losses) > 1:
        way = f"name one of them: {', '.join(f'`{name}`' for name in dict.fromkeys(losses))}"
    edit = Edit(place.at, place.at + 1, (("NAME", losses[0]),))
    return Mistake(ReservedWord(place.span(), "a loss is named in the model: `loss ce = …`", way),
                   (edit,))


_MINIMISED = (("NAME", "x"), ("WITH", "with"), ("NAME", "x"))


def missing_braces(place: Place) -> Mistake | None:
    """`if (c) x = 1`, `else x = 2`."""
    if "LBRACE" not in place.expected or place.type() in ("COLON", "LBRACE", "$END"):
        return None
    opened = place.pairs.partner.get(place.at - 1)
    if place.type(-1) == "ELSE":
        first = place.at - 1
    elif opened is not None and place.tokens[opened - 1].type in ("IF", "FOR"):
        first = opened - 1
    else:
        return None
    line = place.line()
    stop = next((p for p in range(place.at, line.stop) if place.tokens[p].type == "ELSE"),
                line.stop)
    way = f"{place.text(first, place.at - 1)} {{ {place.text(place.at, stop - 1)} }}"
    if stop + 1 < line.stop:
        way += f" else {{ {place.text(stop + 1, line.stop - 1)} }}"
    edits = (Edit(place.at, place.at, (("LBRACE", "{"),)), Edit(stop, stop, (("RBRACE", "}"),)))
    keyword = place.tokens[first].value
    return Mistake(MissingBraces(place.span(0, stop - 1 - place.at), keyword, way), edits)


def nameless_result(place: Place) -> Mistake | None:
    """`output x -> relu`, `loss cross_entropy(logits, label)`."""
    begin = place.begin
    role = place.tokens[begin].type
    if role not in _RESULT_NAMES or place.at != begin + 2 or place.type() not in _GOES_ON:
        return None
    last = place.line().stop - 1
    way = f"{role.lower()} {_RESULT_NAMES[role]} = {place.text(begin + 1, last)}"
    edit = Edit(begin + 1, begin + 1, (("NAME", _RESULT_NAMES[role]), ("EQUAL", "=")))
    span = place.span(begin - place.at, last - place.at)
    return Mistake(NamelessResult(span, role.lower(), way), (edit,))


_RESULT_NAMES = {"OUTPUT": "y", "LOSS": "total", "METRIC": "score"}
_GOES_ON = frozenset({"ARROW", "LPAR", "LBRACE", "DOT", "LSQB", "PLUS", "MINUS", "STAR", "SLASH"})


def foreign_slice(place: Place) -> Mistake | None:
    """`x[:, 0]`, `x[1:5]`, `x[..., 0]`."""
    opened = place.open[-1] if place.open else 0
    if place.type() not in ("COLON", "REST") or place.tokens[opened].type != "LSQB":
        return None
    close = place.pairs.partner.get(opened)
    if close is None or opened == 0 or place.tokens[opened - 1].type not in _ENDS_VALUE:
        return None
    first = place.operand(opened, -1)
    items = _sliced(place, opened, close)
    way = None if items is None else f"{place.text(first, opened)}{', '.join(items)}]"
    edit = Edit(opened + 1, close, (("NAME", "_"),))
    span = place.span(opened - place.at, close - place.at)
    return Mistake(ForeignSlice(span, way), (edit,))


def _sliced(place: Place, opened: int, close: int) -> list[str] | None:
    """The items between brackets as this language writes them; None where an end is not said."""
    items, start = [], opened + 1
    for position in range(opened + 1, close + 1):
        if place.tokens[position].type != "COMMA" and position != close:
            continue
        parts = [p for p in range(start, position) if place.tokens[p].type == "COLON"]
        if any(place.tokens[p].type == "REST" for p in range(start, position)) or len(parts) > 1:
            return None
        if not parts:
            items.append(place.text(start, position - 1))
        elif position - start == 1:
            items.append("_")
        elif parts[0] == position - 1:
            return None
        else:
            begin = place.text(start, parts[0] - 1) if parts[0] > start else "0"
            end = place.text(parts[0] + 1, position - 1)
            if end.startswith("-"):
                return None
            items.append(f"{begin}..{end}")
        start = position + 1
    return items


def lone_expression(place: Place) -> Mistake | None:
    """`x -> relu`, `xs.append(x)`, `fc(x)` as statements."""
    if place.kind != "statement" or place.begin != place.at - 1 or place.type(-1) not in NAMES:
        return None
    if place.type() not in ("ARROW", "LPAR", "DOT") or not place.starts_line(-1):
        return None
    last = place.at
    while last + 1 < len(place.tokens) - 1 and (
        not place.starts_line(last + 1 - place.at) or place.tokens[last + 1].type == "ARROW"
    ):
        last += 1
    name, text = place.token(-1).value, place.text(place.begin, last)
    if place.type() == "DOT" and place.tokens[last].type != "RPAR":
        return None
    if place.type() == "DOT" and place.type(1) in NAMES and place.token(1).value in _GROWING:
        inside = place.text(place.at + 3, last - 1) if last > place.at + 3 else "…"
        way = f"{name} = {name} + {_GROWING[place.token(1).value].format(inside)}"
    else:
        way = f"{name if place.type() == 'ARROW' else 'y'} = {text}"
    edit = Edit(place.begin, place.begin, (("NAME", name), ("EQUAL", "=")))
    return Mistake(LoneExpression(place.span(-1, last - place.at), way), (edit,))


_GROWING = {"append": "[{}]", "extend": "{}", "add": "[{}]"}


def bare_pipeline(place: Place) -> Mistake | None:
    """`if c then x -> f else x`."""
    if place.type() != "ARROW" or "ELSE" not in place.expected:
        return None
    first = place.at - 1
    while first > place.begin and place.tokens[first].type != "THEN":
        first -= 1
    stop, depth = place.at, 0
    for stop in range(place.at, len(place.tokens)):
        type = place.tokens[stop].type
        depth += (type in CLOSED_BY) - (type in CLOSING)
        if type == "ELSE" and not depth or depth < 0:
            break
    if place.tokens[first].type != "THEN" or place.tokens[stop].type != "ELSE":
        return None
    way = f"({place.text(first + 1, stop - 1)})"
    edits = (Edit(first + 1, first + 1, (("LPAR", "("),)), Edit(stop, stop, (("RPAR", ")"),)))
    return Mistake(BarePipeline(place.span(first + 1 - place.at, stop - 1 - place.at), way), edits)


def operator_behind_stage(place: Place) -> Mistake | None:
    """`y = x -> relu + 1`: the pipeline is the loosest of all."""
    if place.type() not in _OPERATORS:
        return None
    inside = place.open[-1] + 1 if place.open and place.open[-1] >= place.begin else place.begin
    first, depth, arrow = place.at, 0, False
    while first > inside:
        type = place.tokens[first - 1].type
        depth += (type in CLOSING) - (type in CLOSED_BY)
        arrow = arrow or (type == "ARROW" and not depth)
        if not depth and type in ("EQUAL", "COMMA", "RETURN"):
            break
        first -= 1
    if not arrow:
        return None
    text = place.text(first, place.at - 1)
    edits = (Edit(first, first, (("LPAR", "("),)), Edit(place.at, place.at, (("RPAR", ")"),)))
    way = f"({text}) {place.token().value} …"
    return Mistake(BarePipeline(place.span(first - place.at, 0), way), edits)


_OPERATORS = frozenset({
    "PLUS", "MINUS", "STAR", "SLASH", "FLOOR", "PERCENT", "POWER", "SAME", "DIFFERENT", "LESSTHAN",
    "MORETHAN", "AT_MOST", "AT_LEAST", "AND", "OR",
})


def missing_comma(place: Place) -> Mistake | None:
    """`conv{16 k = 3}`, `[1 2]`."""
    inside = bool(place.open) and place.open[-1] >= place.begin
    if not inside or "COMMA" not in place.expected:
        return None
    if place.type() not in _BEGINS_VALUE or place.type(-1) not in _ENDS_VALUE:
        return None
    opened = place.span_at(place.open[-1])
    column = place.source.position(place.token().start_pos)[1]
    if column == place.indentation(place.at) <= place.indentation(place.open[-1]):
        return None  # a statement, and the brackets are not closed
    edit = Edit(place.at, place.at, (("COMMA", ","),))
    problem = MissingComma(place.span(), place.span(-1),
                           None if opened.line == place.span().line else opened)
    return Mistake(problem, (edit,))


# ---------------------------------------------------------------- declarations


def unfinished_declaration(place: Place) -> Mistake | None:
    """`assert n > 1` without `else`, `parameter w: f32[3]` and `state s: f32[3]` without `=`."""
    begin, over = place.begin, place.type() in STATEMENTS or place.type() in ("RBRACE", END)
    if not over and not place.starts_line() and place.type(1) != "EQUAL":
        return None
    declared = place.text(begin, place.at - 1)
    if place.tokens[begin].type == "ASSERT" and "ELSE" in place.expected:
        tokens = (("ELSE", "else"), ("STRING", '"message"'))
        if any(place.tokens[p].type == "THEN" for p in range(begin, place.at)):
            return None
    elif place.tokens[begin].type in ("PARAMETER", "STATE") and place.expected == {"EQUAL"}:
        if place.type(-1) != "RSQB":
            return None
        tokens = (("EQUAL", "="), ("NAME", "zeros"), ("LPAR", "("), ("RPAR", ")"))
    else:
        return None
    end = tokens[0][1] + " " + "".join(text for _, text in tokens[1:])
    problem = Unexpected(place.span(), called(place.token()), (f"`{tokens[0][1]}`",),
                         way=f"`{declared} {end}`")
    return Mistake(problem, (Edit(place.at, place.at, tokens),))


def _is_inside(place: Place) -> bool:
    """Whether brackets of the statement itself are open."""
    return bool(place.open) and place.open[-1] >= place.begin


def trailing_comma(place: Place) -> Mistake | None:
    """`y = relu(x),` with the next statement behind it."""
    statement = place.type() in STATEMENTS or place.type() in TRAIN_STATEMENTS
    if place.type() == "COMMA" and (place.starts_line(1) or place.type(1) in ("RBRACE", END)):
        comma = place.at
    elif place.type(-1) == "COMMA" and (statement or place.type() in ("RBRACE", END)):
        comma = place.at - 1
    elif (place.type() == "EQUAL" and place.type(-2) == "COMMA" and place.type(-1) in NAMES
          and place.starts_line(-1)):
        comma = place.at - 2
    else:
        return None
    if _is_inside(place):
        return None
    problem = MissingExpression(place.span_at(comma))
    return Mistake(problem, (Edit(comma, comma + 1),))


def several_declared(place: Place) -> Mistake | None:
    """`input a: f32[B], b: f32[B]`, `input a, b: f32[B]`, `loss l = a, b`."""
    begin, at = place.begin, place.at
    word = place.tokens[begin].type
    if place.type() != "COMMA" or word not in _DECLARED or _is_inside(place):
        return None
    keyword, before = word.lower(), place.text(begin, at - 1)
    behind = place.text_behind(at)
    tokens: tuple[tuple[str, str], ...] = ((word, keyword),)
    if word in ("LOSS", "METRIC"):
        name = f"{place.tokens[begin + 1].value}_2"
        tokens, behind = (*tokens, ("NAME", name), ("EQUAL", "=")), f"{name} = {behind}"
    elif place.type(1) not in NAMES or place.type(2) != "COLON":
        return None
    elif at == begin + 2:
        before += f": {place.text_behind(at + 2)}"
        tokens = (("COLON", ":"), ("NAME", "f32"), ("LSQB", "["), ("RSQB", "]"), *tokens)
    problem = ForeignForm(place.span(), f"`{before}  {keyword} {behind}`",
                          f"each {keyword} is said by itself")
    return Mistake(problem, (Edit(at, at + 1, tokens),))


_DECLARED = frozenset({"INPUT", "STATE", "PARAMETER", "LOSS", "METRIC"})


def nested_names(place: Place) -> Mistake | None:
    """`h, (hn, cn) = …`."""
    close = place.pairs.partner.get(place.at)
    if place.type() != "LPAR" or place.type(-1) != "COMMA" or close is None or _is_inside(place):
        return None
    if place.tokens[close + 1].type != "EQUAL":
        return None
    names = f"{place.text(place.begin, place.at - 1)} {place.text(place.at + 1, close - 1)}"
    problem = ForeignForm(place.span(0, close - place.at), f"`{names} = …`",
                          "the names on the left stand in one row")
    return Mistake(problem, (Edit(place.at, place.at + 1), Edit(close, close + 1)))


FORM_RULES: tuple[Rule, ...] = (
    setting_in_body,
    minimize_form,
    minimize_loss,
    unfinished_declaration,
    trailing_comma,
    several_declared,
    nested_names,
    missing_braces,
    nameless_result,
    foreign_slice,
    lone_expression,
    bare_pipeline,
    operator_behind_stage,
    missing_comma,
)
