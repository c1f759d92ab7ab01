"""`suture import` and `suture export`: patients from files and into files, as a command tells it."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result

from gateway.bulk import commands
from gateway.cli import suture
from storage.flat import FILTERS
from storage.session import Store
from tests.fixtures.sheets import LEAST, least, sheet


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SUTURE_")]:
        monkeypatch.delenv(name)


class Command:
    """The commands over the worker's database, with files in a folder of their own."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url = url
        self.folder = folder

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_bytes(content.encode())
        return str(self.folder / name)

    def __call__(self, status: int, *words: str) -> Result:
        done = CliRunner(env={"COLUMNS": "200"}).invoke(suture, [*words, "--database-url", self.url])
        assert done.exit_code == status, (done.output, done.exception)
        return done


@pytest.fixture
def run(clean: Store, database_url: str, tmp_path: Path) -> Command:
    return Command(database_url, tmp_path)


def mrns(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT mrn FROM patient ORDER BY mrn").fetchall()]


def test_a_sheet_is_imported_and_what_is_there_is_passed_over(run: Command) -> None:
    file = run.file("patients.csv", sheet([least(1), least(2)]))
    assert run(0, "import", file).stdout == "2 rows: 2 created, 0 skipped, 0 failed\n"
    again = run(1, "import", file)
    assert again.stdout == "2 rows: 0 created, 0 skipped, 2 failed\n"
    assert again.stderr.splitlines()[0] == "row 2: mrn is the number of a patient who is here"
    assert run(0, "import", file, "--skip-duplicates").stdout == "2 rows: 0 created, 2 skipped, 0 failed\n"
    assert mrns(run.url) == ["M1", "M2"]
    with psycopg.connect(run.url) as connection:
        told = connection.execute(
            "SELECT kind, filename, length(sha256), total, created, skipped, failed, finished_at IS NOT NULL"
            " FROM import_batch ORDER BY started_at"
        ).fetchall()
    assert told == [
        ("csv", "patients.csv", 64, 2, 2, 0, 0, True),
        ("csv", "patients.csv", 64, 2, 0, 0, 2, True),
        ("csv", "patients.csv", 64, 2, 0, 2, 0, True),
    ]


def test_validation_writes_no_patient(run: Command) -> None:
    file = run.file("patients.csv", sheet([least(1), least(2, sex="Q")]))
    done = run(1, "import", file, "--validate-only")
    assert done.stdout == "2 rows: 1 can be imported, 0 skipped, 1 failed\n"
    assert done.stderr == "row 3: sex must be one of: M, F, O, U, I, X\n"
    assert mrns(run.url) == []


def test_errors_are_written_to_a_sheet(run: Command) -> None:
    file = run.file("patients.csv", sheet([least(number, sex="Q", city="\x01") for number in range(30)]))
    errors = run.folder / "errors.csv"
    done = run(1, "import", file, "--errors", str(errors))
    assert done.stderr == ""
    with errors.open(newline="") as opened:
        found = list(csv.DictReader(opened))
    assert len(found) == 60
    assert (found[0]["row"], found[0]["field"]) == ("2", "sex")
    shown = run(1, "import", file).stderr.splitlines()
    assert len(shown) == commands.SHOWN + 1
    assert shown[-1] == "... and 40 more: --errors FILE has all"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("patients.json", json.dumps([LEAST])),
        ("patients.ndjson", json.dumps(LEAST) + "\n"),
        ("patients.txt", json.dumps({"patients": [LEAST]})),
    ],
)
def test_json_is_imported(run: Command, name: str, content: str) -> None:
    words = ["--format", "json"] if name.endswith("txt") else []
    assert "1 created" in run(0, "import", run.file(name, content), *words).stdout
    assert mrns(run.url) == ["MRN123456"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "suture: The file is empty."),
        ("mrn,first_name,last_name,date_of_birth,sex,hue", "suture: hue: there is no field hue"),
        (
            'mrn,first_name,last_name,date_of_birth,sex\n"',
            "suture: Row 2 cannot be read: unexpected end of data.",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_a_line(run: Command, content: str, said: str) -> None:
    done = run(1, "import", run.file("x.csv", content))
    assert (done.stdout, done.stderr) == ("", f"{said}\n")


def test_wrong_usage_is_status_2(run: Command) -> None:
    run(2, "import", "no-such-file")
    run(2, "import", run.file("x.csv", ""), "--format", "xml")
    run(2, "export")


def test_an_account_that_there_is_not_is_refused(run: Command) -> None:
    file = run.file("x.csv", sheet([LEAST]))
    assert "there is no account nobody" in run(1, "import", file, "--user", "nobody").stderr
    assert "there is no account nobody" in run(1, "export", "-", "--user", "nobody").stderr


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_an_export_is_imported_again(run: Command, kind: str) -> None:
    odd: dict[str, Any] = least(2, last_name="=Müller", notes="-5", phone_home="+49 170 1234567")
    run(0, "import", run.file("first.json", json.dumps([least(1), odd])))
    made = run.folder / f"patients.{kind}"
    run(0, "export", str(made))
    assert made.stat().st_mode & 0o077 == 0, "nobody else reads it"
    assert [path.name for path in run.folder.iterdir() if path.name.startswith(".")] == []
    told = run(0, "export", "-", "--format", kind).stdout_bytes
    assert told == made.read_bytes()
    with psycopg.connect(run.url) as connection:
        connection.execute("SET session_replication_role = replica")
        for table in ("patient", "identifier", "resource"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608
    assert "2 created" in run(0, "import", str(made)).stdout
    again = run.folder / f"again.{kind}"
    run(0, "export", str(again))
    assert without_own(again) == without_own(made)
    assert [row["last_name"] for row in without_own(again)] == (
        ["Doe", "'=Müller"] if kind == "csv" else ["Doe", "=Müller"]
    )


def without_own(file: Path) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8", newline="") as opened:
        rows = list(csv.DictReader(opened)) if file.suffix == ".csv" else json.load(opened)
    return [
        {name: value for name, value in row.items() if name not in ("id", "created_at", "updated_at")}
        for row in rows
    ]


def test_an_export_is_narrowed_as_the_list_is(run: Command) -> None:
    run(0, "import", run.file("x.json", json.dumps([least(1), least(2, sex="F")])))
    told = run(0, "export", "-", "--format", "json", "--sex", "F").stdout
    assert [each["mrn"] for each in json.loads(told)] == ["M2"]
    assert "sex" in run(1, "export", "-", "--sex", "Q").stderr
    assert tuple(name.replace("_", "-") for name in FILTERS) == commands._FILTERS


def test_an_export_that_fails_leaves_the_file_as_it_was(run: Command) -> None:
    file = run.file("patients.csv", "mine")
    run(1, "export", file, "--sex", "Q")
    assert Path(file).read_text() == "mine"
    assert "No such file" in run(1, "export", str(run.folder / "none" / "x.csv")).stderr


@pytest.mark.slow
def test_an_import_that_is_interrupted_can_go_on(run: Command) -> None:
    file = run.file("patients.csv", sheet(least(number) for number in range(3000)))
    words = [sys.executable, "-m", "gateway.cli", "import", file, "--database-url", run.url]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not mrns(run.url) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 1, told
    assert "run it again with --skip-duplicates" in told
    there = len(mrns(run.url))
    assert 0 < there < 3000
    assert there % 200 == 0, "a batch is there as a whole"
    done = run(0, "import", file, "--skip-duplicates")
    assert done.stdout == f"3,000 rows: {3000 - there:,} created, {there:,} skipped, 0 failed\n"
    with psycopg.connect(run.url) as connection:
        ended = connection.execute(
            "SELECT finished_at IS NOT NULL FROM import_batch ORDER BY started_at"
        ).fetchall()
    assert ended == [(False,), (True,)]
