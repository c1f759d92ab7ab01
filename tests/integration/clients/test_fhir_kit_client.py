"""The everyday work of fhir-kit-client, of npm, against the running server: https://hl7.org/fhir/R4/http.html."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.fixtures.server import Fhir

SCRIPT = Path(__file__).parents[2] / "clients" / "fhir_kit_client.mjs"
PACKAGE = "fhir-kit-client@2.0.3"
OLDEST_NODE = 20
WORK = [
    "capabilities",
    "create, read, update and vread",
    "an update from an old version is refused",
    "conditional create and update",
    "patch",
    "delete",
    "search, sorted, in pages, with includes",
    "references are resolved",
    "transaction and batch",
    "operations",
]


def run(*command: str, folder: Path, patience: float = 60) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=patience, check=False)


@pytest.fixture(scope="module")
def with_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the client is installed, and the script; skips where that cannot be."""
    folder = tmp_path_factory.mktemp("client")
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not here")
    version = run("node", "--version", folder=folder).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node {version} is too old: {OLDEST_NODE} is needed")
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=0", "--prefix", ".")
    try:
        installed = run("npm", "install", PACKAGE, *options, folder=folder)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{PACKAGE} was not installed within a minute")
    if installed.returncode:
        pytest.skip(f"{PACKAGE} cannot be installed: {installed.stderr[-300:]}")
    # Node looks for packages from where the script is.
    shutil.copy(SCRIPT, folder)
    return folder


@pytest.mark.slow
def test_the_client_does_its_work(fhir: Fhir, with_client: Path) -> None:
    done = run("node", SCRIPT.name, fhir.base, folder=with_client, patience=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == WORK
