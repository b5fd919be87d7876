"""From `ast` back to text, in the one canonical layout: 100 columns, four spaces, every comment.

`parse(format_file(file)) == file`, and formatting what was formatted changes nothing. Statements
and declarations are laid out here, expressions in `expressions`, comments kept by `comments`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import singledispatchmethod
from typing import TypeAlias

from netdsl.language import ast
from netdsl.language.comments import Comments
from netdsl.language.expressions import Expressions
from netdsl.language.layout import (
    NEWLINE,
    SPACE,
    Align,
    Doc,
    Indent,
    group,
    join,
    parts,
    render,
)
from netdsl.language.parser import parse
from netdsl.source import Source

WIDTH = 100
_INDENT = 4
_RESULT_INDENT = 6  # `-> [B, c]` below a long signature; deeper than the body

_Block: TypeAlias = (
    ast.LayerDeclaration | ast.ModelDeclaration | ast.TrainDeclaration | ast.For | ast.Update
)


def format_text(source: Source) -> str:
    """The canonical text of a source. Raises `Refused` if it does not parse."""
    return format_file(parse(source))


def format_file(file: ast.File) -> str:
    """The text of a file. Comments and blank lines are taken from where it was parsed."""
    text = render(_Formatter(file).file(), WIDTH)
    return text + "\n" if text else ""


@dataclass(frozen=True, slots=True)
class _Edition(ast.Syntax):
    """`net 1`, which the tree keeps as a number."""

    number: int


class _Formatter(Expressions):
    """One file. Documents are made in source order, and comments with them."""

    def __init__(self, file: ast.File):
        super().__init__(Comments(file))
        self._file = file

    # ------------------------------------------------------------ sequences

    def file(self) -> Doc:
        file = self._file
        nodes: list[ast.Syntax] = list(file.declarations)
        if file.edition is not None:
            nodes.insert(0, _Edition(file.edition, span=self.comments.edition_place()))
        return self._lines(nodes, self.comments.length, _declarations_apart) or ""

    def _lines(
        self,
        nodes: Sequence[ast.Syntax],
        close: int,
        apart: Callable[[ast.Syntax, ast.Syntax], bool] = lambda before, after: False,
    ) -> Doc | None:
        """Nodes one below the other, with the comments before `close`; None for nothing at all.

        One blank line is kept where there were some, and made where two nodes stand `apart`.
        """
        comments = self.comments
        starts = [*(node.span.start for node in nodes), close]
        out: list[Doc] = []
        for position, node in enumerate(nodes):
            blank = position > 0 and apart(nodes[position - 1], node)
            for comment in comments.taken_before(node.span.start):
                self._new_line(out, comment, blank)
                out.append(comment.text)
                blank = False
            self._new_line(out, node, blank)
            out += [self.build(node), *comments.beside(node.span.end, starts[position + 1])]
        for comment in comments.taken_before(close):
            self._new_line(out, comment)
            out.append(comment.text)
        return parts(*out) if out else None

    def _new_line(self, out: list[Doc], before: ast.Syntax, blank: bool = False) -> None:
        if not out:
            return
        out.append(NEWLINE)
        if blank or self.comments.blank_line_before(before.span.start):
            out.append(NEWLINE)

    def _block(self, nodes: Sequence[ast.Syntax], close: int, one_line: bool) -> Doc:
        """`{ … }`, with `}` at `close`; one statement may stay on the line it was on."""
        opening = self.comments.beside_bracket("{", nodes[0].span.start if nodes else close)
        body = self._lines(nodes, close)
        if body is None:
            return parts("{", *opening, NEWLINE if opening else "", "}")
        line = SPACE if one_line and len(nodes) == 1 else NEWLINE
        return parts("{", *opening, Indent(_INDENT, parts(line, body)), line, "}")

    def _body(self, node: _Block) -> Doc:
        """The block that ends `node`."""
        return self._block(node.body, node.span.end - 1, _was_one_line(node))

    # ------------------------------------------------------------ declarations

    @singledispatchmethod
    def build(self, node: ast.Syntax) -> Doc:
        """The document of a declaration or statement."""
        raise TypeError(f"{type(node).__name__} is no statement")

    @build.register
    def _(self, node: _Edition) -> Doc:
        return f"net {node.number}"

    @build.register
    def _(self, node: ast.Use) -> Doc:
        if node.path is None:
            return f"use {node.name.id}"
        return parts("use ", self.expression(node.path), f" as {node.name.id}")

    @build.register
    def _(self, node: ast.Let) -> Doc:
        return parts(f"let {node.name.id} = ", self.expression(node.value))

    @build.register
    def _(self, node: ast.LayerDeclaration) -> Doc:
        head: list[Doc] = [f"layer {node.name.id}"]
        after = node.name.span.end
        if node.attributes:
            head.append(self.bracketed("{}", node.attributes, after, self._attribute))
            after = node.attributes[-1].span.end
        else:
            head.append("{}")  # written as it is constructed
        head.append(self.bracketed("()", node.operands, after, self._operand))
        if len(node.results) == 1:
            head.append(self._result_types(self.type(node.results[0])))
        elif node.results:
            types = self.bracketed("()", node.results, node.results[0].span.start, self.type)
            head.append(self._result_types(types))
        return group(*head, " ", self._body(node))

    @staticmethod
    def _result_types(types: Doc) -> Doc:
        return group(Indent(_RESULT_INDENT, parts(SPACE, "-> ", types)))

    @build.register
    def _(self, node: ast.ModelDeclaration) -> Doc:
        head: list[Doc] = [f"model {node.name.id}"]
        if node.attributes:
            after = node.name.span.end
            head.append(self.bracketed("{}", node.attributes, after, self._attribute))
        return group(*head, " ", self._body(node))

    @build.register
    def _(self, node: ast.Preset) -> Doc:
        return parts(f"model {node.name.id} = ", self.expression(node.value))

    @build.register
    def _(self, node: ast.TrainDeclaration) -> Doc:
        name = f"{node.name.id}: " if node.name else ""
        return group(f"train {name}{node.model.id} ", self._body(node))

    @build.register
    def _(self, node: ast.SampleDeclaration) -> Doc:
        body = Indent(_INDENT, parts(SPACE, self.expression(node.value)))
        return group(f"sample {node.model.id} {{", body, SPACE, "}")

    def _attribute(self, node: ast.Attribute) -> Doc:
        return parts(node.name.id, *self._value(node.default))

    def _operand(self, node: ast.Operand) -> Doc:
        type = [": ", self.type(node.type)] if node.type else []
        return parts(node.name.id, *type, *self._value(node.default))

    def _value(self, value: ast.Expr | None) -> list[Doc]:
        return [] if value is None else [" = ", self.expression(value)]

    # ------------------------------------------------------------ statements

    @build.register
    def _(self, node: ast.Bind) -> Doc:
        names = ", ".join(name.id for name in node.names)
        return parts(f"{names} = ", self._expressions(node.values))

    @build.register
    def _(self, node: ast.Return) -> Doc:
        return parts("return ", self._expressions(node.values))

    def _expressions(self, values: Sequence[ast.Expr]) -> Doc:
        if len(values) == 1:
            return self.expression(values[0])
        return group(Align(join(parts(",", SPACE), [self.expression(value) for value in values])))

    @build.register
    def _(self, node: ast.For) -> Doc:
        names = ", ".join(name.id for name in node.names)
        head = parts(f"{_label(node)}for ({names} in ", self.expression(node.iterable), ") ")
        return group(head, self._body(node))

    @build.register
    def _(self, node: ast.If) -> Doc:
        """With its `else if`s, one after the other: a ladder may be long."""
        one_line = _was_one_line(node)
        out: list[Doc] = [_label(node)]
        rung: ast.If | None = node
        while rung:
            out += ["if (", self.expression(rung.condition), ") "]
            if rung.otherwise is None:
                out.append(self._block(rung.body, rung.span.end - 1, one_line))
                break
            last = rung.body[-1] if rung.body else rung.condition
            close = self.comments.closing("}", last.span.end)
            out += [self._block(rung.body, close, one_line), " else "]
            if not (following := _else_if(rung)):
                out.append(self._block(rung.otherwise, rung.span.end - 1, one_line))
            rung = following
        return group(*out)

    @build.register
    def _(self, node: ast.Input) -> Doc:
        count = ["[", self.expression(node.count), "]"] if node.count else []
        range = [" in ", self.expression(node.range)] if node.range else []
        return parts(f"input {node.name.id}", *count, ": ", self.type(node.type), *range)

    @build.register
    def _(self, node: ast.Result) -> Doc:
        return parts(f"{node.role} {node.name.id}", *self._value(node.value))

    @build.register
    def _(self, node: ast.Declared) -> Doc:
        value = self._value(node.value)
        return parts(f"{node.role} {node.name.id}: ", self.type(node.type), *value)

    @build.register
    def _(self, node: ast.Assert) -> Doc:
        condition = self.expression(node.condition)
        message = self.expression(node.message)
        return group("assert ", condition, Indent(_INDENT, parts(SPACE, "else ", message)))

    @build.register
    def _(self, node: ast.Update) -> Doc:
        return group("update ", self._body(node))

    @build.register
    def _(self, node: ast.Next) -> Doc:
        return parts(f"next {node.name.id} = ", self.expression(node.value))

    # ------------------------------------------------------------ train programs

    @build.register
    def _(self, node: ast.Setting) -> Doc:
        return parts(f"{node.name.id} ", self.expression(node.value))

    @build.register
    def _(self, node: ast.Feed) -> Doc:
        names = ", ".join(name.id for name in node.names)
        return parts(f"feed {names} = ", self.expression(node.value))

    @build.register
    def _(self, node: ast.Minimize) -> Doc:
        over = f" over {_patterns(node.over)}" if node.over else ""
        return parts(f"minimize {node.loss.id}{over} with ", self.expression(node.optimizer))

    @build.register
    def _(self, node: ast.Step) -> Doc:
        close = self.comments.closing("}", node.body[-1].span.end)
        body = self._block(node.body, close, _was_one_line(node))
        every = [" every ", self.expression(node.every)] if node.every else []
        return group(f"step {node.name.id} ", body, *every)

    @build.register
    def _(self, node: ast.Freeze) -> Doc:
        return f"freeze {_patterns(node.patterns)}"


def _declarations_apart(before: ast.Syntax, after: ast.Syntax) -> bool:
    """Runs of short declarations stand as their author put them."""
    short = (ast.Use, ast.Let, ast.Preset)
    return not (isinstance(before, short) and isinstance(after, short))


def _was_one_line(node: ast.Syntax) -> bool:
    return node.span.start < node.span.end and "\n" not in node.span.text


def _else_if(node: ast.If) -> ast.If | None:
    """The `if` of `else if`, which has no label."""
    if node.otherwise and len(node.otherwise) == 1 and isinstance(node.otherwise[0], ast.If):
        return node.otherwise[0] if node.otherwise[0].label is None else None
    return None


def _label(node: ast.For | ast.If) -> str:
    return f"{node.label}: " if node.label else ""


def _patterns(patterns: Sequence[ast.Pattern]) -> str:
    return ", ".join(".".join(pattern.segments) for pattern in patterns)
