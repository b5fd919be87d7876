"""After a syntax mistake: say what it is, mend the tokens or skip to the next statement, go on.

`automaton` runs the LALR tables without building anything, `mistakes` holds what is known of
mistakes; this file knows how to go back to the beginning of a statement and how to skip one.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from lark import Token, UnexpectedToken

from netdsl.diagnostics import Problem
from netdsl.diagnostics.habits import ForeignSign, SlashComment
from netdsl.diagnostics.syntax import BadNumber, TooDeep
from netdsl.language import mistakes
from netdsl.language.automaton import Automaton
from netdsl.language.bounds import MOST_LEVELS
from netdsl.language.brackets import begins_declaration, pair, starts_line
from netdsl.language.place import Edit, Place
from netdsl.language.scanner import MOST_PROBLEMS, made
from netdsl.language.slashes import without_comments
from netdsl.language.words import CLOSED_BY, CLOSING, DECLARATIONS, END, KEYWORDS, NAMES
from netdsl.source import Source, Span

_MOST_TRIES = 100
_MOST_SILENT = 10  # mended without a word, on lines that already have one
_MOST_STATES = 3000  # on the parser's stack, of which every beginning of a statement keeps a copy


def explain(source: Source, tokens: list[Token], problems: list[Problem]) -> list[Problem]:
    """Every mistake that can be told apart, in the order of the text.

    `problems` are those already known from reading the tokens.
    """
    tokens, comments = without_comments(source, tokens, Automaton())
    problems = [*problems, *comments]
    found = _without_slash_comments([*problems, *_Recovery(source, tokens, problems).run()])
    found.sort(key=lambda problem: problem.span.start)
    return _one_per_habit(found)[:MOST_PROBLEMS]


@dataclass(frozen=True)
class _Begin:
    """A place where a statement or declaration begins, and all that is needed to go back there."""

    position: int
    kind: str  # "declaration", "statement", "train", "step", "update"
    stack: tuple[int, ...]
    open: tuple[int, ...]
    around: tuple[_Begin, ...]  # the beginnings of the statements this one lies in


class _Recovery:
    def __init__(self, source: Source, tokens: list[Token], problems: list[Problem]):
        end = len(source.text.rstrip())
        self._source = source
        self._told: list[Problem] = []
        self._tokens = [*self._with_whole_numbers(tokens), made(END, "", end, end)]
        self._pairs = pair(source, self._tokens)
        self._automaton = Automaton()
        self._open: list[int] = []  # positions of the brackets open now
        self._around: list[_Begin] = []  # what is being read, outermost first
        self._recent: deque[_Begin] = deque(maxlen=32)
        self._lines = {problem.span.line for problem in (*problems, *self._told)}
        self._calm = -2  # up to this position a mistake follows from the one before

    def _with_whole_numbers(self, tokens: list[Token]) -> list[Token]:
        """`2.` is told and made `2.0`: behind its point, any word would be a member."""
        out: list[Token] = []
        for token in tokens:
            if token.type == "DOT" and out and out[-1].type == "INT":
                number = out[-1]
                member = len(out) > 1 and out[-2].type == "DOT"
                if number.end_pos == token.start_pos and not member:
                    span = Span(self._source, number.start_pos, token.end_pos)
                    meant = f"{number.value}.0"
                    reason = "a digit is missing behind the point"
                    self._told.append(BadNumber(span, reason, meant))
                    out[-1] = made("FLOAT", meant, number.start_pos, token.end_pos)
                    continue
            out.append(token)
        return out

    def run(self) -> list[Problem]:
        position = silent = 0
        last: type[Problem] | None = None
        self._begin_here(position)
        for _ in range(_MOST_TRIES):
            failed = self._read_from(position)
            if failed is None or len(self._told) == MOST_PROBLEMS:
                break
            mistake = mistakes.find(self._place(failed))
            again = failed <= self._calm and type(mistake.problem) is last
            follows = again or mistake.vague and self._is_shaken(failed)
            last = type(mistake.problem)
            mends = mistake.edits and not follows
            if not follows and not self._tell(mistake.problem):
                silent += 1
                mends = mends and silent < _MOST_SILENT
            position = self._mend(failed, mistake.edits) if mends else self._skip(failed)
        return self._told

    def _is_shaken(self, position: int) -> bool:
        """Whether what stands here was just skipped to, or follows a token put in."""
        return position <= self._calm + 1 or position and self._tokens[position - 1].line is None

    def _tell(self, problem: Problem) -> bool:
        """Whether it is news: the second message about a line would seldom be."""
        if problem.span.line in self._lines:
            return False
        self._lines.add(problem.span.line)
        self._told.append(problem)
        return True

    # ------------------------------------------------------------ reading

    def _read_from(self, position: int) -> int | None:
        """Reads on; the position of the token that does not fit, or None at the end."""
        automaton = self._automaton
        earlier = before = automaton.stack
        while True:
            token = self._tokens[position]
            earlier, before = before, automaton.stack
            if len(before) > _MOST_STATES:
                span = Span(self._source, token.start_pos, token.end_pos)
                self._told.append(TooDeep(span, MOST_LEVELS))
                return None
            try:
                automaton.feed(token)
            except UnexpectedToken:
                automaton.stack = before
                if automaton.accepts() == {"COLON"} and self._tokens[position - 1].type in KEYWORDS:
                    # A keyword was read as a label, and that is where it went wrong.
                    automaton.stack = earlier
                    return position - 1
                return position
            if token.type == END:
                return None
            kind = automaton.begun()
            if kind:
                self._begin(position, kind, automaton.stack[:-1])
            if token.type in CLOSED_BY:
                self._open.append(position)
                self._begin_here(position + 1)
            elif token.type in CLOSING:
                opened = self._open.pop()
                while self._around and self._around[-1].position > opened:
                    self._around.pop()
            position += 1

    def _begin_here(self, position: int) -> None:
        """Notes that a statement may begin at `position`, the first of a block."""
        kind = self._automaton.may_begin()
        if kind:
            self._begin(position, kind, self._automaton.stack)

    def _begin(self, position: int, kind: str, stack: tuple[int, ...]) -> None:
        block = self._open[-1] if self._open else -1
        while self._around and self._around[-1].position > block:
            self._around.pop()
        begin = _Begin(position, kind, tuple(stack), tuple(self._open), tuple(self._around))
        self._around.append(begin)
        self._recent.append(begin)

    def _go_back_to(self, begin: _Begin) -> None:
        self._automaton.stack = begin.stack
        self._open = list(begin.open)
        self._around = [*begin.around, begin]

    def _place(self, position: int) -> Place:
        begin = self._around[-1]
        return Place(
            self._source, self._tokens, position, self._automaton.accepts(), begin.position,
            begin.kind, tuple(self._open), self._pairs,
        )  # fmt: skip

    # ------------------------------------------------------------ going on

    def _mend(self, failed: int, edits: tuple[Edit, ...]) -> int:
        """Changes the tokens and reads again from the statement before; where that begins."""
        first = min(edit.start for edit in edits)
        while len(self._recent) > 1 and self._recent[-1].position >= first:
            self._recent.pop()
        begin = self._recent[-1]
        if begin.position > first:
            return self._skip(failed)
        self._calm = failed
        for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
            at = self._tokens[edit.start].start_pos
            tokens = [made(type, value, at, at) for type, value in edit.tokens]
            self._tokens[edit.start : edit.stop] = tokens
            if edit.start <= failed:
                self._calm += len(tokens) - (edit.stop - edit.start)
        self._pairs = pair(self._source, self._tokens)
        self._go_back_to(begin)
        return begin.position

    def _skip(self, failed: int) -> int:
        """Skips the statement that `failed` lies in; where the next one, or a `}`, stands."""
        begin = self._inside_body(self._around[-1])
        within = sum(opened >= begin.position for opened in self._open)
        position = max(failed, begin.position + 1, self._calm + 1)
        position = min(position, len(self._tokens) - 1)
        while (token := self._tokens[position]).type != END:
            if token.type in DECLARATIONS and begins_declaration(self._tokens, position):
                begin = self._around[0]
                break
            if self._begins_statement(position, begin, within):
                break
            if token.type in CLOSED_BY:
                position = self._pairs.partner.get(position, position)
            elif token.type in CLOSING:
                if within == 0 and token.type == "RBRACE" and begin.open:
                    break
                within = max(0, within - 1)
            position += 1
        self._go_back_to(begin)
        self._calm = position
        if token.type == END:  # what is open here was left open by skipping
            self._go_back_to(self._around[0])
        return position

    def _inside_body(self, begin: _Begin) -> _Begin:
        """Behind the statement that a model's body or a step cannot do without."""
        types = self._automaton.shifts(begin.stack[-1])
        if begin.kind == "step" and "RBRACE" not in types:
            tokens = (*mistakes.ANY_MINIMIZE, mistakes.ANY_MINIMIZE[0])
        elif (
            begin.kind == "statement"
            and "RETURN" not in types
            and self._tokens[begin.position].type in mistakes.BODY_BEGINS
        ):
            tokens = (*mistakes.ANY_ASSERTION, ("RETURN", "return"))
        else:
            return begin
        self._automaton.stack = begin.stack
        for type, value in tokens:
            self._automaton.feed(made(type, value, 0, 0))
        return replace(begin, stack=self._automaton.stack[:-1])

    def _begins_statement(self, position: int, begin: _Begin, within: int) -> bool:
        """Whether a statement like the one at `begin` seems to start: newlines do not tell."""
        token, following = self._tokens[position], self._tokens[position + 1]
        if token.type not in self._automaton.shifts(begin.stack[-1]):
            return False
        first = starts_line(self._source, self._tokens, position)
        if within and not (first and self._column(position) <= self._column(begin.position)):
            return False
        if following.type == "COLON":
            return self._tokens[position + 2].type in ("FOR", "IF")
        if token.type in ("FOR", "IF"):
            return (first or following.type == "LPAR") and self._tokens[position - 1].type != "ELSE"
        if token.type not in NAMES:
            return True
        if begin.kind == "train":
            return first
        return following.type == "EQUAL" or first and following.type == "COMMA"

    def _column(self, position: int) -> int:
        return self._source.position(self._tokens[position].start_pos)[1]


def _one_per_habit(problems: list[Problem]) -> list[Problem]:
    """Twenty `;` are one message, and so are twenty `//`."""
    first: dict[str, int] = {}
    kept: list[Problem] = []
    for problem in problems:
        sign = problem.span.text if isinstance(problem, (ForeignSign, SlashComment)) else None
        if sign in first:
            at = first[sign]
            kept[at] = replace(kept[at], more=kept[at].more + 1)
            continue
        if sign:
            first[sign] = len(kept)
        kept.append(problem)
    return kept


def _without_slash_comments(problems: list[Problem]) -> list[Problem]:
    """What follows `//` on its line is meant to be read by nobody."""
    slashes = {p.span.line: p.span.start for p in problems if isinstance(p, SlashComment)}
    return [p for p in problems if p.span.start <= slashes.get(p.span.line, p.span.start)]
