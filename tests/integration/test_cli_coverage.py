"""`suture coverage`: each field of a file's messages, without a server or a database."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.app import new_id, now
from gateway.cli import suture
from gateway.mllp.outlook import outlooks
from gateway.mllp.receive import Receiver
from gateway.mllp.send import messages_of_file
from gateway.records import Records
from mappings import er7, times
from mappings.messages.fates import fates
from storage.session import Store
from tests.wire.messages import FAMILY, header, journal, message, order, result

BREED = "PID|1||4711^^^CITY^MR||Quillfeather^Ann||19700101|F" + "|" * 28 + "Beagle"


def run(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(suture, ["coverage", *map(str, words)])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "day.hl7"
    made.write_bytes(order("m1", "A1") + b"\r" + result("m2", "A1") + b"\r" + result("m3", "A1", value="14"))
    return made


def told(*words: str | Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run(*words, "--json").stdout.splitlines()]


def test_each_field_is_told_of_and_no_value_unless_asked_for(file: Path) -> None:
    done = run(file)
    assert done.exit_code == 0, done.output
    assert "day.hl7 1 ORM^O01 m1: applied" in done.output
    lines = [line for line in done.output.splitlines() if "PID[1]-8" in line]
    assert len(lines) == 3
    assert all("mapped" in line and "Patient.gender" in line for line in lines)
    assert "A set id numbers the segments" in done.output
    assert FAMILY not in done.output
    assert FAMILY in run(file, "--values").output


def test_no_field_that_is_not_empty_is_left_out(file: Path) -> None:
    for number, raw in enumerate(messages_of_file(file.read_bytes())):
        read = er7.read(raw)
        expected = [f"{s.name}[{s.number}]-{n}" for s in read.segments for n in s.filled()]
        found = told(file)[number]
        assert [item["place"] for item in found["fields"]] == expected
        assert found["counts"]["untold"] == 0
        assert all(item["elements"] or item["notes"] for item in found["fields"])


def test_a_message_finds_what_those_before_it_have_made(file: Path) -> None:
    alone = file.with_name("alone.hl7")
    alone.write_bytes(message(header("m9", "ADT^A40"), "EVN|A40", "PID|1||1^^^C^MR", "MRG|2^^^C^MR"))
    assert run(alone).exit_code == 1
    both = file.with_name("both.hl7")
    known = (order(f"k{mrn}", f"B{mrn}", patient=mrn) for mrn in ("1", "2"))
    merge = message(header("m9", "ADT^A40"), "EVN|A40", "PID|1||1^^^CITY^MR", "MRG|2^^^CITY^MR")
    both.write_bytes(b"\r".join([*known, merge]))
    assert [item["result"] for item in told(both)] == ["applied"] * 3


def test_what_would_be_refused_is_told_and_the_exit_status_is_1(tmp_path: Path) -> None:
    made = tmp_path / "bad.hl7"
    made.write_bytes(
        order("m1", "A1") + b"\r" + order("m2", "A2", kind="ZZZ^Z01") + b"\r" + message(header("m3"))
    )
    done = run(made, "--summary")
    assert done.exit_code == 1
    assert "bad.hl7 2: refused: 200 at MSH[1]-9.1" in done.output
    assert "bad.hl7 3: refused: 100 at PID[1]" in done.output
    assert "2 of the messages would be refused" in done.output
    assert [item["result"] for item in told(made)] == ["applied", "refused", "refused"]


def test_a_summary_in_a_pipe_is_as_wide_as_it_is(file: Path) -> None:
    named = file.rename(file.with_name("all-orders-and-results-of-the-day-before-yesterday.hl7"))
    done = CliRunner(env={"COLUMNS": "40"}).invoke(suture, ["coverage", "--summary", str(named)])
    assert done.stdout.split()[: len(HEADS)] == HEADS
    assert f"{named.name} 3" in done.stdout


def test_the_headings_of_a_summary_are_whole_in_a_terminal_of_80_columns(tmp_path: Path) -> None:
    named = tmp_path / "all-orders-and-results-of-the-day-before-yesterday.hl7"
    named.write_bytes(order("number-of-this-order", "A1") + b"\r" + order("other", "A2", kind="ZZZ^Z01"))
    shown = in_terminal(80, "coverage", "--summary", str(named))
    assert shown.split()[: len(HEADS)] == HEADS
    assert "ORM^O01" in shown
    assert "refused 200" in shown
    assert "…" not in shown


HEADS = ["message", "type", "id", "mapped", "ignored", "warned", "refused", "untold", "result"]


def in_terminal(columns: int, *words: str) -> str:
    """Return what a command shows in a terminal of so many columns, without its colours."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as shown:
        environment = os.environ | {"COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"}
        with os.fdopen(theirs, "wb") as there:
            subprocess.run(
                [sys.executable, "-m", "gateway.cli", *words], check=False, env=environment, stdout=there
            )
        found = b""
        with suppress(OSError):  # the other end is closed
            while part := shown.read(65536):
                found += part
    return found.decode().partition("suture:")[0]


def test_a_message_that_is_refused_changes_nothing_for_those_after_it(tmp_path: Path) -> None:
    made = tmp_path / "bad.hl7"
    late = message(header("m2", "ADT^A11"), "EVN|A11", "PID|1||4711^^^CITY^MR", "PV1|1|I")
    made.write_bytes(b"\r".join([order("m1", "A1"), late, result("m3", "A1")]))
    clean = tmp_path / "clean.hl7"
    clean.write_bytes(b"\r".join([order("m1", "A1"), result("m3", "A1")]))
    assert [item["result"] for item in told(made)] == ["applied", "refused", "applied"]
    assert told(made)[2]["fields"] == told(clean)[1]["fields"]


def test_fields_without_an_element_can_make_it_fail(tmp_path: Path) -> None:
    made = tmp_path / "odd.hl7"
    made.write_bytes(order("m1", "A1").replace(b"PID|1||4711", BREED[:11].encode()) + b"ZPI|1|x\r")
    assert run(made).exit_code == 0
    assert run(made, "--fail-on-warned").exit_code == 1
    shown = run(made, "--only", "warned").output
    assert "ZPI[1]-2" in shown
    assert "PID[1]-8" not in shown


def test_a_file_without_messages_fails_and_no_file_is_wrong_usage(tmp_path: Path) -> None:
    made = tmp_path / "none.txt"
    made.write_text("nothing here")
    assert run(made).exit_code == 1
    assert "no HL7v2 message" in run(made).output
    assert run().exit_code == 2
    assert run(tmp_path / "gone.hl7").exit_code == 2


def test_an_acknowledgement_is_told_to_be_kept(tmp_path: Path) -> None:
    made = tmp_path / "ack.hl7"
    made.write_bytes(message(header("m1", "ACK^O01"), "MSA|AA|m0"))
    (found,) = told(made)
    assert (found["result"], found["counts"]["ignored"]) == ("applied", len(found["fields"]))


def test_what_is_told_of_the_corpus_is_what_the_gateway_stores(
    corpus: Path, clean: Store, request: pytest.FixtureRequest
) -> None:
    records = Records(clean, now, new_id)
    receiver, differ, seen = Receiver(records), list[str](), 0
    wipe: str = request.getfixturevalue("_wipe")
    for path in sorted((corpus / "hl7v2").glob("*.hl7"))[::3]:
        with clean.connection() as connection:
            connection.execute(wipe.encode())
        payloads = messages_of_file(path.read_bytes())
        for payload, outlook in zip(payloads, outlooks(payloads, times.UTC, new_id, now), strict=True):
            receiver.receive(payload, "127.0.0.1")
            row = journal(clean)[-1]
            seen += 1
            applied = row["status"] == "applied"
            if applied != (outlook.refusal is None) and row["status"] != "duplicate":
                differ.append(f"{path.name}: {row['status']} {row['error_code']}, told {outlook.result}")
            if applied and row["coverage"]:
                stored = [(fate.place, fate.kind) for fate in fates(er7.read(payload), row["coverage"])]
                if stored != [(fate.place, fate.kind) for fate in outlook.fates]:
                    differ.append(path.name)
    assert differ == []
    assert seen > 30


def test_no_field_of_the_corpus_is_untold(corpus: Path) -> None:
    untold, counts, refused = dict[str, list[str]](), Counter[str](), Counter[str]()
    for path in sorted((corpus / "hl7v2").glob("*.*")):
        payloads = messages_of_file(path.read_bytes()) if path.suffix != ".md" else []
        for number, each in enumerate(outlooks(payloads, times.UTC, new_id, now), 1):
            counts += each.counts
            refused += Counter([each.refusal.code] if each.refusal else [])
            found = [
                fate.place
                for fate in each.fates
                if fate.kind == "untold" or not (fate.elements or fate.notes)
            ]
            if found:
                untold[f"{path.name} {number}"] = found
    assert untold == {}
    # Only what is of a type that is not served, or misses what it must have, is refused at all.
    assert set(refused) <= {"100", "101", "200", "201", "203", "204", "205"}
    assert counts["mapped"] > 10_000 > counts["warned"]
