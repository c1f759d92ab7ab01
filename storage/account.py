"""The account that the embedded PostgreSQL runs under: the caller's own or, as root, one without rights."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

NAME = "suture"


class ProcessOptions(TypedDict, total=False):
    """Arguments of ``subprocess`` that change the user of the process."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Account:
    """A system user. ``switch`` says whether processes must be started under it by changing user."""

    name: str
    uid: int
    gid: int
    switch: bool

    def process_options(self) -> ProcessOptions:
        """Keyword arguments of ``subprocess`` that run a process under this account."""
        if not self.switch:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path) -> None:
        """Make this account the owner of ``path``, which lies inside the data directory."""
        if self.switch:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether the permission bits let this account pass through ``folder``."""
        if not self.switch:
            return os.access(folder, os.X_OK)
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)

    def first_closed(self, folder: Path) -> Path | None:
        """The first folder, from the root down to ``folder`` itself, that this account may not enter."""
        chain = [*reversed(folder.parents), folder]
        return next((part for part in chain if not self.may_enter(part)), None)


def service_account() -> Account:
    """The caller's account; as root the account ``suture`` (created if need be), else ``nobody``.

    PostgreSQL refuses to run as root. ``nobody`` is the way out only where no account can be created.
    """
    if os.geteuid() != 0:
        return Account(str(os.geteuid()), os.geteuid(), os.getegid(), switch=False)
    entry = _find(NAME) or _create(NAME) or pwd.getpwnam("nobody")
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, switch=True)


def _find(name: str) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def _create(name: str) -> pwd.struct_passwd | None:
    # Two gateways may come here together: whoever loses finds what the other one made.
    for command, *arguments in (
        ("useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", name),
        ("adduser", "-S", "-D", "-H", name),
    ):
        program = shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if program is not None:
            subprocess.run([program, *arguments], capture_output=True, check=False)
            return _find(name)
    return None
