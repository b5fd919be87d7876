"""Strangers' files through the real command: an answer soon, in little memory, with a place.

Every case runs `netdsl check` as a process with bounds on its memory and time. It succeeds or ends
with messages of its own; a traceback, N999, a signal or a wait fails.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

resource = pytest.importorskip("resource", reason="limits of POSIX")

ROOT = Path(__file__).parents[1]
MEGABYTE = 2**20
ADDRESS_SPACE = 3 * 2**30  # libraries take a part of it that is never touched
MESSAGE = re.compile(r"^(error|warning|note)\[N\d{3}\]: \S", re.MULTILINE)
PLACE = re.compile(r"^ *--> \S.*:\d+:\d+$", re.MULTILINE)


@dataclass(frozen=True)
class Answer:
    code: int
    output: str
    errors: str
    seconds: float  # of the processor
    megabytes: float  # at most, at one time


def check(path: Path | str, *arguments: str, where: Path | None = None) -> Answer:
    """`netdsl check` as a process of its own, and what it took."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (120, 120))

    command = [sys.executable, "-m", "netdsl", "check", str(path), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(command, stdout=output, stderr=errors, preexec_fn=limited,
                                   cwd=where, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for file in (output, errors):
            file.seek(0)
            texts.append(file.read().decode("utf-8", "replace"))
    seconds = usage.ru_utime + usage.ru_stime
    scale = MEGABYTE if sys.platform == "darwin" else 1024
    # a process begins with the peak of the one that made it: below that there is nothing to see
    begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = usage.ru_maxrss / scale if usage.ru_maxrss > begun else 0.0
    return Answer(process.returncode, *texts, seconds, peak)


def sound(answer: Answer, place: bool = True) -> Answer:
    """The answer, if it is success or a message of ours that points at a place."""
    assert answer.code in (0, 1), answer
    assert "Traceback" not in answer.errors and "N999" not in answer.errors, answer.errors
    if answer.code == 1:
        assert MESSAGE.match(answer.errors), answer.errors
        assert not place or PLACE.search(answer.errors), answer.errors
    assert len(answer.output) + len(answer.errors) < 200_000
    return answer


def model(body: str, before: str = "", x: str = "f32[B, 3]") -> str:
    return f"net 1\n{before}\nmodel M {{\n    input x: {x}\n{body}\n}}\n"


IMAGE = "f32[B, 4, 8, 8]"
MANY = 100_000
FINE, REFUSED = 0, 1

# ------------------------------------------------------------------ texts under 64 kB

QUICK: dict[str, tuple[str | bytes, int]] = {
    "brackets": ("let a = " + "(" * 30_000 + "1" + ")" * 30_000, REFUSED),
    "brackets left open": (model("y = " + "(" * 60_000), REFUSED),
    "a loop of 10^9": (model("for (i in 0..10 ** 9) { x = relu(x) }\noutput x"), REFUSED),
    "loops in loops": (model("for (a in 0..1000) { for (b in 0..1000) { for (c in 0..1000) "
                             "{ for (d in 0..1000) { n = d } } } }\noutput x"), REFUSED),
    "doubling": (model("xs = [1]\n" + "xs = xs + xs\n" * 40 + "output y = x * len(xs)"), REFUSED),
    "a layer in itself": (model("output y = x -> a: A{}",
                                "layer A(x) { return x -> a: A{} }"), REFUSED),
    "a tower of powers": (model("output y = x + 9 ** 9 ** 9"), REFUSED),
    "not UTF-8": (b"let a = 1 # \xff\xfe\n", REFUSED),
    "a null": ("let a = 1\0", REFUSED),
    "an unclosed string": ('let a = "' + "x" * 60_000, REFUSED),
    "an attribute of Python's": (model("output y = x.__class__.__mro__"), REFUSED),
    "a pattern of Python's": (
        model('assert false else "{0.__class__} {x.__init__.__globals__} {x!r:>9999999}"\n'
              'output x'),
        REFUSED),
    "only comments": ("# nothing\n" * 1000, FINE),
    "very many models": ("".join(f"model M{i} {{ input x: f32[B] output x }}\n"
                                 for i in range(1300)), FINE),
}  # fmt: skip

SMALL: dict[str, tuple[str | bytes, int]] = {
    "blocks": ("layer L(x) {" + "if (true) {" * 5_000 + "}" * 5_001, REFUSED),
    "signs": ("let a = " + "-" * 60_000 + "1", REFUSED),
    "conditions": ("let a = " + "if true then 1 else " * 3_000 + "1", REFUSED),
    "members": (model("output y = x" + ".a" * 30_000), REFUSED),
    "no turn": (model("for (i in 0..0) { x = relu(x) }\noutput x"), FINE),
    "turns below none": (model("for (i in 0..-1) { x = relu(x) }\noutput x"), FINE),
    "a loop over a number": (model("for (i in 10) { x = relu(x) }\noutput x"), REFUSED),
    "layers in each other": (model("output y = x -> a: A{}",
                                   "layer A(x) { return x -> c: C{} }\n"
                                   "layer C(x) { return x -> a: A{} }"), REFUSED),
    "doubling layers": (model("output y = x -> a: L40{}", "layer L0(x) { return x }\n" + "\n".join(
        f"layer L{i}(x) {{ a = L{i - 1}{{}} return a(a(x)) }}" for i in range(1, 41))), REFUSED),
    "lets in a circle": (model("output y = x * a", "let a = b\nlet b = a"), REFUSED),
    "lets before they are made": (model("output y = x * a", "let a = b\nlet b = 1"), REFUSED),
    "presets in a circle": ("model A = C{}\nmodel C = A{}\n", REFUSED),
    "a size of 10^18": (model("output y = x -> f: linear{10 ** 18}"), REFUSED),
    "an input of 10^18": (model("output x", x="f32[B, 10 ** 18]"), REFUSED),
    "a product over 2^63": (model("output x", x="f32[B, 2 ** 40, 2 ** 40]"), REFUSED),
    "a size of 0": (model("output y = x -> f: linear{0}"), REFUSED),
    "a negative size": (model("output y = x -> f: linear{-3}"), REFUSED),
    "a size of 1e400": (model("output y = x -> f: linear{1e400}"), REFUSED),
    "a size that is infinite": (model("output y = x -> f: linear{exp(1000)}"), REFUSED),
    "a size that is no number": (model("output y = x -> f: linear{nan}"), REFUSED),
    "a size of two and a half": (model("output y = x -> f: linear{2.5}"), REFUSED),
    "a kernel over the input": (model("output y = x -> c: conv{8, k = 9}", x=IMAGE), REFUSED),
    "a stride of 0": (model("output y = x -> c: conv{8, stride = 0}", x=IMAGE), REFUSED),
    "a dilation of 0": (model("output y = x -> c: conv{8, dilation = 0}", x=IMAGE), REFUSED),
    "0 groups": (model("output y = x -> c: conv{8, groups = 0}", x=IMAGE), REFUSED),
    "groups that do not divide": (
        model("output y = x -> c: conv{8, groups = 3}", x=IMAGE), REFUSED),
    "pooling to nothing": (model("output y = x -> maxpool(9)", x=IMAGE), REFUSED),
    "a pad of 10^18": (model("output y = x -> maxpool(2, pad = 10 ** 18)", x=IMAGE), REFUSED),
    "5,000 digits": (f"let a = {'7' * 5_000}", REFUSED),
    "digits of other scripts": ("let a = १२३", REFUSED),
    "letters that look alike": ("let а = 1", REFUSED),
    "letters that are mathematics": ("let ℌ = 1", REFUSED),
    "a mark that turns text": ('let a = "\u202e"', REFUSED),
    "a byte order mark": ("\ufeff" + model("output x"), FINE),
    "a byte order mark within": ("let a\ufeff = 1", REFUSED),
    "carriage returns alone": (model("output x").replace("\n", "\r"), REFUSED),
    "carriage returns": (model("output x").replace("\n", "\r\n"), FINE),
    "an escape that there is not": (r'let a = "\x41"', REFUSED),
    "half a character": (b"# \xc3", REFUSED),
    "a surrogate": (b"# \xed\xa0\x80", REFUSED),
    "dunders": (model("output y = x * __class__ * __import__",
                      "let __class__ = 1\nlet __import__ = 2"), FINE),
    "self": (model("output y = x * self", "let self = 1"), FINE),
    "keywords of Python": (model("output y = x * lambda_ + yield",
                                 "let lambda_ = 1\nlet yield = 2"),
                           FINE),
    "an attribute called as Python's": (
        model("output y = x -> f: linear{3, __class__ = 3}"), REFUSED),
    "a format of Python's": (model('assert false else "{x:{x}}{"\noutput x'), REFUSED),
    "one name twice": ("let a = 1\nlet a = 2", REFUSED),
    "a word hidden": (model("output y = x * relu", "let relu = 1"), FINE),
    "a name before it is bound": (model("output y = z\nz = x"), REFUSED),
    "dead layers": (model("y = x -> f: linear{3}\noutput x"), FINE),
    "an unused input": (model("input z: f32[B]\noutput x"), REFUSED),
    "two inputs of one name": (model("input x: f32[B, 3]\noutput x"), REFUSED),
    "no loss": (model("output x") + "train M { minimize l with sgd(lr = 0.1) }", REFUSED),
    "two losses": (model("output y = x -> f: linear{3}\nloss a = mean(y)\nloss b = mean(y ** 2)")
                   + "train M { minimize a with sgd(lr = 0.1) minimize b with sgd(lr = 0.1) }",
                   REFUSED),
    "nothing": ("", FINE),
    "only spaces": (" \n\t\n" * 1000, FINE),
    "a name of 10,000 letters": (model(f"output {'a' * 10_000} = x"), REFUSED),
    "names of 200 letters in layers": (
        model("output y = x -> t: L60{}", "layer L0(x) { " + "a" * 200
              + ": for (i in 0..20000) { x = x -> linear{3} } return x }\n" + "\n".join(
                  f"layer L{i}(x) {{ return x -> {'b' * 200}: L{i - 1}{{}} }}"
                  for i in range(1, 61))), REFUSED),
    "very many presets that work hard": (
        "model M{n = 1} { input x: f32[B, 3] for (i in 0..20000) { n = n + i } output y = x * n }\n"
        + "".join(f"model P{i} = M{{{i}}}\n" for i in range(3000)), REFUSED),
    "very many programs": (
        model("output y = x -> f: linear{3}\nloss l = mean(y)") + "".join(
            f"train t{i}: M {{ minimize l with sgd(lr = 0.1) }}\n" for i in range(1200)), REFUSED),
    "very many settings": (
        model("output y = x -> f: linear{3}\nloss l = mean(y)") + "train M { "
        + "".join(f"s{i} {i}\n" for i in range(5000)) + "}", REFUSED),
    "very many dead layers": (
        model("".join(f"y{i} = x -> l{i}: linear{{3}}\n" for i in range(1800)) + "output x"), FINE),
    "words without sense": ("x " * 30_000, REFUSED),
    "quotes": ('"' * 60_000, REFUSED),
    "very many inputs": ("model M {" + "".join(f"input x{i}: f32[B{i}, 3]\n" for i in range(2200))
                         + "output x0 }", REFUSED),
}  # fmt: skip

# ------------------------------------------------------------------ long texts and long chains

LAYERS = "".join(f"-> l{i}: linear{{3}}\n" for i in range(MANY))
LONG: dict[str, tuple[str | bytes, int, float, float]] = {  # with seconds and megabytes
    "1 + 1 + …": (model("n = 1" + " + 1" * MANY + "\noutput y = x * n"), FINE, 10, 500),
    "B + B + …": (model("n = B" + " + B" * MANY + "\noutput y = x * n"), FINE, 10, 500),
    "x + x + …": (model("output y = x" + " + x" * MANY), FINE, 10, 500),
    "x + 1 + …": (model("output y = x" + " + 1" * MANY), FINE, 10, 500),
    "true and true and …": (
        model("output y = x -> relu when true" + " and true" * MANY), FINE, 10, 500),
    "x -> relu -> …": (model("output y = x" + " -> relu" * MANY), FINE, 20, 1500),
    "x = x -> relu": (model("x = x -> relu\n" * MANY + "output x"), FINE, 20, 1500),
    "a loop of relu": (
        model(f"for (i in 0..{MANY}) {{ x = x -> relu }}\noutput x"), FINE, 20, 1500),
    "a loop of linear": (model(f"l: for (i in 0..{MANY}) {{ x = x -> linear{{3}} }}\noutput x"),
                         FINE, 20, 1500),
    "x -> linear -> …": (model(f"output y = x\n{LAYERS}"), FINE, 20, 1500),
    "a list of 10,000": (model("xs = [" + "1, " * 10_000 + "]\noutput y = x * len(xs)"),
                         FINE, 5, 500),
    "brackets": ("let a = " + "(" * MANY + "1" + ")" * MANY, REFUSED, 10, 500),
    "blocks": ("layer L(x) {" + "if (true) {" * MANY + "}" * (MANY + 1), REFUSED, 10, 800),
    "a line of 10 MB": ("let a = " + "1 + " * 2_500_000 + "1", REFUSED, 10, 500),
    "a comment of 100 MB": ("#" * 100_000_000, REFUSED, 10, 500),
    "a comment of 4 MB": ("#" * 4_000_000 + "\n" + model("output x"), FINE, 10, 500),
    "a string of 3 MB": (
        model(f'assert false else "{"x" * 3_000_000}"\noutput x'), REFUSED, 10, 500),
    "an unclosed string of 4 MB": ('let a = "' + "x" * 4_000_000, REFUSED, 10, 500),
    "presets": ("model M{n = 1} { input x: f32[B, 3] output y = x * n }\n"
                + "".join(f"model P{i} = M{{{i}}}\n" for i in range(MANY)), REFUSED, 60, 500),
    "unknown names": (model("".join(f"y{i} = z{i}\n" for i in range(MANY)) + "output x"),
                      REFUSED, 20, 1000),
}  # fmt: skip


def run(tmp_path: Path, text: str | bytes) -> Answer:
    path = tmp_path / "stranger.net"
    path.write_bytes(text.encode("utf-8") if isinstance(text, str) else text)
    return check(path.name, where=tmp_path)


def within(answer: Answer, code: int, seconds: float, megabytes: float, place: bool = True) -> None:
    assert sound(answer, place).code == code, answer
    assert answer.seconds <= seconds and answer.megabytes <= megabytes, answer


@pytest.mark.parametrize("text, code", QUICK.values(), ids=QUICK)
def test_texts(text, code, tmp_path):
    within(run(tmp_path, text), code, seconds=4, megabytes=500)


@pytest.mark.slow
@pytest.mark.parametrize("text, code", SMALL.values(), ids=SMALL)
def test_more_texts(text, code, tmp_path):
    assert len(text.encode() if isinstance(text, str) else text) < 64_000
    within(run(tmp_path, text), code, seconds=20, megabytes=500)


@pytest.mark.slow
@pytest.mark.parametrize("text, code, seconds, megabytes", LONG.values(), ids=LONG)
def test_long_texts(text, code, seconds, megabytes, tmp_path):
    within(run(tmp_path, text), code, seconds, megabytes, place=len(text) < 2**22)


# ------------------------------------------------------------------ imports

SECRET = "layer Block(x) { return x }  # SECRET\n"
MAIN = 'use "{}" as blk\nmodel M {{ input x: f32[B, 3]  output y = x -> b: blk.Block{{}} }}\n'
FORBIDDEN = {
    "above": "../secret.net", "far above": "../../../etc/passwd", "absolute": "/etc/passwd",
    "an absolute path of ours": "/etc/passwd.net", "home": "~/secret.net",
    "an address": "https://example.org/blocks.net", "a file of an address": "file:///etc/passwd",
    "a link out": "./link.net", "a linked folder": "./linked/secret.net",
    "a link to a link": "./links/link.net", "a circle of links": "./circle.net",
    "a device": "./zero.net", "a device by its path": "/dev/zero", "a pipe": "./pipe.net",
    "a folder": "./folder.net", "nothing": "", "another ending": "./secret.txt",
    "a null": "./blocks\\u0000.net", "what is not there": "./nowhere.net",
}  # fmt: skip


@pytest.fixture
def folders(tmp_path) -> Path:
    """A folder with all kinds of things in it that may not be imported, beside a secret file."""
    (tmp_path / "secret.net").write_text(SECRET)
    root = tmp_path / "root"
    (root / "folder.net").mkdir(parents=True)
    (root / "links").mkdir()
    (root / "secret.txt").write_text(SECRET)
    (root / "link.net").symlink_to("../secret.net")
    (root / "links" / "link.net").symlink_to("../link.net")
    (root / "linked").symlink_to(tmp_path)
    (root / "circle.net").symlink_to("circle.net")
    (root / "zero.net").symlink_to("/dev/zero")
    os.mkfifo(root / "pipe.net")
    return root


def imported(root: Path, path: str, *arguments: str) -> Answer:
    (root / "main.net").write_text(MAIN.format(path))
    answer = sound(check("main.net", *arguments, where=root))
    assert "SECRET" not in answer.errors and "root:" not in answer.errors
    assert answer.seconds < 5 and answer.megabytes < 500
    return answer


@pytest.mark.parametrize("kind", ["above", "a linked folder", "a device", "a pipe"])
def test_imports_that_are_refused(kind, folders):
    assert imported(folders, FORBIDDEN[kind]).code == REFUSED


@pytest.mark.slow
@pytest.mark.parametrize("path", FORBIDDEN.values(), ids=FORBIDDEN)
def test_more_imports_that_are_refused(path, folders):
    assert imported(folders, path).code == REFUSED


def test_a_wider_root(folders):
    """`--root` lets imports reach further, and not a step beyond it."""
    outside = folders.parent / "other"
    outside.mkdir()
    (outside / "blocks.net").write_text('use "../secret.net" as s\n' + SECRET)
    answer = imported(folders, "../other/blocks.net", "--root", str(outside))
    assert answer.code == REFUSED and "`../secret.net` cannot be used" in answer.errors
    (outside / "blocks.net").write_text(SECRET)
    assert "`--root FOLDER`" in imported(folders, "../other/blocks.net").errors
    assert imported(folders, "../other/blocks.net", "--root", str(outside)).code == FINE
    assert imported(folders, "../other/blocks.net", "--root", str(folders.parent)).code == FINE
    assert imported(folders, "./link.net", "--root", str(folders.parent)).code == FINE


@pytest.mark.slow
def test_a_hard_link_is_a_file_of_its_folder(folders):
    """Nothing tells the names of one file apart, and packages are installed by hard links."""
    try:
        os.link(folders.parent / "secret.net", folders / "hard.net")
    except OSError:
        pytest.skip("this file system has no hard links")
    assert imported(folders, "./hard.net").code == FINE


@pytest.mark.slow
def test_a_file_of_10_GB(folders):
    with open(folders / "huge.net", "wb") as file:
        file.truncate(10 * 2**30)
    assert imported(folders, "./huge.net").code == REFUSED
    within(check("huge.net", where=folders), REFUSED, 5, 500, place=False)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file(folders):
    (folders / "locked.net").write_text(SECRET)
    (folders / "locked.net").chmod(0)
    assert imported(folders, "./locked.net").code == REFUSED


@pytest.mark.slow
@pytest.mark.parametrize("name", ["/dev/zero", "pipe.net", "folder.net", "circle.net",
                                  "nowhere.net",
                                  "/proc/self/mem", "a" * 5000, "main.net/x", "-", "\x1b[31m"])
def test_what_the_command_line_names(name, folders):
    within(check(name, where=folders), REFUSED, 5, 500, place=False)


@pytest.mark.slow
def test_files_in_a_circle(folders):
    (folders / "a.net").write_text('use "./main.net" as m\n' + SECRET)
    assert imported(folders, "./a.net").code == REFUSED


@pytest.mark.slow
def test_files_that_double(folders):
    """40 layers of files, each of which uses the next one twice."""
    for i in range(40):
        (folders / f"f{i}.net").write_text(
            f'use "./f{i + 1}.net" as a\nuse "./f{i + 1}.net" as b\nlet Block = a.Block\n')
    (folders / "f40.net").write_text(SECRET)
    assert imported(folders, "./f0.net").code == FINE


@pytest.mark.slow
def test_a_chain_of_10_000_files(folders):
    for i in range(10_000):
        (folders / f"f{i}.net").write_text(f'use "./f{i + 1}.net" as next_\n')
    assert imported(folders, "./f0.net").code == REFUSED


@pytest.mark.slow
def test_very_many_files_that_work_hard(folders):
    uses = []
    for i in range(150):
        (folders / f"f{i}.net").write_text("let a = 1" + " + 1" * 100_000)
        uses.append(f'use "./f{i}.net" as f{i}\n')
    (folders / "main.net").write_text("".join(uses) + model("output x"))
    within(check("main.net", where=folders), REFUSED, 120, 1000)
