from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import address, suture
from storage import migrate
from storage.embedded import start_embedded
from tests.wire.peer import Close, ExpectClose, ExpectFrame, Send, listening

ONE = b"MSH|^~\\&|LAB|WEST|SUTURE|OR|20260105101500||ADT^A08|%s|P|2.5.1\rPID|1||4711^^^H^MR\r"


def acknowledgement(code: bytes, control_id: bytes) -> Send:
    lines = b"MSH|^~\\&|SUTURE|OR|LAB|WEST|20260105101501||ACK|9|P|2.5.1\rMSA|%s|%s\r" % (code, control_id)
    return Send(b"\x0b" + lines + b"\x1c\r")


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("SUTURE_")]:
        monkeypatch.delenv(name)


def suture_command(*words: str) -> Result:
    return CliRunner().invoke(suture, list(words))


def test_help_names_every_command_and_each_has_help() -> None:
    told = suture_command("--help")
    assert told.exit_code == 0
    for name in suture.commands:
        assert name in told.output
        assert suture_command(name, "--help").exit_code == 0
    assert {"serve", "migrate", "send", "docs"} <= set(suture.commands)


def test_the_command_runs_as_a_process() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gateway.cli", "nonsense"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "nonsense" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("serve", "--nonsense"),
        ("serve", "--http-port", "many"),
        ("serve", "--http-port", "70000"),
        ("serve", "--host", "0.0.0.0"),
        ("serve", "--log-format", "xml"),
        ("migrate", "--database-url", "mysql://h/d"),
        ("send", "--to", "127.0.0.1:2575"),
        ("send", __file__, "--to", "127.0.0.1"),
        ("send", __file__, "--to", "127.0.0.1:0"),
        ("send", "no-such-file", "--to", "127.0.0.1:2575"),
    ],
)
def test_wrong_usage_is_status_2(words: tuple[str, ...]) -> None:
    assert suture_command(*words).exit_code == 2


def test_an_option_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUTURE_DATABASE_URL", "mysql://h/d")
    done = suture_command("migrate", "--database-url", "postgresql://127.0.0.1:1/d?connect_timeout=2")
    assert done.exit_code == 1
    assert "cannot reach the database" in done.stderr
    assert suture_command("migrate").exit_code == 2


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:2575", ("127.0.0.1", 2575)),
        ("gateway.example:1", ("gateway.example", 1)),
        ("[::1]:2575", ("::1", 2575)),
    ],
)
def test_a_receiver_is_a_host_and_a_port(text: str, found: tuple[str, int]) -> None:
    assert address(text) == found


def test_migrate_brings_a_given_database_to_the_newest_revision(empty_database_url: str) -> None:
    done = suture_command("migrate", "--database-url", empty_database_url)
    assert done.exit_code == 0, done.stderr
    assert str(migrate.head()) in done.stdout
    assert migrate.current(empty_database_url) == migrate.head()


def test_migrate_names_a_revision_that_is_not_there(empty_database_url: str) -> None:
    done = suture_command("migrate", "--database-url", empty_database_url, "--to", "no_such_revision")
    assert done.exit_code == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no_such_revision" in done.stderr


def test_migrate_uses_the_database_of_a_running_gateway(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        done = suture_command("migrate", "--data-dir", str(embedded_dir))
        assert done.exit_code == 0, done.stderr
        assert migrate.current(server.url) == migrate.head()


def test_send_shows_the_answers_and_succeeds_when_all_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "two.hl7").write_bytes(ONE % b"A1" + b"\r\n" + ONE % b"A2")
    script = [ExpectFrame(), acknowledgement(b"AA", b"A1"), ExpectFrame(), acknowledgement(b"CA", b"A2")]
    with listening([*script, ExpectClose()]) as receiver:
        done = suture_command("send", str(tmp_path / "two.hl7"), "--to", f"127.0.0.1:{receiver.port}")
    assert done.exit_code == 0, done.stderr
    for told in ("A1", "AA", "A2", "CA"):
        assert told in done.stdout


def test_send_fails_when_an_answer_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "a.hl7").write_bytes(ONE % b"A1")
    (tmp_path / "b.hl7").write_bytes(ONE % b"A2")
    script = [ExpectFrame(), acknowledgement(b"AE", b"A1"), ExpectFrame(), acknowledgement(b"AA", b"A2")]
    with listening([*script, ExpectClose()]) as receiver:
        files = [str(tmp_path / "a.hl7"), str(tmp_path / "b.hl7")]
        done = suture_command("send", *files, "--to", f"127.0.0.1:{receiver.port}")
    assert done.exit_code == 1
    assert "AE" in done.stdout
    assert "1 of the messages were not accepted" in done.stderr


def test_send_shows_what_was_answered_before_the_connection_broke(tmp_path: Path) -> None:
    (tmp_path / "two.hl7").write_bytes(ONE % b"A1" + b"\r\n" + ONE % b"A2")
    with listening([ExpectFrame(), acknowledgement(b"AA", b"A1"), ExpectFrame(), Close()]) as receiver:
        done = suture_command("send", str(tmp_path / "two.hl7"), "--to", f"127.0.0.1:{receiver.port}")
    assert done.exit_code == 1
    assert "A1" in done.stdout
    assert "message 2" in done.stderr


def test_send_says_that_nobody_listens(tmp_path: Path) -> None:
    (tmp_path / "one.hl7").write_bytes(ONE % b"A1")
    done = suture_command("send", str(tmp_path / "one.hl7"), "--to", "127.0.0.1:1", "--timeout", "2")
    assert done.exit_code == 1
    assert done.stderr.splitlines() == ["suture: sending to 127.0.0.1:1: Connection refused"]


@pytest.mark.parametrize(
    ("content", "said"), [(b"notes\n", "no HL7v2 message"), (b"\x0bMSH|^~\\&|", "inside a frame")]
)
def test_send_names_a_file_that_holds_no_message(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "none.hl7").write_bytes(content)
    done = suture_command("send", str(tmp_path / "none.hl7"), "--to", "127.0.0.1:1")
    assert done.exit_code == 1
    assert said in done.stderr


def test_docs_writes_the_mapping_table_and_notices_when_it_is_stale(tmp_path: Path) -> None:
    page = tmp_path / "mapping.md"
    printed = suture_command("docs")
    assert printed.exit_code == 0
    assert "birthDate" in printed.stdout
    assert suture_command("docs", str(page), "--check").exit_code == 1, "it is not there yet"
    assert suture_command("docs", str(page)).exit_code == 0
    assert page.read_text() == printed.stdout.removesuffix("\n")
    assert suture_command("docs", str(page), "--check").exit_code == 0
    page.write_text(page.read_text().replace("birthDate", "birthday"))
    stale = suture_command("docs", str(page), "--check")
    assert stale.exit_code == 1
    assert "out of date" in stale.stderr
    assert "birthday" in page.read_text(), "--check changes nothing"


def test_docs_cannot_check_nothing() -> None:
    assert suture_command("docs", "--check").exit_code == 2
