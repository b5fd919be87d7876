"""The command as a process: what it loads, how it ends, what it does about pipes and terminals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import pytest

from commands import DIGITS, ROOT, netdsl, netdsl_json, start
from netdsl.weights import load_weights

HEAVY = ("onnx", "onnxruntime", "networkx", "rich", "PIL", "safetensors", "torch")
LOADED = """
import sys
from netdsl.cli import group
group.main(["check", sys.argv[1]], standalone_mode=False)
print(*sorted(module for module in sys.modules if "." not in module))
"""


def test_check_loads_nothing_heavy():
    done = subprocess.run([sys.executable, "-c", LOADED, DIGITS], capture_output=True, text=True,
                          check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    loaded = done.stdout.splitlines()[-1].split()
    assert "numpy" in loaded and "lark" in loaded
    assert not set(HEAVY) & set(loaded)


def test_help_names_every_verb():
    help = netdsl("--help").stdout
    for verb in ("check", "summary", "train", "evaluate", "predict", "compile", "fmt", "explain"):
        assert f"\n  {verb} " in help
        result = netdsl(verb, "--help")
        assert result.exit_code == 0
        assert f"netdsl {verb} " in result.stdout.split("Examples:")[1]


def test_version():
    import netdsl as package

    assert netdsl("--version").stdout == f"netdsl {package.__version__}\n"


@pytest.fixture
def fault(monkeypatch):
    def fail(*arguments):
        raise KeyError("a mistake\nof ours")

    monkeypatch.setattr("netdsl.cli.check.open_file", fail)


def test_a_fault_of_ours(fault):
    result = netdsl("check", DIGITS)
    assert (result.exit_code, result.stdout) == (70, "")
    assert "error[N999]: netdsl failed: KeyError" in result.stderr
    assert "please report it" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_fault_of_ours_as_json(fault):
    problem, = netdsl_json("check", DIGITS, code=70)["problems"]
    assert problem["code"] == "N999"


def test_a_fault_of_ours_for_those_who_mend_it(fault, monkeypatch):
    monkeypatch.setenv("NETDSL_DEBUG", "1")
    assert "Traceback (most recent call last)" in netdsl("check", DIGITS).stderr


def test_a_reader_who_leaves():
    process = start("explain")
    process.stdout.close()
    assert (process.wait(), process.stderr.read()) == (141, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [
    ("summary", DIGITS), ("summary", DIGITS, "--json"), ("check", "nowhere.net", "--json"),
    ("--help",),
])
def test_a_full_disk(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-m", "netdsl", *arguments], stdout=full, text=True,
                              stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert done.returncode == 1
    assert done.stderr.splitlines()[0].startswith(
        "error[N855]: cannot write to the standard output: ")
    assert "N999" not in done.stderr and "Exception" not in done.stderr


def test_a_terminal_without_the_signs():
    process = start("summary", DIGITS, encoding="latin-1", PYTHONIOENCODING="latin-1")
    output, errors = process.communicate()
    assert (process.returncode, errors) == (0, "")
    assert " ????????????" in output


@pytest.fixture
def heeds_interrupts():
    """Processes started now take Ctrl-C, also where these tests run in a shell's background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_stopped_by_hand(tmp_path, heeds_interrupts):
    out = tmp_path / "run"
    process = start("train", DIGITS, "--epochs", 10_000, "--out", out)
    for line in process.stdout:
        if line.strip().startswith("1/10000"):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert errors.startswith("note[N462]: training was stopped after ")
    assert f"--out {out} --resume" in errors
    assert (out / "checkpoint.safetensors").is_file()


STOPPED = """
import runpy, signal, sys
left = int(sys.argv.pop(1))
began = False

def count(frame, event, argument):
    global left, began
    left -= began
    code = frame.f_code
    began = began or code.co_name == "main" and code.co_filename.endswith("__main__.py")
    if left == 0:
        sys.setprofile(None)
        signal.raise_signal(signal.SIGINT)

sys.setprofile(count)
runpy.run_module("netdsl", run_name="__main__", alter_sys=True)
"""


def stopped_at(call: int, out: Path) -> tuple[int, str]:
    """Exit code and messages of a training in which Ctrl-C comes at one of Python's calls."""
    done = subprocess.run(
        [sys.executable, "-c", STOPPED, str(call), "train", DIGITS, "--epochs", "2",
         "--out", str(out)],
        capture_output=True, text=True, timeout=300, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    return done.returncode, done.stderr


def ends_well(call: int, folder: Path) -> bool:
    """Whether Ctrl-C at this call ends the training as it should; False behind its last call."""
    out = folder / f"call-{call}"
    code, errors = stopped_at(call, out)
    if code == 0:
        return False
    assert code == 130, errors
    assert len(errors.splitlines()) <= 4 and "stopped" in errors, errors
    promised = "are saved in" in errors
    checkpoint = out / "checkpoint.safetensors"
    if promised or checkpoint.exists():
        assert load_weights(checkpoint)
    return True


@pytest.mark.parametrize("call", [1, 1_000, 100_000, 400_000, 700_000, 1_000_000])
def test_stopped_at_any_moment(call, tmp_path, heeds_interrupts):
    assert ends_well(call, tmp_path)


@pytest.mark.slow
def test_stopped_at_every_moment(tmp_path, heeds_interrupts):
    call, step, stopped = 1, 4_999, 0
    while ends_well(call, tmp_path):
        call, stopped = call + step, stopped + 1
    assert stopped > 200


@pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals of POSIX")
@pytest.mark.parametrize("no_color, painted", [("", True), ("1", False)])
def test_colours_on_a_terminal(no_color, painted):
    shown = on_terminal("check", "nowhere.net", NO_COLOR=no_color)
    assert b"cannot read `nowhere.net`" in shown
    assert (b"\x1b[1;31merror" in shown) == painted


def on_terminal(*arguments: str, **environment: str) -> bytes:
    """What a command writes to a pseudo-terminal."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "netdsl", *arguments], stdout=theirs, stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", **environment},
    )
    os.close(theirs)
    shown, began = b"", monotonic()
    while monotonic() - began < 30:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # Linux: the other side is closed
            break
        if not piece:
            break
        shown += piece
        sleep(0.01)
    process.wait()
    os.close(ours)
    return shown
