"""Data made to fill memory or to never end, through the real command: a message of ours, soon, in
little memory."""

from __future__ import annotations

import gzip
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

import pytest
from data_files import tar, write_mnist

pytestmark = pytest.mark.slow
resource = pytest.importorskip("resource", reason="limits of POSIX")

ROOT = Path(__file__).parents[2]
ADDRESS_SPACE = 4 * 2**30  # libraries take a part of it that is never touched
SECONDS = 60  # of the processor
ZEROS = bytes(2**26)
MODEL = """
model M {
    input image: f32[B, C, H, W]
    input label: i64[B] in 0..10
    loss ce = cross_entropy(image -> mean(axis = [1, 2, 3]) -> reshape([B, 1]) -> linear{10}, label)
}
train M { data digits() batch 1 epochs 1 minimize ce with sgd(lr = 0.1) }
"""
TEXTS = """
model M { input tok: f32[B, 64] loss size = mean(linear{2}(tok) ** 2) }
train M { data text("x") batch 1 epochs 1 minimize size with sgd(lr = 0.1) }
"""


def refused(folder: Path, source: str, path: Path, model: str = MODEL) -> str:
    """What `netdsl train` says of the data, within the bounds."""

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))

    (folder / "m.net").write_text(model)
    command = [sys.executable, "-m", "netdsl", "train", str(folder / "m.net"),
               "--data", f"{source}:{path}", "--out", str(folder / "out")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1",
                   "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, env=environment, preexec_fn=limited, timeout=4 * SECONDS,
                          capture_output=True, text=True)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr and "N999" not in done.stderr, done.stderr
    return done.stderr


def packed(pack, times: int, *parts: bytes) -> bytes:
    """Parts and then `times` 64 MiB of zeros, packed one after the other."""
    zeros = pack(ZEROS)
    return b"".join([*map(pack, parts), *[zeros] * times])


def test_gzip_that_unpacks_to_gigabytes(tmp_path):
    write_mnist(tmp_path, packed=True)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(packed(gzip.compress, 40))
    assert "error[N503]" in refused(tmp_path, "mnist", tmp_path)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.REGTYPE])
def test_an_archive_whose_header_claims_gigabytes(tmp_path, kind):
    entry = tarfile.TarInfo("data_batch_1.bin")
    entry.type, entry.size = kind, 2**32 + 2**31
    content = packed(lzma.compress, 100, entry.tobuf(tarfile.GNU_FORMAT))
    (tmp_path / "a.tar.xz").write_bytes(content)
    assert "error[N5" in refused(tmp_path, "cifar10", tmp_path / "a.tar.xz")


def test_a_zip_whose_member_claims_little(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data_batch_1.bin", bytes(2**30))
    whole = path.read_bytes()
    path.write_bytes(whole.replace(struct.pack("<I", 2**30), struct.pack("<I", 3073)))
    assert "error[N5" in refused(tmp_path, "cifar10", path)


def png(side: int, rows: int) -> bytes:
    """A black PNG that claims side x side pixels and has so many rows of them, in few bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return (struct.pack(">I", len(content)) + name + content
                + struct.pack(">I", zlib.crc32(name + content)))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    packer = zlib.compressobj(1)
    pixels = b"".join(packer.compress(bytes(1 + 3 * side)) for _ in range(rows))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
            + chunk(b"IDAT", pixels + packer.flush()) + chunk(b"IEND", b""))


@pytest.mark.parametrize(("side", "rows"), [(2**31 - 1, 0), (30_000, 100)])
def test_an_image_of_a_billion_pixels_in_few_bytes(tmp_path, side, rows):
    image = png(side, rows)
    for name in ("cat", "dog"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "1.png").write_bytes(image)
    assert "error[N5" in refused(tmp_path, "images", tmp_path / "set")
    members = [(f"train/{name}/1.png", image) for name in ("cat", "dog")]
    assert "error[N52" in refused(tmp_path, "cifar10", tar(tmp_path / "a.tar.gz", members))


def test_a_table_of_one_endless_line(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"a,b\n" + b"," * 2**28)
    assert "error[N525]" in refused(tmp_path, "csv", tmp_path / "a.csv")


def test_pickles_that_claim_gigabytes(tmp_path):
    for name in ("data_batch_1", "test_batch"):
        (tmp_path / name).write_bytes(b"\x80\x04}r\xfe\xff\xff\xff.")
    assert "error[N5" in refused(tmp_path, "cifar10", tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes with names")
@pytest.mark.parametrize("source", ["csv", "text", "npz", "cifar10", "images", "mnist"])
def test_pipes_and_devices_do_not_block(tmp_path, source):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        message = refused(tmp_path, source, path, TEXTS if source == "text" else MODEL)
        assert "error[N501]" in message or "error[N522]" in message, message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_files_that_may_not_be_read(tmp_path):
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "a.csv").chmod(0)
    assert "error[N501]" in refused(tmp_path, "csv", tmp_path / "a.csv")
