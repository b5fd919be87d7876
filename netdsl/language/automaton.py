"""The parser's LALR tables run by hand, one token after another, without building anything."""

from __future__ import annotations

from copy import copy

from lark import Token
from lark.parsers.lalr_analysis import Shift

from netdsl.language.grammar import grammar


class Automaton:
    """lark's LALR tables, fed by hand."""

    def __init__(self) -> None:
        self._parser = grammar()[0].parse_interactive()
        state = self._parser.parser_state
        state.parse_conf = copy(state.parse_conf)
        state.parse_conf.callbacks = {}
        self._table = state.parse_conf.parse_table.states

    @property
    def stack(self) -> tuple[int, ...]:
        return tuple(self._parser.parser_state.state_stack)

    @stack.setter
    def stack(self, stack: tuple[int, ...]) -> None:
        state = self._parser.parser_state
        state.state_stack[:] = stack
        state.value_stack[:] = [None] * (len(stack) - 1)

    def feed(self, token: Token) -> None:
        self._parser.feed_token(token)

    def accepts(self) -> frozenset[str]:
        return frozenset(self._parser.accepts())

    def shifts(self, state: int) -> frozenset[str]:
        actions = self._table[state].items()
        return frozenset(type for type, (action, _) in actions if action is Shift)

    def may_begin(self) -> str | None:
        """What kind of statement may begin now."""
        return self._kind(self.stack[-1])

    def begun(self) -> str | None:
        """What kind of statement the token just read has begun."""
        stack = self.stack
        return self._kind(stack[-2]) if len(stack) > 1 else None

    def _kind(self, state: int) -> str | None:
        types = self.shifts(state)
        if "AND" in types:  # where every keyword may be a label
            return None
        for kind, keyword in _KINDS.items():
            if keyword in types:
                return kind
        return None


_KINDS = {
    "statement": "ASSERT",
    "train": "FEED",
    "declaration": "USE",
    "step": "MINIMIZE",
    "update": "NEXT",
}
