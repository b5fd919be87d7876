"""Names in the bodies of a file, checked where they are written: a layer that no model uses is read
too. It knows what `body` and `evaluate` bind and in which order, and takes every branch of an `if`
as taken, so that what it refuses, the builder would refuse as well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from netdsl.build import numbers
from netdsl.build.builder import MOST_PROBLEMS
from netdsl.build.evaluate import BUILT_IN
from netdsl.build.explain.translation import translated
from netdsl.build.explain.unknown import (
    CONSTRUCTIBLE,
    Body,
    Ended,
    guards_block,
    names_in,
    unknown_name,
    walk,
)
from netdsl.build.frame import NOTHING
from netdsl.build.types import sizes_named
from netdsl.build.values import LayerDefinition, Module
from netdsl.diagnostics import Problem, Report
from netdsl.diagnostics.evaluation import UnknownArgument
from netdsl.diagnostics.names import NoMember, NoReturn, Recursive, UnknownName
from netdsl.diagnostics.scopes import (
    FixedName,
    GuardedBlock,
    LabelAsValue,
    LabelOnValue,
    LooseChoice,
    NeverReached,
    OutOfScope,
)
from netdsl.language import ast
from netdsl.layers.arguments import DType, SamePadding
from netdsl.layers.words import Word
from netdsl.source import Span

FIXED = ("true", "false", "none")
UNKNOWN_NAME = (UnknownName.code, LabelAsValue.code, OutOfScope.code)


def check_bodies(module: Module, report: Report) -> Mentions:
    """Report names that nothing defines, arguments that a layer does not have and statements that
    are never reached, in the layers and models of a file. In time linear in its length."""
    mentions = Mentions()
    for declaration in module.file.declarations:
        if isinstance(declaration, Body):
            _Body(module, declaration, report, mentions).check()
    return mentions


@dataclass(eq=False)
class Mentions:
    """Which names a file uses: those in each body, by its name, and those that stand for a value
    and are not applied there; and how many errors were found."""

    of_bodies: dict[str, set[str]] = field(default_factory=dict)
    sizes: dict[str, list[str]] = field(default_factory=dict)  # new in the signature of each
    as_values: set[str] = field(default_factory=set)
    errors: int = 0


class _Body:
    """The names of one layer or model as its statements bind them, one after the other."""

    def __init__(self, module: Module, declaration: Body, report: Report, mentions: Mentions):
        self.module, self.declaration, self.report = module, declaration, report
        self.mentions = mentions
        self.names: dict[str, Span] = {}  # bound now, each with its first place
        self.ended: dict[str, Ended] = {}  # bound by loops that are over
        self.used = mentions.of_bodies.setdefault(declaration.name.id, set())
        self._in_body = False
        self._told: set[str] = set()
        self._turns: list[list[str]] = []  # first bound in the loops around

    def check(self) -> None:
        layer = isinstance(self.declaration, ast.LayerDeclaration)
        for attribute in self.declaration.attributes:
            if attribute.default is not None:
                self._read(attribute.default)
            self._bind(attribute.name)
        for operand in self.declaration.operands if layer else ():
            self._operand(operand)
        self._in_body = True
        self._run(self.declaration.body)
        if layer and not any(isinstance(node, ast.Return) for node in walk(self.declaration.body)):
            last = self.declaration.body[-1] if self.declaration.body else None
            names = last.names if isinstance(last, ast.Bind) else ()
            self._error(NoReturn(self.declaration.name.span, self.declaration.name.id,
                                 ", ".join(name.id for name in names) or "…"))
        for type in self.declaration.results if layer else ():
            self._sizes(type, declares=True)

    def _operand(self, operand: ast.Operand) -> None:
        """Names in its type are sizes that it brings along."""
        if operand.default is not None:
            self._read(operand.default)
        self._bind(operand.name)
        if operand.type is not None:
            for dim in operand.type.dims:
                for node in names_in(dim):
                    self.used.add(node.id)
                    if self._find(node.id) is NOTHING:
                        self._new_size(node)

    # -------------------------------------------------------------- names

    def _find(self, name: str) -> Any:
        """What a name stands for: its Span where the body binds it, NOTHING where nothing does."""
        for scope in (self.names, self.module.names, BUILT_IN, numbers.FUNCTIONS):
            if name in scope:
                return scope[name]
        return NOTHING

    def _known(self) -> tuple[str, ...]:
        return (*self.names, *self.module.names, *BUILT_IN, *numbers.FUNCTIONS)

    def _bind(self, name: ast.Name) -> None:
        if name.id == "_":
            return
        if name.id in FIXED:
            self._error(FixedName(name.span, name.id))
        if name.id not in self.names:
            self.names[name.id] = name.span
            if self._turns:
                self._turns[-1].append(name.id)

    @contextmanager
    def _turn(self, names: Iterable[ast.Name]) -> Iterator[None]:
        """While the body of a loop is read: what it binds first ends with it."""
        hidden = {name.id: self.names.pop(name.id, None) for name in names}
        self._turns.append([])
        for name in names:
            self._bind(name)
        yield
        for name in self._turns.pop():
            self.ended[name] = self.names.pop(name), "header" if name in hidden else "turn"
        self.names.update({name: span for name, span in hidden.items() if span is not None})

    def _error(self, problem: Problem) -> None:
        self.mentions.errors += 1
        if self.mentions.errors <= MOST_PROBLEMS:
            self.report.add(problem)

    # -------------------------------------------------------------- statements

    def _run(self, body: tuple[ast.Statement, ...]) -> None:
        returned: Span | None = None
        for statement in body:
            if returned is not None:
                self.report.add(NeverReached(statement.span, returned))
                return
            self._statement(statement)
            if isinstance(statement, ast.Return) and isinstance(
                self.declaration, ast.LayerDeclaration
            ):
                returned = statement.span

    def _statement(self, node: ast.Statement) -> None:
        match node:
            case ast.Bind():
                self._read_all(node.values)
                for name in node.names:
                    self._bind(name)
            case ast.Return():
                self._read_all(node.values)
            case ast.For():
                self._read(node.iterable)
                with self._turn(node.names):
                    self._run(node.body)
            case ast.If():
                self._read(node.condition)
                self._run(node.body)
                self._run(node.otherwise or ())
            case ast.Input():
                self._sizes(node.type, declares=True)
                self._read_all(part for part in (node.count, node.range) if part is not None)
                self._bind(node.name)
            case ast.Result(value=None):
                self._name(node.name)
            case ast.Result():
                self._read(node.value)
                self._bind(node.name)
            case ast.Declared():
                self._sizes(node.type, declares=False)
                self._read(node.value)
                self._bind(node.name)
            case ast.Assert():
                self._read(node.condition)
            case ast.Update():
                self._read_all(following.value for following in node.body)

    def _sizes(self, type: ast.TypeOf, declares: bool) -> None:
        """The sizes of a type; with `declares`, names may be new ones."""
        for dim in type.dims:
            for name in sizes_named(dim) if declares else ():
                if self._find(name.id) is NOTHING:
                    self._new_size(name)
            self._read(dim)

    # -------------------------------------------------------------- expressions

    def _new_size(self, name: ast.Name) -> None:
        self._bind(name)
        if name.id in ("None", "none", "null"):
            way = "a size that is not known yet has a name: `B`"
            self._error(UnknownName(name.span, name.id, (), way=way))
        self.mentions.sizes.setdefault(self.declaration.name.id, []).append(name.id)

    def _read_all(self, nodes: Iterable[ast.Expr]) -> None:
        for node in nodes:
            self._read(node)

    def _read(self, node: ast.Expr) -> None:
        rule = _RULES.get(type(node))
        if rule is not None:
            rule(self, node)

    def _name(self, node: ast.Name, role: str = "value", whole: ast.Expr | None = None) -> None:
        self.used.add(node.id)
        if role == "value":
            self.mentions.as_values.add(node.id)
        if node.id == "_" or self._find(node.id) is not NOTHING:
            return
        if node.id not in self._told and self.mentions.errors < MOST_PROBLEMS:
            self._told.add(node.id)
            self._error(unknown_name(
                self.module, node, self._known(), self.ended.get(node.id), role, whole,
            ))
        self.report.silence(node.span, *UNKNOWN_NAME)

    def _callee(self, node: ast.Expr, whole: ast.Expr) -> None:
        if isinstance(node, ast.Name):
            self._name(node, "layer", whole)
        elif isinstance(node, ast.Member):
            self._member(node, whole)
        else:
            self._read(node)

    def _member(self, node: ast.Member, whole: ast.Expr | None = None) -> None:
        target = node.target
        if isinstance(target, ast.Name):
            self._name(target, "member", whole or node)
        elif isinstance(target, ast.Member):
            self._member(target, whole or node)
        else:
            self._read(target)
        file = self._value(target)
        if isinstance(file, Module) and node.name not in file.names:
            names = tuple(file.names)
            self._error(NoMember(node.span, "the imported file", node.name, names))

    def _value(self, node: ast.Expr) -> Any:
        """The declaration or word behind a name or a member of an imported file, as far as it is
        known without building anything."""
        if isinstance(node, ast.Name):
            return self._find(node.id)
        if isinstance(node, ast.Member):
            file = self._value(node.target)
            return file.names.get(node.name) if isinstance(file, Module) else None
        return None

    def _call(self, node: ast.Call | ast.Construct) -> None:
        self._callee(node.callee, node)
        of = self._value(node.callee)
        own = isinstance(of, LayerDefinition) and of.declaration is self.declaration
        if own and self._in_body:
            self._error(Recursive(node.span, of.name, True, kind_of(of.name)))
            return
        known, others = _arguments_of(of, isinstance(node, ast.Construct))
        if known is not None:
            self._arguments(node, of, known, others)
        for argument in node.arguments:
            if isinstance(argument.value, ast.Labelled):
                self._labelled(argument.value, in_arguments=argument.name is None)
            else:
                self._read(argument.value)

    def _arguments(
        self, node: ast.Call | ast.Construct, of: Word | LayerDefinition, known: tuple[str, ...],
        others: tuple[str, ...],
    ) -> None:
        """Names of arguments that there are not; all at once where the whole can be said right."""
        foreign = [argument for argument in node.arguments
                   if argument.name is not None and argument.name not in (*known, *others)]
        way = None
        if foreign and isinstance(of, Word):
            way = translated(node, of.name, of, in_place=True)
        for argument in foreign[:1] if way else foreign:
            others = tuple((each.name, each.span) for each in foreign[1:] if way)
            self._error(UnknownArgument(argument.span, of.name, argument.name, known,
                                        way and f"`{way}`", others))
        for argument in foreign:
            self.report.silence(argument.span, UnknownArgument.code)

    def _construct(self, node: ast.Construct) -> None:
        if isinstance(node.callee, CONSTRUCTIBLE):
            self._call(node)
        else:  # what stands before the braces is no layer: the builder says so
            self._read(node.callee)

    def _pipeline(self, node: ast.Pipeline) -> None:
        self._read(node.head)
        if isinstance(node.head, ast.Choose) and node.head.span.text[0] != "(":
            first, otherwise = node.stages[0], node.head.otherwise.span
            self.report.add(LooseChoice(first.span, otherwise, _brief(node)))
        for stage in node.stages:
            if guards_block(stage):
                self._error(GuardedBlock(stage.condition.span, _unguarded(stage)))
            elif stage.condition is not None:
                self._read(stage.condition)
            if isinstance(stage.value, (ast.Name, ast.Member)):
                self._callee(stage.value, stage.value)
            else:
                self._read(stage.value)

    def _labelled(self, node: ast.Labelled, in_arguments: bool = False) -> None:
        if not isinstance(node.value, (ast.Call, ast.Construct, ast.Choose, ast.Labelled)):
            value = node.value.span.text
            way = f"{node.label} = {value}" if in_arguments else value
            self._error(LabelOnValue(node.span, node.label, f"`{value}`", way))
        self._read(node.value)

    def _index(self, node: ast.Index) -> None:
        self._read(node.target)
        self._read_all(node.items)


def _brief(node: ast.Pipeline) -> str:
    """A pipeline behind a choice, with the parentheses that say what it does."""
    head, stages = node.head.span.text, node.span.source.text[node.head.span.end : node.span.end]
    text = " ".join(f"({head}){stages}".split())
    return text if len(text) <= 70 else "(if … then … else …) -> …"


def _unguarded(stage: ast.Stage) -> str:
    """An `if` around what stands in a block behind `when`, or the guard without one."""
    made = stage.condition
    condition, inside = made.callee.span.text.strip("()"), ", ".join(
        argument.span.text for argument in made.arguments)
    if any(argument.name is not None for argument in made.arguments):
        return f"if ({condition}) {{ {inside} }}"
    return f"-> {inside} when {condition}"


def kind_of(word: str) -> str | None:
    """What a word of the language is, for a message; None for another name."""
    match BUILT_IN.get(word):
        case Word(owns=True):
            return "the layer"
        case DType():
            return "the dtype"
        case SamePadding():
            return "the padding"
    return "the function" if word in BUILT_IN or word in numbers.FUNCTIONS else None


def _arguments_of(of: Any, braces: bool) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    """The arguments that a layer or function takes by name, and those that a function takes beside
    its attributes; None where they are not known."""
    if isinstance(of, LayerDefinition) and braces:
        return tuple(attribute.name.id for attribute in of.declaration.attributes), ()
    if isinstance(of, Word) and of.more is not None:
        return None, ()
    if not isinstance(of, Word) or of.more is not None or of.name in numbers.FUNCTIONS:
        return None, ()
    if of.owns == braces:
        operands = () if braces else tuple(operand.name for operand in of.operands)
        return tuple(attribute.name for attribute in of.attributes), operands
    return None, ()


_RULES: dict[type, Callable[[_Body, Any], None]] = {
    ast.Name: _Body._name,
    ast.ListOf: lambda body, node: body._read_all(node.items),
    ast.TupleOf: lambda body, node: body._read_all(node.items),
    ast.Prefix: lambda body, node: body._read(node.operand),
    ast.Chain: lambda body, node: body._read_all((node.first, *(e for _, e in node.rest))),
    ast.Compare: lambda body, node: body._read_all((node.left, node.right)),
    ast.Power: lambda body, node: body._read_all((node.base, node.exponent)),
    ast.Range: lambda body, node: body._read_all((node.start, node.stop)),
    ast.Choose: lambda body, node: body._read_all((node.condition, node.then, node.otherwise)),
    ast.Call: _Body._call,
    ast.Construct: _Body._construct,
    ast.Index: _Body._index,
    ast.Member: _Body._member,
    ast.Labelled: _Body._labelled,
    ast.Pipeline: _Body._pipeline,
}
