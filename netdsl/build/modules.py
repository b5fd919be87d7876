"""Files and their declarations: reading, `use`, and what each name of a file stands for."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from os.path import dirname, join, normpath
from pathlib import Path
from typing import Any

from netdsl.build.builder import Builder, deep_stack, uncollected
from netdsl.build.evaluate import evaluate
from netdsl.build.frame import Frame
from netdsl.build.labels import Labels
from netdsl.build.scopes import Mentions, check_bodies
from netdsl.build.unused import warn_of_file
from netdsl.build.values import (
    UNKNOWN,
    LayerDefinition,
    ModelDefinition,
    Module,
    Unknown,
    described,
    usable,
)
from netdsl.build.work import Work
from netdsl.diagnostics import Refused, Report
from netdsl.diagnostics.evaluation import WrongKind
from netdsl.diagnostics.names import BadImport, Recursive, Redeclared
from netdsl.diagnostics.words import UnknownLibrary
from netdsl.language import ast
from netdsl.language.parser import parse
from netdsl.language.text import read_source
from netdsl.layers.libraries import LIBRARIES
from netdsl.source import Source, Span

MOST_FILES = 200
WIDER = "`--root FOLDER` lets files import from further out"


@uncollected()
def load_module(source: Source, report: Report, root: Path | None = None) -> Module:
    """The file with everything it uses: files of its own folder and of `root`, and below. Raises
    Refused where its text cannot be parsed."""
    own = () if source.path is None else (source.path.resolve().parent,)
    wider = () if root is None else (root.resolve(),)
    with deep_stack():
        loader = _Loader((*own, *wider), report)
        module = loader.load(source)
        warn_of_file(module, loader.mentions, report)
        return module


class _Loader:
    """Reads files once each; `roots` are the folders that imports may not leave."""

    def __init__(self, roots: tuple[Path, ...], report: Report):
        self.roots, self.report = roots, report
        self.loaded: dict[Path, Module | Unknown] = {}  # UNKNOWN: refused, and told
        self.under_way: list[Path] = []
        self.mentions = Mentions()  # of the last file that was complete
        self.work = Work()

    def load(self, source: Source) -> Module:
        here = None if source.path is None else source.path.resolve()
        if here is not None:
            self.under_way.append(here)
        module = Module(source, parse(source), work=self.work)
        b = Builder(source.name, self.report, self.work)
        self.work.begin(module.file.span)
        names = [declared_name(declaration) for declaration in module.file.declarations]
        declared_once(b, [name for name in names if name is not None])
        for declaration in module.file.declarations:
            _declare(b, module, declaration)
        for declaration in module.file.declarations:  # may use whatever the file declares
            if isinstance(declaration, ast.Use):
                module.names[declaration.name.id] = self._imported(b, module, declaration)
            elif isinstance(declaration, ast.Let):
                module.names[declaration.name.id] = _let(b, module, declaration)
        self.mentions = check_bodies(module, self.report)
        if here is not None:
            self.under_way.pop()
            self.loaded[here] = module
        return module

    def _imported(self, b: Builder, module: Module, use: ast.Use) -> Module | Unknown:
        """The module behind a `use`; UNKNOWN after reporting."""
        if use.path is None:
            if use.name.id in LIBRARIES:
                return library(use.name.id)
            b.complain(UnknownLibrary, use.name.span, use.name.id, tuple(LIBRARIES))
            return UNKNOWN
        written, span = use.path.value, use.path.span
        try:
            path = self._resolved(module, written)
        except _Unusable as reason:
            b.complain(BadImport, span, written, *reason.args)
            return UNKNOWN
        if path in self.under_way:
            b.complain(Recursive, span, written)
            return UNKNOWN
        if path not in self.loaded:
            waiting = len(self.under_way)
            try:
                name = normpath(join(dirname(module.source.name), written))
                self.load(read_source(path, name, span))
            except Refused as refusal:
                for problem in refusal.problems:
                    b.add(problem)
                self.loaded[path] = UNKNOWN
                del self.under_way[waiting:]
        return self.loaded[path]

    def _resolved(self, module: Module, written: str) -> Path:
        """Where a path leads. Raises _Unusable with the reason why it may not be used."""
        if module.source.path is None:
            raise _Unusable("this text has no folder of its own")
        path = Path(written)
        if path.is_absolute() or written.startswith("~") or "://" in written:
            raise _Unusable("imports are relative paths")
        if path.suffix != ".net":
            raise _Unusable("only .net files are imported")
        try:
            target = (module.source.path.parent / path).resolve()
            found = target.is_file()
        except (OSError, RuntimeError):  # too long a name, a circle of links
            raise _Unusable("it leads nowhere") from None
        if not any(map(target.is_relative_to, self.roots)):
            raise _Unusable("it leaves the folder of the file on the command line", WIDER)
        if not found:
            raise _Unusable("there is no such file")
        if len(self.loaded) + len(self.under_way) >= MOST_FILES:
            raise _Unusable(f"more than {MOST_FILES} files")
        return target


@cache
def library(name: str) -> Module:
    """A library of netdsl: the layers of all its files under their names. Read once; raises Refused
    where it is broken."""
    report, folder = Report(), LIBRARIES[name]
    loader = _Loader((folder,), report)
    for path in sorted(folder.glob("*.net")):
        if path not in loader.loaded:
            loader.load(read_source(path, f"{name}/{path.name}"))
    report.stop_on_errors()
    source = Source(name, "")
    layers = {
        layer.name: layer
        for module in loader.loaded.values() if isinstance(module, Module)
        for layer in module.names.values() if isinstance(layer, LayerDefinition)
    }
    return Module(source, ast.File(None, (), span=Span(source, 0, 0)), layers)


class _Unusable(Exception):
    """Why a path may not be imported, and a way out where there is one."""


def _declare(b: Builder, module: Module, declaration: ast.Declaration) -> None:
    """Enter a declaration into its file's scope, after checking the names within it."""
    match declaration:
        case ast.LayerDeclaration():
            _check_names(b, declaration, declaration.operands)
            module.names[declaration.name.id] = LayerDefinition(declaration, module)
        case ast.ModelDeclaration():
            _check_names(b, declaration, ())
            name = declaration.name.id
            module.names[name] = ModelDefinition(name, declaration, module)
        case ast.Preset():
            name = declaration.name.id
            module.names[name] = ModelDefinition(name, declaration, module)
        case ast.TrainDeclaration():
            module.trains.append(declaration)
        case ast.SampleDeclaration():
            module.samples.append(declaration)


def _check_names(
    b: Builder, declaration: ast.LayerDeclaration | ast.ModelDeclaration, operands: tuple
) -> None:
    """Attributes, operands, inputs and parameters of one body share their names."""
    own = [node for node in declaration.body if isinstance(node, (ast.Input, ast.Declared))]
    declared_once(b, [node.name for node in (*declaration.attributes, *operands, *own)])


def declared_once(b: Builder, names: Iterable[ast.Name]) -> None:
    """Report names that are declared again."""
    first: dict[str, Span] = {}
    for name in names:
        if name.id in first:
            b.complain(Redeclared, name.span, name.id, first[name.id])
        first.setdefault(name.id, name.span)


def _let(b: Builder, module: Module, declaration: ast.Let) -> Any:
    frame = Frame(module, Labels("", "none"), creates=False)
    value = evaluate(b, declaration.value, frame)
    if b.emitter.nodes:
        b.emitter.nodes.clear()
        b.complain(WrongKind, declaration.value.span, "a tensor", "a compile-time value",
                   "tensors belong in a model or layer")
        return UNKNOWN
    if not usable(value):
        b.complain(WrongKind, declaration.value.span, described(value), "a value")
        return UNKNOWN
    return value


def declared_name(declaration: ast.Declaration) -> ast.Name | None:
    """The name a declaration gives to its file's scope; training programs give none."""
    if isinstance(declaration, (ast.TrainDeclaration, ast.SampleDeclaration)):
        return None
    return declaration.name
