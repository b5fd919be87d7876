"""What a syntax mistake most likely is: one small rule per kind (see `place`), the first that knows
it speaks."""

from __future__ import annotations

from difflib import SequenceMatcher

from netdsl.diagnostics.suggest import nearest, phrased
from netdsl.diagnostics.syntax import (
    BadEdition,
    BadNumber,
    BodyBegin,
    ChainedComparison,
    MissingExpression,
    Misspelled,
    ReservedWord,
    Unclosed,
    Unexpected,
    Unopened,
)
from netdsl.language.brackets import begins_declaration
from netdsl.language.foreign import FOREIGN_RULES
from netdsl.language.forms import FORM_RULES, missing_shape
from netdsl.language.idioms import IDIOM_RULES
from netdsl.language.place import Edit, Mistake, Place, Rule
from netdsl.language.words import (
    BEGINNINGS,
    BELONGS,
    CLOSED_BY,
    CLOSING,
    COMPARISONS,
    DANGLING,
    DECLARATIONS,
    END,
    FORMS,
    KEYWORDS,
    NAMES,
    SIGNS,
    STATEMENTS,
    TRAIN_STATEMENTS,
    UPDATES,
    called,
    expectations,
    usage,
)


def find(place: Place) -> Mistake:
    """The mistake at a place, as the first rule that knows it says."""
    for rule in (*_STRUCTURE, *IDIOM_RULES, *FOREIGN_RULES, misspelled, *FORM_RULES, *_SPELLING):
        mistake = rule(place)
        if mistake:
            return mistake
    return unexpected(place)


# ---------------------------------------------------------------- brackets


def closes_nothing(place: Place) -> Mistake | None:
    """`}` too many, `f(a]`."""
    if place.type() not in CLOSING:
        return None
    if not place.open:
        return Mistake(Unopened(place.span()), (Edit(place.at, place.at + 1),))
    opened = place.open[-1]
    needed = CLOSED_BY[place.tokens[opened].type]
    if place.type() == needed or needed not in place.expected:
        return None
    if place.at in place.pairs.unopened and opened not in place.pairs.unclosed:
        edit = Edit(place.at, place.at + 1)
        return Mistake(Unopened(place.span()), (edit,))
    if opened in place.pairs.unclosed and place.at not in place.pairs.unopened:
        return _close(place, opened)
    edit = Edit(place.at, place.at + 1, ((needed, SIGNS[needed]),))
    return Mistake(Unopened(place.span(), place.span_at(opened)), (edit,))


def closed_too_early(place: Place) -> Mistake | None:
    """A statement outside every declaration, behind a `}` that ended one."""
    if place.kind != "declaration" or place.type(-1) != "RBRACE" or not place.pairs.unopened:
        return None
    if place.type() not in STATEMENTS and place.type() not in NAMES:
        return None
    brace = place.at - 1
    opened = place.span_at(place.begin)
    return Mistake(Unopened(place.span(-1), opened, early=True), (Edit(brace, brace + 1),))


def never_closed(place: Place) -> Mistake | None:
    """The file or the declaration ends, or a statement begins, within brackets."""
    if not place.open:
        return None
    token = place.token()
    missing = [position for position in place.pairs.unclosed if position < place.at]
    if token.type == END or token.type in DECLARATIONS and begins_declaration(
        place.tokens, place.at
    ):
        return _close(place, max(missing, default=place.open[-1]))
    innermost = place.open[-1]
    if innermost in place.pairs.unclosed and place.starts_line() and place.type(-1) != "COMMA":
        return _close(place, innermost)
    return None


def _close(place: Place, culprit: int) -> Mistake:
    """Closes what is open down to `culprit`; all of it where the declaration is over."""
    opened = place.tokens[culprit]
    closing = SIGNS[CLOSED_BY[opened.type]]
    arrow = _stage_within(place, culprit)
    if arrow is not None:
        callee = place.operand(culprit, -1)
        way = f"{place.text(callee, arrow - 1)}{closing}"
        problem = Unclosed(place.span_at(culprit), closing, place.span_at(arrow), way)
        return Mistake(problem, (Edit(arrow, arrow, ((CLOSED_BY[opened.type], closing),)),))
    over = place.type() == END or place.type() in DECLARATIONS
    to_close = [p for p in reversed(place.open) if over or p >= culprit]
    tokens = tuple((t := CLOSED_BY[place.tokens[p].type], SIGNS[t]) for p in to_close)
    outside = _line_outside(place, culprit)
    before = None if outside is None else place.span_at(outside)
    problem = Unclosed(place.span_at(culprit), closing, before)
    return Mistake(problem, (Edit(place.at, place.at, tokens),))


def _stage_within(place: Place, opened: int) -> int | None:
    """The `->` behind what was most likely to be closed on its line: `maxpool(2 -> relu`."""
    if place.tokens[opened].type == "LBRACE" and place.begins_block(opened):
        return None
    depth = 0
    for position in range(opened + 1, place.at):
        type = place.tokens[position].type
        if place.starts_line(position - place.at):
            return None
        if type == "ARROW" and not depth and position > opened + 1:
            return position
        depth += (type in CLOSED_BY) - (type in CLOSING)
    return None


def _line_outside(place: Place, opened: int) -> int | None:
    """The first token of a line that is indented no further than the one a bracket opened on."""
    column = place.indentation(opened)
    following = range(opened + 1, min(place.at + 1, len(place.tokens) - 1))
    lines = (p for p in following if place.starts_line(p - place.at))
    inner = (p for p in lines if place.indentation(p) <= column)
    return next(inner, None if place.type() == END else place.at)


# ---------------------------------------------------------------- models and editions


def late_edition(place: Place) -> Mistake | None:
    if place.type() != "NET" or place.kind != "declaration":
        return None
    last = 1 if place.type(1) == "INT" else 0
    edit = Edit(place.at, place.at + last + 1)
    return Mistake(BadEdition(place.span(0, last), late=True), (edit,))


def body_begins_otherwise(place: Place) -> Mistake | None:
    """`model Net { x = …`: read as attributes."""
    brace = place.open[-1] if place.open else 0
    if place.expected == BODY_BEGINS:
        return Mistake(BodyBegin(place.span(), place.span(-1)), (_body_after(brace),))
    if place.tokens[brace - 2].type != "MODEL" or place.tokens[brace].type != "LBRACE":
        return None
    if place.tokens[brace + 1].type in BODY_BEGINS:
        return None
    statement = place.type() in STATEMENTS or place.type() in NAMES and place.starts_line()
    if not statement or place.type(-1) == "COMMA":
        return None
    return Mistake(
        BodyBegin(place.span_at(brace + 1), place.span_at(brace)), (_body_after(brace),)
    )


CONDITIONAL = frozenset({"WHEN", "IF", "NOT", "AND", "OR", "LPAR"})
BODY_BEGINS = {"INPUT", "STATE", "PARAMETER", "ASSERT"}
ANY_ASSERTION = (("ASSERT", "assert"), ("NAME", "true"), ("ELSE", "else"), ("STRING", '""'))

ANY_MINIMIZE = (("MINIMIZE", "minimize"), ("NAME", "x"), ("WITH", "with"), ("NAME", "x"))


def _body_after(brace: int) -> Edit:
    """A statement that a body may begin with: what follows it is then a body."""
    return Edit(brace + 1, brace + 1, ANY_ASSERTION)


# ---------------------------------------------------------------- spelling


def misspelled(place: Place) -> Mistake | None:
    """`modle Net`, `inptu x: …`, `minimise ce with …`, `if c tehn a`."""
    candidates = [(place.at, place.expected & KEYWORDS)]
    begins = {"declaration": DECLARATIONS, "statement": STATEMENTS, "train": TRAIN_STATEMENTS,
              "step": TRAIN_STATEMENTS, "update": UPDATES}  # fmt: skip
    if place.begin < place.at <= place.begin + 3:
        candidates.append((place.begin, frozenset(begins[place.kind])))
    for position, types in candidates:
        token = place.tokens[position]
        if token.type not in NAMES or place.expects_expression():
            continue
        keyword = nearest(token.value, [type.lower() for type in types])
        if keyword and keyword != token.value and _alike(keyword, token.value):
            edit = Edit(position, position + 1, ((keyword.upper(), keyword),))
            return Mistake(Misspelled(place.span_at(position), keyword), (edit,))
    return None


def _alike(keyword: str, word: str) -> bool:
    """Closer than names need to be: `relu` is not a misspelled `return`."""
    same_letters = sorted(keyword) == sorted(word.lower())
    return same_letters or SequenceMatcher(None, keyword, word.lower()).ratio() >= 0.75


def reserved_word(place: Place) -> Mistake | None:
    """`loss = …`, `let input = …`, `x + state`."""
    if place.type() in KEYWORDS and (_needs_name(place) or place.type(1) == "EQUAL"):
        offset = 0
    elif place.type(-1) in KEYWORDS and _is_bound(place):
        offset = -1
    else:
        return None
    position = place.at + offset
    word = place.tokens[position]
    edit = Edit(position, position + 1, (("NAME", word.value),))
    if word.type == "TRAIN" and place.tokens[position - 1].type in CONDITIONAL:
        way = "`training`" if place.kind == "train" else phrased("training")
        return Mistake(ReservedWord(place.span(offset), None, way), (edit,))
    return Mistake(ReservedWord(place.span(offset), usage(word.type)), (edit,))


def _needs_name(place: Place) -> bool:
    """Not where a statement could begin: there a keyword is out of place, not a name."""
    begins = {"ASSERT", "FEED", "USE", "MINIMIZE"} & place.expected
    return place.expects_expression() or "NAME" in place.expected and not begins


def _is_bound(place: Place) -> bool:
    """`loss = …`: a keyword where a name is bound."""
    return place.begin == place.at - 1 and place.type() in ("EQUAL", "COMMA", "DOT")


def missing_expression(place: Place) -> Mistake | None:
    """`x =`, `return`, `a +` with a new statement or a bracket behind it."""
    if place.type(-1) in DANGLING and place.expects_expression():
        ended = place.starts_line() or place.type() in CLOSING or place.type() == END
        behind = 0
    else:  # the name bound on the next line was taken for what is missing
        ended = place.type() == "EQUAL" and place.type(-2) in DANGLING and place.starts_line(-1)
        behind = -1
    if not ended:
        return None
    edit = Edit(place.at + behind, place.at + behind, (("NAME", "_"),))
    return Mistake(MissingExpression(place.span(behind - 1)), (edit,))


def pointed_number(place: Place) -> Mistake | None:
    """`.5`."""
    if place.type() == "DOT" and place.type(1) == "INT" and place.adjacent(1):
        meant = f"0.{place.token(1).value}"
        edit = Edit(place.at, place.at + 2, (("FLOAT", meant),))
        return Mistake(BadNumber(place.span(0, 1), "a digit is missing before the point", meant),
                       (edit,))  # fmt: skip
    return None


def chained_comparison(place: Place) -> Mistake | None:
    """`a < b < c`."""
    if place.type() not in COMPARISONS or "PLUS" not in place.expected:
        return None
    middle = place.operand(place.at, -1)
    while middle < place.at and place.tokens[middle].type not in COMPARISONS:
        middle += 1
    if middle == place.at:
        return None
    first = place.operand(middle, -1)
    left, shared = place.text(first, middle), place.text(middle + 1, place.at - 1)
    right = place.text(place.at, place.operand(place.at, 1))
    problem = ChainedComparison(place.span(), f"{left} {shared} and {shared} {right}")
    return Mistake(problem, (Edit(place.at, place.at + 1, (("AND", "and"),)),))


# ---------------------------------------------------------------- all else


def unexpected(place: Place) -> Mistake:
    """What stands there, what could, and how the statement or the stray word is used."""
    expected = expectations(place.expected)
    complete = any(phrase in expected for phrase in BEGINNINGS)
    inside = bool(place.open) and place.open[-1] >= place.begin
    word, stray = place.tokens[place.begin].type, place.type()
    notes = []
    if not complete and not inside and word in FORMS and place.at <= place.begin + 6:
        notes.append(usage(word))
    if stray in BELONGS and (complete or stray not in FORMS):
        notes.append(BELONGS[stray])
    opened = place.span_at(place.open[-1]) if inside else None
    if opened and opened.line == place.span().line:
        opened = None
    problem = Unexpected(place.span(), called(place.token()), expected, opened, tuple(notes))
    return Mistake(problem, vague=True)


def stray_name(place: Place) -> Mistake | None:
    """`x -> f g`: the name was taken for the beginning of a statement."""
    begun = place.kind == "statement" and place.begin == place.at - 1 and place.type(-1) in NAMES
    if not begun or place.starts_line(-1) or place.type(-2) in ("LBRACE", "RBRACE"):
        return None
    expected = ("an operator", "`->`", "a statement")
    before, name = place.token(-2), place.token(-1).value
    way = f"`{before.value}({name})`" if before.type in NAMES else None
    problem = Unexpected(place.span(-1), called(place.token(-1)), expected, way=way)
    return Mistake(problem, vague=True)


_STRUCTURE: tuple[Rule, ...] = (
    late_edition,
    closes_nothing,
    closed_too_early,
    never_closed,
    missing_shape,
    body_begins_otherwise,
)
_SPELLING: tuple[Rule, ...] = (
    pointed_number,
    chained_comparison,
    missing_expression,
    reserved_word,
    stray_name,
)
