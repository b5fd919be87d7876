"""The house keeps its order: imports point one way, heavy libraries stay in their rooms, files
and lines stay short, names say something."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "netdsl"
SOURCES = sorted(PACKAGE.rglob("*.py"))

# Who may import whom, at the top of a file or within a function. A room always knows itself.
MAY_IMPORT: dict[str, set[str]] = {
    "source": set(),
    "resources": set(),
    "streams": set(),
    "diagnostics": {"source"},
    "ir": {"source"},
    "language": {"source", "resources", "diagnostics"},
    "ops": {"ir", "streams"},
    "layers": {"ir", "ops", "streams"},
    "rewrite": {"ir", "ops"},
    "analysis": {"source", "ir", "ops", "rewrite"},
    "autodiff": {"ir", "ops", "rewrite"},
    "build": {"source", "diagnostics", "language", "ir", "ops", "layers", "rewrite"},
    "registry": {"source", "diagnostics", "ir", "layers"},
    "weights": {"source", "diagnostics", "ir"},
    "data": {"source", "diagnostics", "ir", "registry", "resources", "streams", "weights"},
    "backends.numpy": {"source", "diagnostics", "ir", "ops", "rewrite"},
    "backends.onnx": {"source", "diagnostics", "ir", "ops", "rewrite", "weights",
                      "backends.numpy"},
    "training": {"source", "diagnostics", "ir", "ops", "layers", "rewrite", "autodiff", "registry",
                 "weights", "data", "backends.numpy"},
    "generate": {"source", "diagnostics", "ir", "layers", "registry"},
    "compiler": {"source", "resources", "diagnostics", "language", "ir", "build", "data",
                 "training", "generate"},
    "model": {"diagnostics", "ir", "layers", "rewrite", "autodiff", "analysis", "weights",
              "backends.numpy", "backends.onnx", "training", "views", "compiler"},
    "views": {"source", "diagnostics", "ir", "rewrite", "analysis", "training"},
}
ON_TOP = {"cli", "__init__", "__main__"}  # may import anything
ONLY_IN = {  # libraries, and the rooms that may import them
    "lark": {"language"},
    "onnx": {"backends.onnx"},
    "onnxruntime": {"backends.onnx"},
    "click": {"cli"},
    "matplotlib": {"views"},
    "torch": set(),
}
HEAVY = ("onnx", "onnxruntime", "networkx", "rich", "PIL", "safetensors", "matplotlib")


def room_of(module: str) -> str:
    """`netdsl.backends.numpy.lower` is in the room `backends.numpy`, `netdsl.source` in itself."""
    parts = module.split(".")[1:]
    if not parts:
        return "__init__"
    return ".".join(parts[:2]) if parts[0] == "backends" else parts[0]


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, wherever it stands."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            for alias in node.names:
                yield node.lineno, f"{node.module}.{alias.name}"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_imports_point_one_way(path):
    room = room_of(module_of(path))
    for line, name in imports(parsed(path)):
        if not name.startswith("netdsl.") or room in ON_TOP:
            continue
        other = room_of(name)
        if other == "__version__":
            continue
        assert other == room or other in MAY_IMPORT[room], (
            f"{path.relative_to(ROOT)}:{line}: {room} may not import {other}"
        )


def test_the_arrows_have_no_circle():
    settled: set[str] = set()
    while len(settled) < len(MAY_IMPORT):
        free = {room for room, below in MAY_IMPORT.items() if below <= settled} - settled
        assert free, f"a circle among {sorted(MAY_IMPORT.keys() - settled)}"
        settled |= free


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_libraries_stay_in_their_rooms(path):
    room = room_of(module_of(path))
    for line, name in imports(parsed(path)):
        library = name.partition(".")[0]
        assert room in ONLY_IN.get(library, {room}), (
            f"{path.relative_to(ROOT)}:{line}: only {ONLY_IN[library] or 'tests'} import {library}"
        )


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_only_the_command_line_prints_or_exits(path):
    if room_of(module_of(path)) in ("cli", "__main__"):
        return
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("print", "exit", "quit", "sys.exit", "os._exit", "input"), (
                f"{path.relative_to(ROOT)}:{node.lineno}: {called}"
            )
        if isinstance(node, ast.Raise) and node.exc is not None:
            assert "SystemExit" not in ast.unparse(node.exc)


def test_a_check_loads_nothing_heavy():
    command = (
        "import sys; from netdsl.cli import main\n"
        "try: main(['check', 'models/digits.net'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        f"print(*(name for name in {HEAVY!r} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == ""


# ------------------------------------------------------------------ every file

OWN = [
    path
    for folder in ("netdsl", "tests", "tools", "models", "grammars")
    for path in sorted((ROOT / folder).rglob("*"))
    if path.is_file() and "__pycache__" not in path.parts
    and path.suffix in (".py", ".net", ".lark", ".md", ".txt", ".toml")
]
CODE = [path for path in OWN if path.suffix == ".py"]
FORBIDDEN = re.compile(r"^(utils?|helpers?|commons?|misc|new_.*)$")
MACHINE = re.compile(r"/(root|work|tmp)/\w|/home/(?!someone)\w")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", CODE, ids=named)
def test_files_and_lines_are_short(path):
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= 430, f"{len(lines)} lines ask to be split"
    long = [i for i, line in enumerate(lines, 1) if len(line) > 100]
    assert not long, f"lines of more than 100 columns: {long}"


@pytest.mark.parametrize("path", OWN, ids=named)
def test_names_say_something(path):
    for part in path.relative_to(ROOT).parts:
        assert not FORBIDDEN.match(Path(part).stem), part


@pytest.mark.parametrize("path", OWN, ids=named)
def test_no_path_of_a_machine_is_in_the_tree(path):
    if path == Path(__file__):
        return
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        assert not MACHINE.search(line), f"line {number}: {line.strip()}"


@pytest.mark.parametrize("path", SOURCES, ids=module_of)
def test_modules_say_what_they_are_for(path):
    tree = parsed(path)
    if tree.body:
        assert ast.get_docstring(tree), "a module begins with its docstring"


def test_no_two_test_files_share_a_name():
    """pytest imports them by name alone."""
    names = [path.name for path in CODE
             if path.is_relative_to(ROOT / "tests") and path.name != "conftest.py"]
    assert sorted(names) == sorted(set(names))
