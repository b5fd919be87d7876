"""Weights written and read back, in both formats, whatever their names; never half a file."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import threading

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from netdsl.diagnostics import Refused
from netdsl.ir.graph import Initializer, Value, Variable
from netdsl.ir.tensor import TensorType
from netdsl.weights import load_weights, read_metadata, save_weights

FORMATS = (".safetensors", ".npz")
over_formats = pytest.mark.parametrize("suffix", FORMATS)

ARRAYS = {
    "fc.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "half": np.array([1.5, -2], np.float16),
    "double": np.array([[np.pi]]),
    "count": np.array(7, np.int64),
    "small": np.array([-1, 2], np.int32),
    "key": np.array([2**63, 1], np.uint64),
    "mask": np.array([True, False]),
    "empty": np.zeros((0, 4), np.float32),
    "special": np.array([np.nan, np.inf, -0.0], np.float32),
}
NAMES = ("file", "../../x", "/etc/passwd", "a\\b", "it's", 'a"b', "a\nb", "имя", "metadata.json",
         "x.npy", "", " ", "__class__", "x" * 5_000)


def codes(refused) -> list[str]:
    return [problem.code for problem in refused.value.problems]


@over_formats
def test_what_is_saved_is_loaded(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    texts = {"epoch": "3", "source": 'net 1\n"ü"'}
    save_weights(path, ARRAYS, texts)
    loaded = load_weights(path)
    assert set(loaded) == set(ARRAYS)
    for name, array in ARRAYS.items():
        assert loaded[name].dtype == array.dtype and loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()
    assert read_metadata(path) == texts
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@over_formats
def test_saving_is_repeatable_and_reads_elsewhere(suffix, tmp_path):
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for path in (first, second):
        save_weights(path, ARRAYS, {"epoch": "3"})  # safetensors puts several in random order
    assert first.read_bytes() == second.read_bytes()
    foreign = load_file(first) if suffix == ".safetensors" else np.load(first)
    np.testing.assert_array_equal(foreign["fc.weight"], ARRAYS["fc.weight"])
    assert os.stat(first).st_mode & 0o777 == 0o666 & ~umask()
    first.chmod(0o600)
    save_weights(first, ARRAYS)
    assert os.stat(first).st_mode & 0o777 == 0o600


def umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@over_formats
def test_arrays_of_any_layout_are_saved(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    grid = np.arange(12, dtype=np.float32).reshape(3, 4)
    odd = {"turned": grid.T, "stepped": grid[::2, ::-1], "big": grid.astype(">f4"),
           "number": np.float32(3), "list": [1, 2]}
    save_weights(path, odd)
    for name, array in load_weights(path).items():
        np.testing.assert_array_equal(array, odd[name])
        assert array.dtype.isnative and array.flags.c_contiguous and array.flags.writeable


@over_formats
def test_names_are_only_names(suffix, tmp_path):
    path = tmp_path / "inner" / f"w{suffix}"
    path.parent.mkdir()
    weights = {name: np.full(2, i, np.float32) for i, name in enumerate(NAMES)}
    save_weights(path, weights)
    loaded = load_weights(path)
    assert set(loaded) == set(NAMES)
    for name in NAMES:
        np.testing.assert_array_equal(loaded[name], weights[name])
    assert [entry.name for entry in tmp_path.iterdir()] == ["inner"]


@pytest.mark.parametrize(("suffix", "name", "array"), [
    (".safetensors", "__metadata__", np.zeros(1)),
    (".npz", "nul\0", np.zeros(1)),
    (".npz", "x" * 70_000, np.zeros(1)),
    *((suffix, name, array) for suffix in FORMATS for name, array in (
        ("\ud800", np.zeros(1)), ("o", np.array([{}])), ("c", np.zeros(1, complex)),
        ("s", np.array(["a"])), ("b", np.zeros(1, np.uint8)),
    )),
], ids=lambda case: repr(case)[:20])
def test_what_cannot_be_stored_is_refused(suffix, name, array, tmp_path):
    path = tmp_path / f"w{suffix}"
    path.write_text("old")
    with pytest.raises(Refused) as refused:
        save_weights(path, {name: array})
    assert codes(refused) == ["N605"]
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_bfloat16_is_widened(tmp_path):
    path = tmp_path / "w.safetensors"
    numbers = np.array([[1.5, -2.0, 0.0], [np.inf, 3e38, 1e-38]], np.float32)
    halves = (numbers.view(np.uint32) >> 16).astype("<u2")
    header = json.dumps({
        "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
        "b": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [4, 16]},
    }).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0" * 4 + halves.tobytes())
    loaded = load_weights(path)["b"]
    assert loaded.dtype == np.float32
    np.testing.assert_array_equal(loaded, (halves.astype(np.uint32) << 16).view(np.float32))


def test_bfloat16_is_kept_where_it_is_expected(tmp_path):
    path = tmp_path / "w.safetensors"
    array = np.array([1.5, -2.0, 3e38], np.float32).astype(ml_dtypes.bfloat16)
    save_weights(path, {"a": array})
    for dtype in ("bf16", "f32"):
        type = TensorType(dtype, (3,))
        expected = {"a": Variable("a", "parameter", Value(type), Initializer("zeros"))}
        loaded = load_weights(path, expected)["a"]
        assert loaded.dtype == type.numpy_dtype
        np.testing.assert_array_equal(loaded.astype(np.float32), array.astype(np.float32))
    with pytest.raises(Refused) as refused:
        save_weights(tmp_path / "w.npz", {"a": array})
    assert codes(refused) == ["N605"]


@over_formats
def test_types_are_compared_before_arrays_are_read(suffix, tmp_path, monkeypatch):
    path = tmp_path / f"w{suffix}"
    save_weights(path, {"a": np.zeros((2, 3), np.float32)})
    right, wrong = (
        {"a": Variable("a", "parameter", Value(TensorType("f32", shape)), Initializer("zeros"))}
        for shape in ((2, 3), (3, 2))
    )
    assert load_weights(path, right)["a"].shape == (2, 3)
    monkeypatch.setattr(np, "frombuffer", None)
    monkeypatch.setattr(np.lib.format, "read_array", None)
    with pytest.raises(Refused) as refused:
        load_weights(path, wrong)
    assert codes(refused) == ["N608"]


# ------------------------------------------------------------------ places


@pytest.mark.parametrize("path", ("w", "w.pth", "w.npz.zip", ".npz", "", ".."))
def test_formats_are_told_by_the_name(path, tmp_path):
    for use in (load_weights, read_metadata, lambda path: save_weights(path, {})):
        with pytest.raises(Refused) as refused:
            use(tmp_path / path)
        assert codes(refused) == ["N601"]


def test_suffixes_may_be_capitals(tmp_path):
    save_weights(tmp_path / "W.NPZ", ARRAYS)
    assert set(load_weights(tmp_path / "W.NPZ")) == set(ARRAYS)


@over_formats
def test_only_ordinary_files_are_read(suffix, tmp_path):
    (tmp_path / f"folder{suffix}").mkdir()
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"device{suffix}").symlink_to("/dev/zero")
    (tmp_path / f"loop{suffix}").symlink_to(tmp_path / f"loop{suffix}")
    for name in ("none", "folder", "pipe", "device", "loop", "nul\0", "x" * 300):
        for use in (load_weights, read_metadata):
            with pytest.raises(Refused) as refused:
                use(tmp_path / f"{name}{suffix}")
            assert codes(refused) == ["N602"]


@over_formats
def test_places_that_cannot_be_written(suffix, tmp_path):
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"device{suffix}").symlink_to("/dev/full")
    for name in ("missing/w", "folder", "device", "nul\0", "x" * 300):
        with pytest.raises(Refused) as refused:
            save_weights(tmp_path / f"{name}{suffix}", ARRAYS)
        assert codes(refused) == ["N603"]
    assert len(list(tmp_path.iterdir())) == 2


@over_formats
def test_a_full_disk_leaves_the_old_file(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    save_weights(path, {"a": np.zeros(10, np.float32)})
    script = (
        "import resource, signal, sys, numpy as np\n"
        "from netdsl.diagnostics import Refused\n"
        "from netdsl.weights import save_weights\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try:\n"
        "    save_weights(sys.argv[1], {'a': np.ones(10**6, np.float32)})\n"
        "except Refused as refused:\n"
        "    print(refused.problems[0].code)\n"
    )
    done = python(script, path)
    assert (done.returncode, done.stdout.strip()) == (0, "N603"), done.stderr
    np.testing.assert_array_equal(load_weights(path)["a"], np.zeros(10))
    assert len(list(tmp_path.iterdir())) == 1


# ------------------------------------------------------------------ killed, and two at once

KILLED = """
import os, signal, sys
import numpy as np
from netdsl.weights import save_weights

def killed(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(os, sys.argv[2], killed)
save_weights(sys.argv[1], {"a": np.ones(10**5, np.float32)})
"""


@over_formats
@pytest.mark.parametrize("moment", ("fsync", "replace"))
def test_killed_while_saving_the_old_file_is_whole(suffix, moment, tmp_path):
    path = tmp_path / f"w{suffix}"
    save_weights(path, {"a": np.zeros(10, np.float32)})
    assert python(KILLED, path, moment).returncode == -9
    np.testing.assert_array_equal(load_weights(path)["a"], np.zeros(10))
    save_weights(path, {"a": np.ones(5, np.float32)})
    np.testing.assert_array_equal(load_weights(path)["a"], np.ones(5))


def python(script: str, *arguments) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


@over_formats
def test_two_writers_and_a_reader(suffix, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # slow, and no matter here
    path = tmp_path / f"w{suffix}"
    save_weights(path, {"a": np.zeros(1000, np.float32)})

    def write(number: int) -> None:
        for _ in range(4):
            save_weights(path, {"a": np.full(1000, number, np.float32)})

    writers = [threading.Thread(target=write, args=(number,)) for number in (1, 2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert len(set(load_weights(path)["a"])) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@over_formats
def test_a_file_may_be_read_and_replaced_by_itself(suffix, tmp_path):
    path = tmp_path / f"w{suffix}"
    save_weights(path, ARRAYS)
    before = path.read_bytes()
    order = dict.fromkeys(ARRAYS)
    save_weights(path, order | load_weights(path))
    assert path.read_bytes() == before
