"""Everything that grammars/README.md shows is done here: its networks are checked, its commands
run, its messages, names and tables compared. `--update-golden` writes what is shown as it is.

    ```net                whole files; a comment `# error N201` stands on the line of that message;
                          behind a `let` it is the value, `# f32[B, 8]` the type of what is bound
    ```net body           the inside of a model with the input `x`, whose output is `y`
    ```net train          the inside of `train Digits`, for models/digits.net
    ```net … file=a.net   kept for imports and commands, which run in one folder
    ```message, ```names  what is said of the block before, what its parameters are called
    ```python, ```printed a program and what it prints
    ```console            commands and what they print; a line `…` stands for any lines
    <!-- table: … -->     before a table made from the code's own
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from textwrap import indent

import pytest
from click.testing import CliRunner
from reference_tables import TABLES

from netdsl.build.modules import Module
from netdsl.build.signature import DTYPES
from netdsl.build.values import show
from netdsl.cli import group
from netdsl.cli.check import build_all
from netdsl.compiler import Built, open_file
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.render import render_text
from netdsl.language import parser
from netdsl.language.formatter import format_file
from netdsl.resources import grammar_file, models_folder
from netdsl.source import Source

README = grammar_file("README.md")
PAGE = README.read_text("utf-8")

STANDARD = {  # inputs that a block may use without declaring them
    "x": "input x: f32[B, 3, 32, 32]",
    "label": "input label: i64[B] in 0..10",
}
SAID = re.compile(r"# (error|warning|note) (N\d+)\b")
LET = re.compile(r"^let (\w+) = .*?  # (.+)$")
BOUND = re.compile(r"^ *(?:output |loss |metric )?(\w+) = .*  # (\w+\[.*\])$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its info string in words, what it holds, and where that begins."""

    info: tuple[str, ...]
    text: str
    start: int = 0

    @property
    def line(self) -> int:
        return PAGE.count("\n", 0, self.start)

    @property
    def kind(self) -> str:
        return self.info[0] if self.info else ""

    @property
    def file(self) -> str:
        named = [word.removeprefix("file=") for word in self.info if word.startswith("file=")]
        return named[0] if named else "example.net"

    @cached_property
    def source(self) -> str:
        """The file that the block stands for."""
        if "body" in self.info:
            return self._wrapped("model Example {", *self._inputs(), after=self._output())
        if "train" in self.info:
            network = (models_folder() / "digits.net").read_text("utf-8").partition("train ")[0]
            return self._wrapped(*network.splitlines(), "train Digits {")
        return self.text

    @property
    def offset(self) -> int:
        """How many lines of `source` stand before the block's own."""
        first = self.text.splitlines()[0]
        return 0 if self.source == self.text else self._lines.index(f"    {first}")

    @property
    def _lines(self) -> list[str]:
        return self.source.splitlines()

    def _wrapped(self, *before: str, after: str = "") -> str:
        return "\n".join((*before, indent(self.text, "    ") + after + "}\n"))

    def _inputs(self) -> list[str]:
        if re.search(r"^input ", self.text, re.M):
            return []
        return [f"    {line}" for name, line in STANDARD.items()
                if re.search(rf"\b{name}\b", self.text)]

    def _output(self) -> str:
        return "" if re.search(r"^(output|loss) ", self.text, re.M) else "    output y\n"


def blocks() -> Iterator[Block]:
    for found in re.finditer(r"^```(.*)\n((?:.*\n)*?)```$", PAGE, re.M):
        yield Block(tuple(found[1].split()), found[2], found.start(2))


BLOCKS = list(blocks())


def of_kind(kind: str) -> pytest.MarkDecorator:
    chosen = [block for block in BLOCKS if block.kind == kind]
    assert chosen
    return pytest.mark.parametrize("block", chosen, ids=lambda block: f"line {block.line}")


def before(block: Block) -> Block:
    """The network that a block speaks of: the last one above it."""
    return [b for b in BLOCKS if b.kind == "net" and b.start < block.start][-1]


# ------------------------------------------------------------------ the folder and the page


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Iterator[Path]:
    """The folder in which everything happens, with the files that the page names."""
    path = tmp_path_factory.mktemp("reference")
    for block in BLOCKS:
        if block.kind == "net" and any(word.startswith("file=") for word in block.info):
            (path / block.file).write_text(block.source, "utf-8")
    with chdir(path):
        yield path


@pytest.fixture(scope="module")
def picture(request) -> Iterator[Callable[[int, str, str], None]]:
    """Compares what the page shows at a place with what is so; `--update-golden` corrects it."""
    corrections: list[tuple[int, str, str]] = []
    updates = request.config.getoption("--update-golden")

    def compare(start: int, shown: str, actual: str) -> None:
        if updates and shown != actual:
            corrections.append((start, shown, actual))
            return
        assert shown == actual, "if this is right, --update-golden writes it into the page"

    yield compare
    page = PAGE
    for start, shown, actual in sorted(corrections, reverse=True):
        assert page.startswith(shown, start)
        page = page[:start] + actual + page[start + len(shown) :]
    if corrections:
        README.write_text(page, "utf-8")


# ------------------------------------------------------------------ networks


def checked(block: Block) -> tuple[list[Problem], Module | None, list[Built]]:
    """What `netdsl check` finds in a block, and what it makes of it."""
    report = Report()
    Path(block.file).write_text(block.source, "utf-8")
    module, built = None, []
    try:
        module = open_file(block.file, report)
        built = build_all(module, None, {}, report)
    except Refused as refused:
        return list(refused.problems), module, built
    return report.problems, module, built


@of_kind("net")
def test_networks_are_as_the_page_says(block, folder):
    said = {(number, *found.groups()) for number, line in enumerate(block.text.splitlines(), 1)
            for found in SAID.finditer(line)}
    problems, module, built = checked(block)
    told = set()
    for problem in problems:
        diagnostic = problem.describe()
        line = diagnostic.marks[0].span.line - block.offset
        told.add((line, diagnostic.severity, diagnostic.code))
    assert told == said, "\n".join(render_text(problem.describe()) for problem in problems)
    if not any(severity == "error" for _, severity, _ in said):
        assert built or "layer " not in block.source, "what no model uses is not checked"
        _compare_values(block, module, built)


def _compare_values(block: Block, module, built: list[Built]) -> None:
    """The comments that show values and types."""
    for line in block.text.splitlines():
        if found := LET.match(line):
            assert show(module.names[found[1]]) == found[2], line
        elif found := BOUND.match(line):
            assert str(built[-1].graph.names[found[1]].type) == found[2], line


@of_kind("net")
def test_networks_stand_in_the_canonical_layout(block):
    """What can be parsed looks as `netdsl fmt` leaves it."""
    if "loose" in block.info or any(code < "N200" for _, code in SAID.findall(block.text)):
        return
    assert format_file(parser.parse(Source("example.net", block.source))) == block.source


@of_kind("message")
def test_messages_are_the_real_ones(block, folder, picture):
    problems, _, _ = checked(before(block))
    shown = "\n\n".join(render_text(problem.describe()) for problem in problems)
    picture(block.start, block.text, shown + "\n")


@of_kind("names")
def test_parameters_have_these_names(block, folder, picture):
    _, _, built = checked(before(block))
    parameters = {name: str(v.type) for name, v in built[-1].graph.parameters.items()}
    width = max(map(len, parameters))
    lines = (f"{name:{width}}  {type}\n" for name, type in parameters.items())
    picture(block.start, block.text, "".join(lines))


# ------------------------------------------------------------------ Python and commands


@of_kind("printed")
def test_python_prints_what_is_shown(block, folder, picture, capsys):
    program = [b for b in BLOCKS if b.kind == "python" and b.start < block.start][-1]
    exec(program.text, {})
    picture(block.start, block.text, capsys.readouterr().out)


def sessions(block: Block) -> Iterator[tuple[str, str]]:
    """Each command of a block and what is shown below it."""
    for part in re.split(r"^\$ ", block.text, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


@pytest.fixture(scope="module")
def printed(folder) -> dict[tuple[int, str], str]:
    """What all commands of the page print, run one after the other."""
    found = {}
    for block in BLOCKS:
        for command, _ in sessions(block) if block.kind == "console" else ():
            program, *arguments = shlex.split(command)
            assert program == "netdsl"
            result = CliRunner().invoke(group, arguments, prog_name="netdsl")
            assert result.exit_code in (0, 1), result.output
            found[block.line, command] = result.output
    return found


@of_kind("console")
def test_commands_print_what_is_shown(block, printed, picture):
    for command, shown in sessions(block):
        actual = "\n".join(map(str.rstrip, printed[block.line, command].strip("\n").split("\n")))
        tolerance = 0.05 if command.split()[1] in LEARNED else 0
        if not alike(shown.strip("\n"), actual, tolerance):
            start = block.start + block.text.index(f"$ {command}\n{shown}")
            picture(start, f"$ {command}\n{shown}", f"$ {command}\n{actual}\n")


NUMBER = re.compile(r"\d+\.\d+(?:e-\d+)?")
SECONDS = re.compile(r"\d+\.\d s\b")
LEARNED = ("train", "evaluate", "compile")  # other machines add in another order


def alike(shown: str, actual: str, tolerance: float = 0) -> bool:
    """Whether a text is what is shown. There a line `…` stands for any lines, seconds may differ,
    and other numbers with a point by `tolerance`."""
    marked = re.sub(r"^…\n?", "\0", SECONDS.sub("0 s", shown), flags=re.M)
    form = NUMBER.pattern.join(map(re.escape, re.split(NUMBER.pattern, marked)))
    form = form.replace(NUMBER.pattern, f"({NUMBER.pattern})")
    form = form.replace(re.escape("\0"), "(?:.*\n?)*?")
    found = re.fullmatch(form, SECONDS.sub("0 s", actual))
    return found is not None and all(
        abs(float(a) - float(b)) <= tolerance
        for a, b in zip(NUMBER.findall(marked), found.groups()))


# ------------------------------------------------------------------ tables


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_true(name, picture):
    found = re.search(rf"^<!-- table: {name} -->\n((?:\|.*\n)+)", PAGE, re.M)
    assert found, f"the page has no table of {name}"
    head = "".join(found[1].splitlines(keepends=True)[:2])
    rows = ("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |\n"
            for row in TABLES[name]())
    picture(found.start(1), found[1], head + "".join(rows))


def test_the_page_names_all_dtypes():
    sentence = re.search(r"The dtypes are ([^.]+)\.", PAGE)[1]
    assert sorted(re.findall(r"`(\w+)`", sentence)) == sorted(DTYPES)


READS_AS = re.findall(r"`([^`]+)` reads as `([^`]+)`", PAGE)


@pytest.mark.parametrize("written, meant", READS_AS, ids=lambda text: text.replace(" ", ""))
def test_expressions_read_as_the_page_says(written, meant):
    """Wherever the page says that one text is another, both are the same tree."""
    trees = [parser.parse_expression(Source("expression", text)) for text in (written, meant)]
    assert trees[0] == trees[1]


def test_links_lead_somewhere():
    """Those within the page to a heading, others to a file."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S), re.M)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\(([^)]+)\)", PAGE):
        if target.startswith("#"):
            assert target.removeprefix("#") in anchors
        else:
            assert (README.parent / target).is_file(), target


# ------------------------------------------------------------------ these tests themselves


@pytest.mark.parametrize("text", [
    "y = relu(x)  # f32[B, 3, 32, 31]\n",
    "y = relu(x)  # error N201\n",
    "y = rely(x)\n",
])
def test_a_wrong_block_is_noticed(text, folder):
    with pytest.raises(AssertionError):
        test_networks_are_as_the_page_says(Block(("net", "body"), text), folder)


@pytest.mark.parametrize("shown, actual, tolerance, same", [
    ("a\n…\nd", "a\nb\nc\nd", 0, True),
    ("a\n…\nd", "a\nd", 0, True),
    ("a\n…\nd", "a\nb\nc", 0, False),
    ("a 1.5\n…", "a 1.5\nb 2.5\nc", 0, True),
    ("a 1.5\n…", "a 1.6\nb\nc", 0, False),
    ("1/2   ce 0.51   0.1 s", "1/2   ce 0.52   7.3 s", 0.05, True),
    ("1/2   ce 0.51   0.1 s", "1/2   ce 0.58   0.1 s", 0.05, False),
    ("1/2   ce 0.51", "1/2   ce 0.52", 0, False),
    ("$ a", "$ b", 0, False),
])
def test_outputs_are_compared(shown, actual, tolerance, same):
    assert alike(shown, actual, tolerance) == same
