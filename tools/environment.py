"""The project's own environment, `.venv` beside it: made when it is missing, kept when it is there.

Standard library only, and readable by old Pythons, so that what is missing is said in words.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
STAMP = ENVIRONMENT / "netdsl.stamp"  # what is installed: written when all of it is
OLDEST = (3, 11)


def ensure_environment(extras: str = "") -> Path:
    """The Python of an environment in which netdsl is installed with `extras` ("test", or several
    with commas). Ends the process with a message where that cannot be had."""
    wanted = {extra for extra in extras.split(",") if extra}
    python = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if sys.version_info < OLDEST:
        sys.exit("netdsl needs Python {}.{} or newer; this is {}".format(
            *OLDEST, sys.version.split()[0]))
    if works(python):
        have = installed()
        if have is not None and wanted <= have:
            return python
        wanted |= have or set()
    else:
        say("making an environment in {}".format(ENVIRONMENT))
        run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)],
            "No environment could be made. On Debian and Ubuntu: apt install python3-venv")
    say("installing netdsl and what it needs there; this happens once")
    named = ".[{}]".format(",".join(sorted(wanted))) if wanted else "."
    run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-input", "--editable", named],
        "The packages could not be installed. Is there a connection to a package index?")
    STAMP.write_text("\n".join([fingerprint(), *sorted(wanted)]), encoding="utf-8")
    return python


def enter_environment(extras: str = "") -> None:
    """Return when this process runs in the environment; else start it again there and end."""
    if Path(sys.prefix).resolve() == ENVIRONMENT.resolve() and installed() is not None:
        return
    python = ensure_environment(extras)
    try:
        sys.exit(subprocess.call([str(python), *sys.argv]))
    except KeyboardInterrupt:
        sys.exit(130)  # the process there has said so


def works(python: Path) -> bool:
    """Whether the environment is there and whole: a moved one is not."""
    if not python.is_file():
        return False
    try:
        done = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def installed() -> set[str] | None:
    """The extras that are installed; None when nothing is, or not what the project now asks for."""
    try:
        mark, *extras = STAMP.read_text(encoding="utf-8").split("\n")
    except OSError:
        return None
    return set(extras) if mark == fingerprint() else None


def fingerprint() -> str:
    """Changes with the project's place and requirements."""
    about = str(PROJECT).encode() + (PROJECT / "pyproject.toml").read_bytes()
    return hashlib.sha256(about).hexdigest()


def run(command: list[str], advice: str) -> None:
    """Run a command in silence; when it fails, show what it said and end."""
    done = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip()
        sys.exit("{}\n\n{}".format("\n".join(said.splitlines()[-15:]), advice))


def say(line: str) -> None:
    print(line, flush=True)
