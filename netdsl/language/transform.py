"""From the parser's reductions to the nodes of `ast`: one method per rule of the grammar.

lark calls a method the moment its rule is complete, with the parts in order: tokens (all kept,
for their positions), what other methods returned, None for what `[ ]` left out.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, NamedTuple

from lark import Token

from netdsl.language import ast
from netdsl.source import Source, Span

Parts = list[Any]

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}


class Several(NamedTuple):
    """Nodes that end a larger node without being one: a block, the patterns of `freeze`."""

    items: tuple[Any, ...]
    span: Span


class Trailer(NamedTuple):
    """`(…)`, `{…}`, `[…]` or `.name` behind an atom: the node it will be, and where it ends."""

    node: type[ast.Call] | type[ast.Construct] | type[ast.Index] | type[ast.Member]
    content: Any
    end: int


class Transform:
    """The callbacks of one parser; `source` and `comments` belong to the parse under way."""

    source: Source
    comments: list[ast.Comment]

    def begin(self, source: Source) -> None:
        self.source, self.comments = source, []

    # ------------------------------------------------------------ places

    def _between(self, first: Any, last: Any) -> Span:
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        return Span(self.source, start, end)

    def _over(self, parts: Parts) -> Span:
        """From the first part that is there to the last."""
        present = [part for part in parts if part is not None]
        return self._between(present[0], present[-1])

    def comment(self, token: Token) -> Token:
        text = self.source.text
        before = text[text.rfind("\n", 0, token.start_pos) + 1 : token.start_pos]
        alone = not before.strip("\ufeff \t")
        self.comments.append(ast.Comment(token.value, alone, span=self._between(token, token)))
        return token

    # ------------------------------------------------------------ declarations

    def file(self, parts: Parts) -> ast.File:
        edition, *declarations = parts
        span = Span(self.source, 0, len(self.source.text))
        return ast.File(edition, tuple(declarations), tuple(self.comments), span=span)

    def edition(self, parts: Parts) -> int:
        return int(parts[1])

    def use(self, parts: Parts) -> ast.Use:
        path = self.string(parts[1:2]) if isinstance(parts[1], Token) else None
        return ast.Use(path, parts[-1], span=self._over(parts))

    def let(self, parts: Parts) -> ast.Let:
        _, name, _, value = parts
        return ast.Let(name, value, span=self._over(parts))

    def layer(self, parts: Parts) -> ast.LayerDeclaration:
        _, name, attributes, operands, _, results, block = parts
        return ast.LayerDeclaration(
            name, attributes or (), operands, results or (), block.items, span=self._over(parts)
        )

    def model(self, parts: Parts) -> ast.ModelDeclaration:
        _, name, attributes, block = parts
        return ast.ModelDeclaration(
            name, attributes or (), block.items, span=self._over(parts)
        )

    def preset(self, parts: Parts) -> ast.Preset:
        _, name, _, value = parts
        return ast.Preset(name, value, span=self._over(parts))

    def train(self, parts: Parts) -> ast.TrainDeclaration:
        _, name, _, model, _, *body, _ = parts
        return ast.TrainDeclaration(name, model, tuple(body), span=self._over(parts))

    def sample(self, parts: Parts) -> ast.SampleDeclaration:
        _, model, _, value, _ = parts
        return ast.SampleDeclaration(model, value, span=self._over(parts))

    def attribute(self, parts: Parts) -> ast.Attribute:
        name, _, default = parts
        return ast.Attribute(name, default, span=self._over(parts))

    def operand(self, parts: Parts) -> ast.Operand:
        name, _, type, _, default = parts
        return ast.Operand(name, type, default, span=self._over(parts))

    def type(self, parts: Parts) -> ast.TypeOf:
        dtype, _, dims, _ = parts
        return ast.TypeOf(dtype and dtype.id, dims or (), span=self._over(parts))

    def hole(self, parts: Parts) -> ast.Hole:
        return ast.Hole(span=self._over(parts))

    def rest(self, parts: Parts) -> ast.Rest:
        return ast.Rest(span=self._over(parts))

    # ------------------------------------------------------------ statements

    def block(self, parts: Parts) -> Several:
        return Several(tuple(parts[1:-1]), self._over(parts))

    model_body = block

    def bind(self, parts: Parts) -> ast.Bind:
        equals = next(i for i, part in enumerate(parts) if _is(part, "EQUAL"))
        names, values = _nodes(parts[:equals]), _nodes(parts[equals + 1 :])
        return ast.Bind(names, values, span=self._over(parts))

    def return_(self, parts: Parts) -> ast.Return:
        return ast.Return(_nodes(parts), span=self._over(parts))

    def for_(self, parts: Parts) -> ast.For:
        label, _, _, _, first, _, second, _, iterable, _, block = parts
        names = (first,) if second is None else (first, second)
        return ast.For(_word(label), names, iterable, block.items, span=self._over(parts))

    def if_(self, parts: Parts) -> ast.If:
        label, _, _, _, condition, _, block, _, other = parts
        otherwise = other.items if isinstance(other, Several) else other and (other,)
        return ast.If(_word(label), condition, block.items, otherwise, span=self._over(parts))

    def else_if(self, parts: Parts) -> ast.If:
        return self.if_([None, None, *parts])

    def input(self, parts: Parts) -> ast.Input:
        _, name, _, count, _, _, type, _, range = parts
        return ast.Input(name, count, type, range, span=self._over(parts))

    def result(self, parts: Parts) -> ast.Result:
        role, name, _, value = parts
        return ast.Result(role.value, name, value, span=self._over(parts))

    output = result

    def state(self, parts: Parts) -> ast.Declared:
        role, name, _, type, _, value = parts
        return ast.Declared(role.value, name, type, value, span=self._over(parts))

    parameter = state

    def assertion(self, parts: Parts) -> ast.Assert:
        _, condition, _, message = parts
        return ast.Assert(condition, self.string([message]), span=self._over(parts))

    def update(self, parts: Parts) -> ast.Update:
        return ast.Update(tuple(parts[2:-1]), span=self._over(parts))

    def next(self, parts: Parts) -> ast.Next:
        _, name, _, value = parts
        return ast.Next(name, value, span=self._over(parts))

    # ------------------------------------------------------------ train programs

    def setting(self, parts: Parts) -> ast.Setting:
        name, value = parts
        return ast.Setting(name, value, span=self._over(parts))

    def feed(self, parts: Parts) -> ast.Feed:
        *names, value = _nodes(parts)
        return ast.Feed(tuple(names), value, span=self._over(parts))

    def minimize(self, parts: Parts) -> ast.Minimize:
        _, loss, _, over, _, optimizer = parts
        patterns = over.items if over else ()
        return ast.Minimize(loss, patterns, optimizer, span=self._over(parts))

    def step(self, parts: Parts) -> ast.Step:
        _, name, _, *body, _, _, every = parts
        return ast.Step(name, tuple(body), every, span=self._over(parts))

    def freeze(self, parts: Parts) -> ast.Freeze:
        return ast.Freeze(parts[1].items, span=self._over(parts))

    def patterns(self, parts: Parts) -> Several:
        return Several(_nodes(parts), self._over(parts))

    def pattern(self, parts: Parts) -> ast.Pattern:
        return ast.Pattern(tuple(part.value for part in parts[::2]), span=self._over(parts))

    # ------------------------------------------------------------ expressions

    def pipeline(self, parts: Parts) -> ast.Pipeline:
        head, *stages = _nodes(parts)
        return ast.Pipeline(head, tuple(stages), span=self._over(parts))

    def stage(self, parts: Parts) -> ast.Stage:
        label, _, value, _, condition = parts
        return ast.Stage(_word(label), value, condition, span=self._over(parts))

    def labelled(self, parts: Parts) -> ast.Labelled:
        label, _, value = parts
        return ast.Labelled(label.value, value, span=self._over(parts))

    def choose(self, parts: Parts) -> ast.Choose:
        _, condition, _, then, _, otherwise = parts
        return ast.Choose(condition, then, otherwise, span=self._over(parts))

    def range(self, parts: Parts) -> ast.Range:
        start, _, stop = parts
        return ast.Range(start, stop, span=self._over(parts))

    def chain(self, parts: Parts) -> ast.Chain:
        operators = [token.value for token in parts[1::2]]
        rest = tuple(zip(operators, parts[2::2], strict=True))
        return ast.Chain(parts[0], rest, span=self._over(parts))

    either = both = sum = product = chain

    def prefix(self, parts: Parts) -> ast.Prefix:
        operator, operand = parts
        return ast.Prefix(operator.value, operand, span=self._over(parts))

    def comparison(self, parts: Parts) -> ast.Compare:
        left, operator, right = parts
        return ast.Compare(operator.value, left, right, span=self._over(parts))

    def power(self, parts: Parts) -> ast.Power:
        base, _, exponent = parts
        return ast.Power(base, exponent, span=self._over(parts))

    def postfix(self, parts: Parts) -> ast.Expr:
        node, *trailers = parts
        start = node.span.start
        for trailer in trailers:
            span = Span(self.source, start, trailer.end)
            node = trailer.node(node, trailer.content, span=span)
        return node

    def call(self, parts: Parts) -> Trailer:
        return Trailer(ast.Call, parts[1] or (), parts[-1].end_pos)

    def construct(self, parts: Parts) -> Trailer:
        return Trailer(ast.Construct, parts[1] or (), parts[-1].end_pos)

    def index(self, parts: Parts) -> Trailer:
        return Trailer(ast.Index, parts[1], parts[-1].end_pos)

    def member(self, parts: Parts) -> Trailer:
        return Trailer(ast.Member, parts[1].value, parts[1].end_pos)

    def argument(self, parts: Parts) -> ast.Argument:
        name, _, value = parts
        return ast.Argument(name and name.id, value, span=self._over(parts))

    def number(self, parts: Parts) -> ast.Number:
        return ast.Number(parts[0].value, span=self._over(parts))

    def string(self, parts: Parts) -> ast.String:
        text = _ESCAPE.sub(lambda found: _ESCAPED[found[1]], parts[0].value[1:-1])
        return ast.String(text, span=self._over(parts))

    def name(self, parts: Parts) -> ast.Name:
        return ast.Name(parts[0].value, span=self._over(parts))

    def group(self, parts: Parts) -> ast.Expr:
        return replace(parts[1], span=self._over(parts))

    def tuple_of(self, parts: Parts) -> ast.TupleOf:
        _, first, _, others, _ = parts
        return ast.TupleOf((first, *(others or ())), span=self._over(parts))

    def list_of(self, parts: Parts) -> ast.ListOf:
        return ast.ListOf(parts[1] or (), span=self._over(parts))

    # ------------------------------------------------------------ nodes one after another

    def items(self, parts: Parts) -> tuple[Any, ...]:
        return _nodes(parts)

    arguments = attributes = operands = results = dims = entries = items


def _is(part: Any, type: str) -> bool:
    return isinstance(part, Token) and part.type == type


def _nodes(parts: Parts) -> tuple[Any, ...]:
    """The parts that are nodes: without commas, brackets and what was left out."""
    return tuple([part for part in parts if part is not None and not isinstance(part, Token)])


def _word(token: Token | None) -> str | None:
    return None if token is None else token.value
