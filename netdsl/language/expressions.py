"""Expressions as documents: the fewest parentheses that keep the tree, breaks where they read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import singledispatchmethod
from typing import TypeVar

from netdsl.language import ast
from netdsl.language.comments import Comments
from netdsl.language.layout import (
    BREAK,
    NEWLINE,
    SPACE,
    Align,
    Doc,
    IfBroken,
    Indent,
    fits,
    group,
    parts,
)

_Node = TypeVar("_Node", bound=ast.Syntax)

_INDENT = 4
_SHORT_HEAD = 16  # `x ->` and `emb(text) ->` keep their first stage beside them

# How tightly each kind binds, as in grammars/netdsl.lark; what binds less goes in parentheses.
(
    _PIPELINE, _LABELLED, _CHOOSE, _RANGE, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _SIGNED,
    _POWER, _POSTFIX, _ATOM,
) = range(14)  # fmt: skip

_CHAINS = {"or": _OR, "and": _AND, "+": _SUM, "-": _SUM}  # else `* / // %`
_KINDS: dict[type[ast.Syntax], int] = {
    ast.Pipeline: _PIPELINE,
    ast.Labelled: _LABELLED,
    ast.Choose: _CHOOSE,
    ast.Range: _RANGE,
    ast.Compare: _COMPARE,
    ast.Power: _POWER,
    ast.Call: _POSTFIX,
    ast.Construct: _POSTFIX,
    ast.Index: _POSTFIX,
    ast.Member: _POSTFIX,
}
_ESCAPES = str.maketrans({'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"})


def _binding(node: ast.Expr) -> int:
    match node:
        case ast.Chain():
            return _CHAINS.get(node.rest[0][0], _PRODUCT)
        case ast.Prefix():
            return _NOT if node.operator == "not" else _SIGNED
        case _:
            return _KINDS.get(type(node), _ATOM)


class Expressions:
    """Makes documents of expressions, taking comments from `comments` on the way."""

    def __init__(self, comments: Comments):
        self.comments = comments

    def expression(self, node: ast.Expr, at_least: int = _PIPELINE) -> Doc:
        """The document of `node`, in parentheses if it binds less tightly than `at_least`."""
        doc = self.write(node)
        return parts("(", Align(doc), ")") if _binding(node) < at_least else doc

    def type(self, node: ast.TypeOf) -> Doc:
        dims = self.bracketed("[]", node.dims, node.span.start, self.expression)
        return parts(node.dtype or "", dims)

    @singledispatchmethod
    def write(self, node: ast.Expr) -> Doc:
        raise TypeError(f"{type(node).__name__} is no expression")

    @write.register
    def _(self, node: ast.Number) -> Doc:
        return node.text

    @write.register
    def _(self, node: ast.String) -> Doc:
        return f'"{node.value.translate(_ESCAPES)}"'

    @write.register
    def _(self, node: ast.Name) -> Doc:
        return node.id

    @write.register
    def _(self, node: ast.Hole) -> Doc:
        return "?"

    @write.register
    def _(self, node: ast.Rest) -> Doc:
        return "..."

    @write.register
    def _(self, node: ast.ListOf) -> Doc:
        return self.bracketed("[]", node.items, node.span.start, self.expression)

    @write.register
    def _(self, node: ast.TupleOf) -> Doc:
        if len(node.items) == 1:
            return parts("(", self.expression(node.items[0]), ",)")
        return self.bracketed("()", node.items, node.span.start, self.expression)

    @write.register
    def _(self, node: ast.Prefix) -> Doc:
        sign = "not " if node.operator == "not" else node.operator
        return parts(sign, self.expression(node.operand, _binding(node)))

    @write.register
    def _(self, node: ast.Chain) -> Doc:
        tighter = _binding(node) + 1
        out: list[Doc] = [self.expression(node.first, tighter)]
        end = node.first.span.end
        for operator, operand in node.rest:
            out += [*self.comments.beside(end, operand.span.start), SPACE]
            out += self.comments.above(operand.span.start)
            out += [f"{operator} ", self.expression(operand, tighter)]
            end = operand.span.end
        return group(Align(parts(*out)))

    @write.register
    def _(self, node: ast.Compare) -> Doc:
        left = self.expression(node.left, _SUM)
        return parts(left, f" {node.operator} ", self.expression(node.right, _SUM))

    @write.register
    def _(self, node: ast.Power) -> Doc:
        base = self.expression(node.base, _POSTFIX)
        return parts(base, " ** ", self.expression(node.exponent, _SIGNED))

    @write.register
    def _(self, node: ast.Range) -> Doc:
        start = self.expression(node.start, _OR)
        return parts(start, "..", self.expression(node.stop, _OR))

    @write.register
    def _(self, node: ast.Choose) -> Doc:
        condition = self.expression(node.condition, _CHOOSE)
        then = self.expression(node.then, _CHOOSE)
        otherwise = self.expression(node.otherwise, _CHOOSE)
        return group(
            Align(parts("if ", condition, SPACE, "then ", then, SPACE, "else ", otherwise))
        )

    @write.register
    def _(self, node: ast.Call) -> Doc:
        callee = self.expression(node.callee, _POSTFIX)
        return parts(callee, self._arguments("()", node))

    @write.register
    def _(self, node: ast.Construct) -> Doc:
        callee = self.expression(node.callee, _POSTFIX)
        return parts(callee, self._arguments("{}", node))

    @write.register
    def _(self, node: ast.Index) -> Doc:
        target = self.expression(node.target, _POSTFIX)
        after = node.target.span.end
        return parts(target, self.bracketed("[]", node.items, after, self.expression))

    @write.register
    def _(self, node: ast.Member) -> Doc:
        target = self.expression(node.target, _POSTFIX)
        if isinstance(node.target, ast.Number):  # `3.5` would be one number
            target = parts("(", target, ")")
        return parts(target, f".{node.name}")

    @write.register
    def _(self, node: ast.Labelled) -> Doc:
        return parts(f"{node.label}: ", self.expression(node.value, _CHOOSE))

    @write.register
    def _(self, node: ast.Pipeline) -> Doc:
        """`->` below `->`; below the head where the head is long or a comment follows it."""
        comments = self.comments
        first, *others = node.stages
        head = self.expression(node.head, _LABELLED)
        above = [
            *comments.beside(node.head.span.end, first.span.start),
            SPACE,
            *comments.above(first.span.start),
        ]
        stages = ["-> ", self._stage(first)]
        end = first.span.end
        for stage in others:
            stages += [*comments.beside(end, stage.span.start), SPACE]
            stages += [*comments.above(stage.span.start), "-> ", self._stage(stage)]
            end = stage.span.end
        if len(above) == 1 and fits(head, _SHORT_HEAD):
            return group(head, " ", Align(parts(*stages)))
        return group(Align(parts(head, *above, *stages)))

    def _stage(self, node: ast.Stage) -> Doc:
        label = f"{node.label}: " if node.label else ""
        value = self.expression(node.value, _POSTFIX)
        if node.condition is None:
            return parts(label, value)
        return parts(label, value, " when ", self.expression(node.condition, _CHOOSE))

    def _arguments(self, brackets: str, node: ast.Call | ast.Construct) -> Doc:
        return self.bracketed(brackets, node.arguments, node.callee.span.end, self._argument)

    def _argument(self, node: ast.Argument) -> Doc:
        name = f"{node.name} = " if node.name else ""
        return parts(name, self.expression(node.value))

    def bracketed(
        self,
        brackets: str,
        nodes: Sequence[_Node],
        after: int,
        build: Callable[[_Node], Doc],
    ) -> Doc:
        """`(a, b)`, or one item per line with a comma behind each; `after` lies before `(`."""
        opening, closing = brackets
        comments = self.comments
        close = comments.closing(closing, nodes[-1].span.end if nodes else after)
        starts = [*(node.span.start for node in nodes), close]
        beside = comments.beside_bracket(opening, starts[0])
        out: list[Doc] = [BREAK]
        for position, node in enumerate(nodes):
            out += [*comments.above(node.span.start), build(node)]
            last = position == len(nodes) - 1
            out.append(IfBroken(",") if last else ",")
            out += comments.beside(node.span.end, starts[position + 1])
            if not last:
                out.append(SPACE)
        remaining = comments.taken_before(close)
        for position, comment in enumerate(remaining):
            out += [NEWLINE] if nodes or position else []
            out.append(comment.text)
        if not nodes and not remaining:
            return parts(opening, *beside, NEWLINE, closing) if beside else brackets
        hard = NEWLINE if remaining else BREAK
        return group(opening, *beside, Indent(_INDENT, parts(*out)), hard, closing)
