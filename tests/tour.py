"""Runs the README's tour against a gateway, and writes the outputs into it: `python -m tests.tour README.md`.

The gateway must be a fresh one, on the ports that the tour names or those of SUTURE_HTTP_PORT and
SUTURE_MLLP_PORT.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

BLOCK = re.compile(r"```console\n(\$ .*?)```", re.DOTALL)
MARK = "=== end of output ==="


def blocks(text: str) -> list[str]:
    """Return the blocks of commands and outputs."""
    return BLOCK.findall(text)


def commands(block: str) -> list[str]:
    """Return what is typed in a block."""
    return [line[2:] for line in block.splitlines() if line.startswith("$ ")]


def outputs(block: str) -> list[str]:
    """Return what the page says that each command prints."""
    parts = re.split(r"^\$ .*\n", block, flags=re.MULTILINE)
    return parts[1:]


def run(typed: list[str], folder: Path, http_port: int, mllp_port: int, suture: Path) -> list[str]:
    """Type commands into one shell and return what each prints."""
    lines = [line.replace(".venv/bin/suture", str(suture)) for line in typed]
    script = "\n".join(f"{line}\nprintf '%s\\n' '{MARK}'" for line in lines)
    script = script.replace("localhost:8080", f"localhost:{http_port}").replace(
        "localhost:2575", f"localhost:{mllp_port}"
    )
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=_plain(),
    )
    return [part.removeprefix("\n") for part in done.stdout.split(MARK)[: len(typed)]]


def _plain() -> dict[str, str]:
    return {**os.environ, "COLUMNS": "100", "TERM": "dumb", "NO_COLOR": "1"}


def fill(text: str, printed: list[str]) -> str:
    """Return the page with the outputs that were printed."""
    rest = iter(printed)

    def filled(found: re.Match[str]) -> str:
        body = "".join(f"$ {line}\n{next(rest)}" for line in commands(found[1]))
        return f"```console\n{body}```"

    return BLOCK.sub(filled, text)


def main(page: Path) -> None:
    """Fill a page with what the gateway prints."""
    text = page.read_text()
    typed = [line for block in blocks(text) for line in commands(block)]
    ports = int(os.environ.get("SUTURE_HTTP_PORT", "8080")), int(os.environ.get("SUTURE_MLLP_PORT", "2575"))
    with tempfile.TemporaryDirectory() as folder:
        printed = run(typed, Path(folder), *ports, Path(sys.executable).with_name("suture"))
    page.write_text(fill(text, printed))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
