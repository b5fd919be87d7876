"""From text to tokens. Where none begins, it says what is wrong there, puts in the token that was
meant, and goes on: a wrong character hides no mistake behind it."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from itertools import islice

from lark import Token, UnexpectedCharacters
from lark.lexer import TextSlice

from netdsl.diagnostics import Problem, Refused
from netdsl.diagnostics.habits import ForeignForm, ForeignSign, SlashComment
from netdsl.diagnostics.syntax import (
    BadEscape,
    BadNumber,
    StrangeCharacter,
    TooLong,
    UnclosedString,
)
from netdsl.language.bounds import MOST_TOKENS
from netdsl.language.grammar import grammar
from netdsl.language.text import BYTE_ORDER_MARK, character_name
from netdsl.source import Source, Span

MOST_PROBLEMS = 20

_FOREIGN = {  # sign -> what to write, the token that takes its place
    "&&": ("and", "AND"),
    "||": ("or", "OR"),
    "|>": ("->", "ARROW"),
    "&": ("and", "AND"),
    "|": ("or", "OR"),
    "!": ("not", "NOT"),
    "~": ("not", "NOT"),
    "^": ("**", "POWER"),
    "@": ("matmul(a, b)", "STAR"),
    ";": (None, None),
    "\\": (None, None),
    "`": (None, None),
    "$": (None, None),
}
_TYPOGRAPHY = {  # sign -> the token meant
    "→": "ARROW", "×": "STAR", "·": "STAR", "⋅": "STAR", "∗": "STAR", "÷": "SLASH",
    "−": "MINUS", "–": "MINUS", "—": "MINUS", "≤": "AT_MOST", "≥": "AT_LEAST",
    "≠": "DIFFERENT", "…": "RANGE", "¬": "NOT", "∧": "AND", "∨": "OR",
}  # fmt: skip
_QUOTES = "“”„‟«»‘’‚‛"
# Letters of other alphabets that look like ASCII ones.
_LOOK_ALIKE = str.maketrans(
    "аеорсухіјѕԁһԛԝАВЕКМНОРСТУХІЈЅοΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "aeopcyxijsdhqwABEKMHOPCTYXIJSoABEZHIKMNOPTYX",
)

_NUMBER = re.compile(r"[0-9][0-9A-Za-z_]*(?:\.[0-9][0-9A-Za-z_]*)?(?:(?<=[eE])[+-][0-9]+)?")
_LENIENT_STRING = re.compile(r'"(?:[^"\\\r\n]|\\[^\r\n])*+"')
_ESCAPE = re.compile(r"\\(.)")
_TO_LINE_END = re.compile(r"[^\r\n]*")
_SINGLE_QUOTED = re.compile(r"'[^'\r\n]*'")
_WORD = re.compile(r"\w+")
_SLASHES = re.compile(r"^[ \t]*//|//[ \t]*[A-Za-z]+[ \t]+[A-Za-z]")
_FOR_HEADER = re.compile(r"\bfor[ \t]*\([ \t]*(?:int[ \t]+)?(\w+)[ \t]*=[ \t]*(\w+)[ \t]*$")
_FOR_REST = re.compile(r";[ \t]*\w+[ \t]*(<=?)[ \t]*([\w.]+)[ \t]*;[^()\r\n;{}]*")
_CONTRACTED = re.compile(r"//[ \t]*[A-Za-z]+$")  # before the apostrophe in `// it's`


@dataclass(frozen=True)
class Misread:
    """A stretch of text that is no token: what is wrong, and the type of token put there."""

    problem: Problem
    start: int
    end: int
    type: str | None = None
    value: str = ""


def scan(source: Source) -> tuple[list[Token], list[Problem]]:
    """The tokens of a text, comments aside, and what is wrong with it character by character.

    Comments, and the nodes made of the tokens later, belong to `source` from here on.
    """
    lark, transform = grammar()
    transform.begin(source)
    text = source.text
    tokens: list[Token] = []
    problems: list[Problem] = []
    start = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
    while True:
        try:
            lexed = lark.lex(TextSlice(text, start, len(text)))
            tokens.extend(islice(lexed, MOST_TOKENS + 1 - len(tokens)))
            break
        except UnexpectedCharacters as error:
            misread = _misread(source, error.pos_in_stream)
        while tokens and tokens[-1].start_pos >= misread.start:
            tokens.pop()
        problems.append(misread.problem)
        if len(problems) == MOST_PROBLEMS:
            raise Refused(*problems)
        if misread.type:
            value = misread.value or text[misread.start : misread.end]
            tokens.append(made(misread.type, value, misread.start, misread.end))
        start = misread.end
    if len(tokens) > MOST_TOKENS:
        last = Span(source, tokens[-1].start_pos, tokens[-1].end_pos)
        raise Refused(TooLong(source.name, f"{MOST_TOKENS:,} words and signs", last))
    return tokens, problems


def made(type: str, value: str, start: int, end: int) -> Token:
    """A token that the text does not hold in this form."""
    return Token(type, value, start_pos=start, end_pos=end)


def _misread(source: Source, at: int) -> Misread:
    character = source.text[at]
    line = source.text.rfind("\n", 0, at) + 1
    before = source.text[line:at]
    slashes = _SLASHES.search(before) or character == "'" and _CONTRACTED.search(before)
    if slashes:
        start = line + slashes[0].index("//") + slashes.start()
        end = _TO_LINE_END.match(source.text, at).end()
        return Misread(SlashComment(Span(source, start, start + 2)), start, end)
    header = character == ";" and _FOR_HEADER.search(before)
    if header:
        return _counting_loop(source, line + header.start(1), at, header)
    if character == '"':
        return _misread_string(source, at)
    if character in "0123456789":
        return _misread_number(source, at)
    if character == "'" or character in _QUOTES:
        return _misquoted(source, at)
    for sign, (instead, type) in _FOREIGN.items():
        if source.text.startswith(sign, at):
            end = at + len(sign)
            return Misread(ForeignSign(Span(source, at, end), instead), at, end, type)
    return _misread_character(source, at)


def _counting_loop(source: Source, start: int, at: int, header: re.Match) -> Misread:
    """`for (i = 0; i < 3; i++)`: one message for the whole header."""
    rest = _FOR_REST.match(source.text, at)
    end = rest.end() if rest else at + 1
    last = "n" if rest is None else rest[2] if rest[1] == "<" else f"{rest[2]} + 1"
    way = f"`for ({header[1]} in {header[2]}..{last}) {{ … }}`"
    problem = ForeignForm(Span(source, start, end), way, "a `for` runs over a range or a list")
    return Misread(problem, start, end, "NAME", header[1])


def _misread_string(source: Source, at: int) -> Misread:
    text = source.text
    if at >= 2 and text.startswith('""', at - 2):
        close = text.find('"""', at + 1)
        end = len(text) if close < 0 else close + 3
        return Misread(UnclosedString(Span(source, at - 2, at + 1), triple=True), at - 2, end)
    lenient = _LENIENT_STRING.match(text, at)
    if lenient:
        for escape in _ESCAPE.finditer(text, at, lenient.end()):
            if escape[1] not in '"\\nt':
                span = Span(source, escape.start(), escape.end())
                return Misread(BadEscape(span), at, lenient.end(), "STRING", '""')
    end = _TO_LINE_END.match(text, at).end()
    return Misread(UnclosedString(Span(source, at, at + 1)), at, end, "STRING", '""')


def _misread_number(source: Source, at: int) -> Misread:
    """`at` may lie behind a point: `1.5x` fails at its `5`."""
    text = source.text
    start = at
    if text[at - 2 : at - 1].isdigit() and text[at - 1] == ".":
        start = at - 2
        while start > 0 and text[start - 1] in "0123456789_":
            start -= 1
    end = max(_NUMBER.match(text, start).end(), at + 1)
    written = text[start:end]
    plain = written.replace("_", "")
    meant = None
    reason = f"`{written}` is not a number"
    if re.fullmatch(r"[0-9]+(\.[0-9]+)?", plain):
        meant = plain
    elif re.fullmatch(r"0[xX][0-9a-fA-F]{1,12}|0[bB][01]{1,40}", plain):
        meant = str(int(plain, 0))
    return Misread(BadNumber(Span(source, start, end), reason, meant), start, end, "INT", "0")


def _misquoted(source: Source, at: int) -> Misread:
    """'text', “text”."""
    text = source.text
    single = _SINGLE_QUOTED.match(text, at)
    if single:
        content = single[0][1:-1]
        end = single.end()
    else:
        line = _TO_LINE_END.match(text, at + 1)[0]
        content = re.match(rf"[^{_QUOTES}\"']*", line)[0]
        end = at + 1 + len(content)
        end += end < len(text) and text[end] in _QUOTES + "\"'"
    instead = f'"{content}"' if len(content) < 60 else '"'
    problem = ForeignSign(Span(source, at, at + 1), instead)
    return Misread(problem, at, end, "STRING", f'"{content}"')


def _misread_character(source: Source, at: int) -> Misread:
    """Outside strings and comments: an accent, another alphabet, typographic signs, emoji."""
    text = source.text
    character = text[at]
    reason = "this character may not stand outside strings and comments"
    span = Span(source, at, at + 1)
    named = character_name(character)
    if character in _TYPOGRAPHY:
        type = _TYPOGRAPHY[character]
        meant = grammar()[0].get_terminal(type).pattern.value
        return Misread(StrangeCharacter(span, named, reason, meant), at, at + 1, type, meant)
    if character.isspace():
        return Misread(StrangeCharacter(span, named, reason, " "), at, at + 1)
    start = at
    while start > 0 and _WORD.match(text[start - 1]):
        start -= 1
    word = _WORD.match(text, start)
    if not word:
        return Misread(StrangeCharacter(span, named, reason), at, at + 1)
    meant = _ascii_word(word[0])
    problem = StrangeCharacter(span, named, "names consist of ASCII letters, digits and `_`", meant)
    return Misread(problem, start, max(word.end(), at + 1), "NAME", meant or "_")


def _ascii_word(word: str) -> str | None:
    """`naïve` -> naive, `о` -> o, `α` -> alpha; None where there is no obvious spelling."""
    spelled = []
    for character in word.translate(_LOOK_ALIKE)[:100]:
        plain = unicodedata.normalize("NFKD", character)[0]
        if not plain.isascii():
            name = unicodedata.name(character, "").split()
            if "GREEK" not in name:
                return None
            plain = name[-1].lower() if "WITH" not in name else name[name.index("WITH") - 1].lower()
        spelled.append(plain)
    ascii_word = "".join(spelled)
    return ascii_word if re.fullmatch(r"[A-Za-z_][A-Za-z_0-9]*", ascii_word) else None
