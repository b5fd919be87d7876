"""Whatever text comes in, a graph or a refusal comes out: never a traceback, never a wait."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from building import picture
from netdsl.autodiff import differentiate
from netdsl.build.modules import load_module
from netdsl.build.training import check_targets
from netdsl.cli.check import build_all, described, lines
from netdsl.diagnostics import Problem, Refused, Report
from netdsl.diagnostics.render import render_json
from netdsl.ir.op import NotDefined
from netdsl.ir.verify import verify
from netdsl.rewrite.deduplicate import deduplicate
from netdsl.rewrite.phases import infer, train, validate
from netdsl.source import Source
from programs import programs

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TOURS = HERE / "tours"  # what the language has, in files that can be checked
TEXTS = [path.read_text("utf-8") for folder in (ROOT / "models", TOURS, HERE / "golden")
         for path in sorted(folder.glob("*.net"))]
TOKEN = re.compile(
    r"#[^\n]*|\s+|[A-Za-z_]\w*|\d+(?:\.\d+)?(?:e-?\d+)?|\"[^\"]*\"|->|\.\.\.?|//|\*\*|[<>=!]=|."
)
STRANGE = (
    "none", "true", "-1", "0", "1 / 3", "10 ** 400", "1e300", "_", "...", "?", "[]", "()", "B", "x",
    "\"a\"", "relu", "linear", "conv{3}", "H / 2", "x[_, 0]", "0..3", "f32", "i64", "zeros()",
    "sqrt(2)", "return x", "[[1]]", "(1, 2)", "when", "not", "x > 0", "image", "label", "self",
    "{", "}", "dropout(0.5)", "batchnorm{}", "if true then 1 else 2", "0.5", "c", "len", "M",
    "ema(f, decay = 0.9)", "frozen(f)", "state s: f32[2] = zeros()", "update { next s = s }",
    "every 2", "over rest", "std.Mlp{4, 4}", "randn([B])", "x.weight", "use std", "sample M { x }",
)
SECONDS = 2  # of the processor, for one text
MEGABYTES = 500


def tokens(text: str) -> list[str]:
    return TOKEN.findall(text)


POOL = sorted({token for text in TEXTS for token in tokens(text) if not token.isspace()
               and not token.startswith("#")}) + list(STRANGE)


@st.composite
def mutated(draw, texts: st.SearchStrategy = st.sampled_from(TEXTS)) -> str:
    """One of the texts with a few tokens exchanged, left out, doubled or swapped."""
    parts = tokens(draw(texts))
    words = [i for i, part in enumerate(parts) if not part.isspace() and not part.startswith("#")]
    for _ in range(draw(st.integers(1, 4))):
        i, j = draw(st.sampled_from(words)), draw(st.sampled_from(words))
        match draw(st.sampled_from(("exchange", "borrow", "drop", "double", "swap"))):
            case "exchange":
                parts[i] = draw(st.sampled_from(STRANGE))
            case "borrow":
                parts[i] = draw(st.sampled_from(POOL))
            case "drop":
                parts[i] = ""
            case "double":
                parts[i] += " " + parts[i]
            case "swap":
                parts[i], parts[j] = parts[j], parts[i]
    return "".join(parts)


def texts() -> st.SearchStrategy[str]:
    """Files with mistakes, programs, programs with mistakes, and words without any sense."""
    nonsense = st.lists(st.sampled_from(POOL), min_size=1, max_size=40).map(" ".join)
    return st.one_of(mutated(), mutated(), programs(), mutated(programs()), nonsense, st.text())


def checked(text: str) -> list[Problem]:
    """What `netdsl check` does with a text that lies among the tours; everything it tells."""
    report = Report()
    try:
        module = load_module(Source("test.net", text, TOURS / "test.net"), report)
        check_targets(module, report)
        built = build_all(module, None, {}, report)
        report.stop_on_errors()
    except Refused as refusal:
        assert any(problem.severity == "error" for problem in refusal.problems)
        return list(refusal.problems)
    json.dumps([described(each) for each in built])
    assert len(lines(built)) >= len(built)
    for each in built:
        examine(each.graph)
    return report.problems


def examine(graph) -> None:
    """What was built is whole, in every phase and with its gradients."""
    verify(graph)
    for phase in (infer, validate, train):
        verify(phase(graph))
    verify(deduplicate(graph))
    trained = train(graph)
    try:
        verify(differentiate(trained, trained.losses, trained.parameters))
    except NotDefined as absent:
        assert absent.reason


def check(text: str) -> bool:
    """Checks a text in its time, and shows every message; whether it is without errors."""
    began = time.process_time()
    problems = checked(text)
    if problems:
        assert picture(tuple(problems))
        json.dumps([render_json(problem.describe()) for problem in problems])
    assert time.process_time() - began < SECONDS
    return not any(problem.severity == "error" for problem in problems)


def quick(examples: int):
    return settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))


def test_what_is_mutated_is_sound():
    for text in TEXTS:
        check(text)


@pytest.mark.parametrize("path", sorted(TOURS.glob("*.net")), ids=lambda path: path.stem)
def test_a_tour_has_no_mistakes(path):
    assert not checked(path.read_text("utf-8"))


FOUND = {  # by these searches, each for something that was mended
    "a state that nothing reads": """
        model M { input x: f32[B, 3]  state s: f32[3] = 0  update { next s = mean(x, axis = 0) }
                  output x  loss l = mean(x) }""",
    "a copy of what nothing needs": """
        layer K(x) { y = x -> dead: linear{3}  return x -> fc: linear{3} }
        model M { input x: f32[B, 3]  f = K{}  g = ema(f, decay = 0.9)  output y = f(x)
                  loss l = mean(g(x)) }""",
    "a size that only another slice's input tells": """
        model M { input x: f32[B, 2]  input z: f32[2, 3]  output x  output y = reshape(z, [B, 3])
                  loss l = mean(y * B) }""",
    "a state that begins with a size": """
        model M { input x: f32[B, 3]  state s: f32[3] = B / 2  output y = x + s
                  update { next s = mean(x, axis = 0) } }""",
    "heads that do not divide": """
        model M { input x: f32[B, L, 4]  output y = attend(x, x, x, heads = 3) }""",
}


@pytest.mark.parametrize("text", FOUND.values(), ids=FOUND)
def test_what_was_found(text):
    check(text)


@given(mutated())
@quick(200)
def test_mutations(text):
    check(text)


def test_programs():
    """Enough of them are built, or the search would end at their first mistakes."""
    built = Counter()

    @given(programs())
    @quick(150)
    def search(text):
        built[check(text)] += 1

    search()
    assert built[True] > 30


@pytest.mark.slow
@given(texts())
@quick(10_000)
def test_very_many_texts_in_one_process(text):
    before = most_memory()
    check(text)
    assert most_memory() - before < MEGABYTES


def most_memory() -> float:
    """The most that this process has held at one time, in megabytes."""
    resource = pytest.importorskip("resource", reason="limits of POSIX")
    scale = 2**20 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


@pytest.mark.slow
def test_many_texts_through_the_command(tmp_path):
    """300 of them, each in a process of its own."""

    @given(texts())
    @quick(300)
    def search(text):
        if not is_writable(text):
            return
        path = tmp_path / "stranger.net"
        path.write_text(text, "utf-8")
        command = [sys.executable, "-m", "netdsl", "check", str(path), "--root", str(TOURS)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, timeout=60, env=environment)
        errors = done.stderr.decode("utf-8")
        assert done.returncode in (0, 1) and "Traceback" not in errors and "N999" not in errors
        assert done.returncode == 0 or re.match(r"(error|warning|note)\[N\d{3}\]: ", errors)

    search()


def is_writable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True
