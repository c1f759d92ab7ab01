"""Patients imported by the command and exported over HTTP while others are written: rates and peak memory."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
from rich.console import Console
from rich.table import Table

from storage.model.flat import BY_NAME
from tests.wire.gateway import Gateway

PATIENTS, QUICK = 100_000, 1_000
LEAST = ("mrn", "first_name", "last_name", "date_of_birth", "sex")
USUAL = (
    *LEAST,
    "email",
    "phone_home",
    "address_line1",
    "city",
    "state",
    "postal_code",
    "primary_insurance_provider",
    "primary_insurance_type",
    "primary_insurance_policy_number",
    "height_cm",
    "weight_kg",
    "smoking_status",
    "allergies",
    "medications",
)
"""What a hospital has of most patients: eleven resources each, with the index that is computed."""
PLAIN = {"accept-encoding": "identity"}
KINDS = {"5 fields": LEAST, "19 fields": USUAL}


@dataclass(frozen=True)
class Row:
    """What was done with so many patients, in which time, and with how much memory at most (MiB)."""

    what: str
    patients: int
    seconds: float
    memory: float
    said: str = ""


def matches(word: str) -> bool:
    """Whether the name of what is measured holds a word."""
    return word in "import export"


def run(folder: Path, console: Console, _: str, *, quick: bool) -> None:
    """Measure and print one table."""
    count = QUICK if quick else PATIENTS
    gateway = Gateway(SUTURE_DATA_DIR=str(folder), SUTURE_WORKERS="1", SUTURE_LOG_FORMAT="json")
    try:
        gateway.start()
        rows: list[Row] = []
        file = folder / "patients.csv"
        for kind, fields in KINDS.items():
            written(file, fields, count, kind)
            rows.append(imported(folder, file, f"import, {kind}"))
        rows.append(imported(folder, file, "import again, all there", "--skip-duplicates"))
        written(file, LEAST, count, "over HTTP")
        rows.append(sent(gateway, file, "import over HTTP, 5 fields"))
        rows += [exported(gateway, form, (len(KINDS) + 1) * count) for form in ("csv", "json")]
    finally:
        gateway.stop()
    console.print(table(rows))


def written(file: Path, fields: tuple[str, ...], count: int, run_name: str) -> None:
    """Write a sheet of patients."""
    values = {name: BY_NAME[name].example for name in fields}
    with file.open("w", newline="", encoding="utf-8") as opened:
        sheet = csv.DictWriter(opened, fields)
        sheet.writeheader()
        for number in range(count):
            own = {"mrn": f"{run_name[0]}-{number}", "last_name": f"Doe{number}"}
            sheet.writerow(values | own)


def imported(folder: Path, file: Path, what: str, *words: str) -> Row:
    """Run `suture import` beside the gateway."""
    command = [sys.executable, "-m", "gateway.cli", "import", str(file), "--data-dir", str(folder)]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("SUTURE_")}
    began = time.monotonic()
    process = subprocess.Popen([*command, *words], env=outside, stdout=subprocess.PIPE, text=True)
    with process, most_of(psutil.Process(process.pid)) as most:
        said = process.communicate()[0].strip()
    if process.returncode:
        raise RuntimeError(f"the import failed: {said}")
    total = int(said.split(" ", 1)[0].replace(",", ""))
    return Row(what, total, time.monotonic() - began, most[0], said)


def sent(gateway: Gateway, file: Path, what: str) -> Row:
    """Send a sheet to the gateway."""
    began = time.monotonic()
    url = f"{gateway.base}/api/v1/patients/bulk/import/csv"
    with most_of(*gateway.processes()) as most, file.open("rb") as opened:
        answer = httpx.post(url, files={"file": opened}, timeout=3600)
    told = answer.json()
    if told["created"] != told["total"]:
        raise RuntimeError(f"the import failed: {told['errors'][:5]}")
    return Row(what, told["total"], time.monotonic() - began, most[0])


def exported(gateway: Gateway, form: str, count: int) -> Row:
    """Take an export while another caller makes patients."""
    stop = threading.Event()
    made: list[float] = []
    writer = threading.Thread(target=write, args=(gateway.base, form, stop, made))
    began, lines = time.monotonic(), 0
    with most_of(*gateway.processes()) as most:
        writer.start()
        try:
            url = f"{gateway.base}/api/v1/patients/bulk/export/{form}"
            with httpx.stream("GET", url, timeout=600, headers=PLAIN) as answer:
                for piece in answer.iter_raw():
                    lines += piece.count(b"\n")
        finally:
            stop.set()
            writer.join()
    seconds = time.monotonic() - began
    # The first line of a sheet names its columns; the first and the last of JSON are brackets.
    found = lines - 1
    if found < count:
        raise RuntimeError(f"{found} of {count} patients were exported")
    worst = max(made, default=0) * 1000
    said = f"{len(made) / seconds:,.0f} patients/s written meanwhile, {worst:,.0f} ms at most"
    return Row(f"export as {form}", count, seconds, most[0], said)


def write(base: str, form: str, stop: threading.Event, made: list[float]) -> None:
    """Make one patient after the other, and tell how long each took."""
    values = {name: BY_NAME[name].example for name in LEAST}
    with httpx.Client(base_url=base, timeout=60) as client:
        while not stop.is_set():
            began = time.monotonic()
            answer = client.post("/api/v1/patients", json=values | {"mrn": f"{form}-{len(made)}"})
            made.append(time.monotonic() - began)
            answer.raise_for_status()


@contextmanager
def most_of(*processes: psutil.Process) -> Generator[list[float]]:
    """Give the largest resident memory that processes had together during the block, in MiB."""
    most, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.05):
            try:
                most[0] = max(most[0], sum(each.memory_info().rss for each in processes) / 1024**2)
            except psutil.Error:
                return

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield most
    finally:
        stop.set()
        watching.join()


def table(rows: list[Row]) -> Table:
    """One line for each thing that was done."""
    made = Table(title="many patients")
    made.add_column("what", no_wrap=True)
    for name in ("patients", "seconds", "patients/s", "peak MiB"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("said")
    for row in rows:
        rate = row.patients / row.seconds
        figures = (f"{row.patients:,}", f"{row.seconds:,.1f}", f"{rate:,.0f}", f"{row.memory:,.0f}")
        made.add_row(row.what, *figures, row.said)
    return made
