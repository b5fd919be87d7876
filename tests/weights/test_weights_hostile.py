"""Files that are damaged or mean harm: one of our errors, in bounded time and memory."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from netdsl.diagnostics import Refused
from netdsl.weights import load_weights, read_metadata, save_weights

SMALL = {"a.weight": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(True)}


def outcome(path: Path) -> str:
    """The code of the problem, or "read"; anything else that is raised fails the test."""
    try:
        load_weights(path)
        read_metadata(path)
    except Refused as refused:
        assert str(refused)
        return refused.problems[0].code
    return "read"


@pytest.fixture(params=(".safetensors", ".npz"))
def intact(request, tmp_path) -> Path:
    path = tmp_path / f"w{request.param}"
    save_weights(path, SMALL, {"epoch": "3"})
    return path


def test_cut_anywhere_it_is_unreadable(intact):
    content = intact.read_bytes()
    for length in range(len(content)):
        intact.write_bytes(content[:length])
        assert outcome(intact) == "N602", length


def test_any_flipped_bit_is_survived(intact):
    content = intact.read_bytes()
    seen = set()
    for at in range(len(content)):
        for bit in (0x01, 0x80, 0xFF):
            changed = bytearray(content)
            changed[at] ^= bit
            intact.write_bytes(changed)
            seen.add(outcome(intact))
    assert seen <= {"read", "N602", "N604"} and "N602" in seen


def test_text_behind_the_end_is_refused_or_ignored(intact):
    intact.write_bytes(intact.read_bytes() + b"more")
    assert outcome(intact) in ("N602", "read")


# ------------------------------------------------------------------ made on purpose


def safetensors(header: dict | bytes, data: bytes = b"", length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


def entry(*offsets: int, dtype: str = "F32", shape: list | None = None) -> dict:
    return {"dtype": dtype, "shape": [1] if shape is None else shape, "data_offsets": offsets}


def npy(shape: str = "(2,)", descr: str = "'<f4'", data: bytes = bytes(8), version: int = 1,
        header: str | None = None) -> bytes:
    text = header or f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack("<H", len(text)) + text.encode() + data


def npz(*members: tuple[str, bytes], packed: bool = False) -> bytes:
    file = io.BytesIO()
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return file.getvalue()


def marked(path: str) -> bytes:
    """A pickle that makes a file when it is opened."""

    class Touch:
        def __reduce__(self):
            return open, (path, "w")

    return pickle.dumps(Touch())


def encrypted() -> bytes:
    content = bytearray(npz(("a.npy", npy())))
    for signature, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(signature) + flags] |= 1
    return bytes(content)


MANY = 90 << 20  # bytes; zeros deflate to a thousandth

CASES: list[tuple[str, str, Callable[[], bytes]]] = [
    ("header of 2^63", "safetensors", lambda: safetensors(b"{}", length=2**63)),
    ("header of 10^9", "safetensors", lambda: safetensors(b"{}", length=10**9)),
    ("no JSON", "safetensors", lambda: safetensors(b"pickle me")),
    ("deep JSON", "safetensors", lambda: safetensors(b"[" * 10**6)),
    ("a list", "safetensors", lambda: safetensors(b"[]")),
    ("overlap", "safetensors",
     lambda: safetensors({"a": entry(0, 4), "b": entry(2, 6)}, bytes(6))),
    ("hole", "safetensors", lambda: safetensors({"a": entry(0, 4), "b": entry(8, 12)}, bytes(12))),
    ("backwards", "safetensors", lambda: safetensors({"a": entry(4, 0)}, bytes(4))),
    ("too much data", "safetensors", lambda: safetensors({"a": entry(0, 4)}, bytes(9))),
    ("shape of 2^62 · 4", "safetensors",
     lambda: safetensors({"a": entry(0, 4, shape=[2**62, 4])}, bytes(4))),
    ("negative size", "safetensors",
     lambda: safetensors({"a": entry(0, 4, shape=[-1])}, bytes(4))),
    ("unknown dtype", "safetensors",
     lambda: safetensors({"a": entry(0, 4, dtype="OBJECT")}, bytes(4))),
    ("dtype NumPy lacks", "safetensors",
     lambda: safetensors({"a": entry(0, 1, dtype="F8_E4M3")}, bytes(1))),
    ("numbers as texts", "safetensors", lambda: safetensors({"__metadata__": {"a": 1}})),
    ("two of a name", "safetensors", lambda: safetensors(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}', bytes(8))),
    ("no zip", "npz", lambda: b"PK" + bytes(100)),
    ("a bare array", "npz", npy),
    ("bomb", "npz",
     lambda: npz(("a.npy", npy(f"({MANY // 4},)", data=bytes(MANY))), packed=True)),
    ("bomb of texts", "npz", lambda: npz(("metadata.json", bytes(1 << 25)), packed=True)),
    ("declared 2^40", "npz", lambda: npz(("a.npy", npy(f"({2**40},)")))),
    ("declared 10^30", "npz", lambda: npz(("a.npy", npy(f"({10**30},)")))),
    ("declared too little", "npz", lambda: npz(("a.npy", npy("(1,)")))),
    ("declared -2 · -1", "npz", lambda: npz(("a.npy", npy("(-2, -1)")))),
    ("declared True", "npz", lambda: npz(("a.npy", npy("(True, 2)", data=bytes(8))))),
    ("objects", "npz", lambda: npz(("a.npy", npy("()", "'|O'", marked("touched"))))),
    ("a pickle", "npz", lambda: npz(("a.npy", marked("touched")))),
    ("records", "npz", lambda: npz(("a.npy", npy("(1,)", "[('x', '<f4'), ('y', '<f4')]")))),
    ("texts", "npz", lambda: npz(("a.npy", npy("(2,)", "'<U1'")))),
    ("bytes", "npz", lambda: npz(("a.npy", npy("(8,)", "'|u1'")))),
    ("version 3", "npz", lambda: npz(("a.npy", npy(version=3)))),
    ("version 9", "npz", lambda: npz(("a.npy", npy(version=9)))),
    ("code as header", "npz", lambda: npz(("a.npy", npy(header="__import__('os')")))),
    ("nested header", "npz", lambda: npz(("a.npy", npy(header="(" * 9_000)))),
    ("minus signs", "npz", lambda: npz(("a.npy", npy("-" * 9_000 + "1")))),
    ("long header", "npz", lambda: npz(("a.npy", npy("(" + "1," * 20_000 + ")")))),
    ("two of a name", "npz", lambda: npz(("a.npy", npy()), ("a.npy", npy()))),
    ("no array", "npz", lambda: npz(("a.npy", npy()), ("run.sh", b"rm -rf /"))),
    ("texts that are none", "npz", lambda: npz(("metadata.json", b'{"a": 1}'))),
    ("texts of no JSON", "npz", lambda: npz(("metadata.json", b"{"))),
    ("texts nested", "npz", lambda: npz(("metadata.json", b"[" * 10**5))),
    ("encrypted", "npz", encrypted),
]
EXPECTED = {("bomb", "npz"): "N604", ("bomb of texts", "npz"): "N604",
            ("objects", "npz"): "N604", ("two of a name", "npz"): "N604"}

LIMITED = """
import resource, sys
from netdsl.diagnostics import Refused
from netdsl.weights import load_weights, read_metadata
from netdsl.weights import npz, safetensors
import safetensors.numpy
resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000,) * 2)
for path in sys.argv[1:]:
    try:
        load_weights(path)
        read_metadata(path)
        print("read")
    except Refused as refused:
        print(refused.problems[0].code)
"""


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_files_that_mean_harm_in_limited_memory(tmp_path):
    paths = []
    for i, (_, suffix, make) in enumerate(CASES):
        paths.append(tmp_path / f"{i}.{suffix}")
        paths[-1].write_bytes(make())
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path),
                   "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, *map(str, paths)], cwd=tmp_path, env=environment,
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    got = {(name, suffix): code for (name, suffix, _), code
           in zip(CASES, done.stdout.split(), strict=True)}
    assert got == {case: EXPECTED.get(case, "N602") for case in got}
    assert not (tmp_path / "touched").exists()


def test_a_message_keeps_control_characters_to_itself(tmp_path):
    path = tmp_path / "w.npz"
    path.write_bytes(npz(("a\x1b[31m\n" + "x" * 10_000 + ".npy", b"junk")))
    with pytest.raises(Refused) as refused:
        load_weights(path)
    message = refused.value.problems[0].describe().message
    assert message.isprintable() and len(message) < 400
