from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from storage import cluster
from storage.account import Account, service_account
from storage.cluster import NotStarted
from storage.embedded import EmbeddedServer, InUse, running_url, start_embedded

AS_ROOT = os.geteuid() == 0
GATEWAY = """
import sys, time
from pathlib import Path
from storage.embedded import start_embedded
with start_embedded(Path(sys.argv[1])):
    print("ready", flush=True)
    time.sleep(60)
"""


def permissions(folder: Path) -> list[tuple[str, str, int, int]]:
    found: list[tuple[str, str, int, int]] = []
    for part in [folder, *folder.parents]:
        seen = part.stat()
        found.append((str(part), stat.filemode(seen.st_mode), seen.st_uid, seen.st_gid))
    return found


def value(url: str, statement: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row[0] if row else None


def keep_a_row(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")


def run_gateway(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", GATEWAY, str(folder)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_rows_of_the_first_start_are_there_at_the_second(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        keep_a_row(server.url)
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT n FROM kept") == 7


def test_no_permission_above_the_data_directory_changes(embedded_dir: Path) -> None:
    data_dir = embedded_dir / "a" / "b" / "data"
    data_dir.parent.mkdir(parents=True)
    for part in (embedded_dir, embedded_dir / "a"):
        part.chmod(0o711)
    before = permissions(data_dir.parent)
    with start_embedded(data_dir, durable=False):
        assert permissions(data_dir.parent) == before
    assert permissions(data_dir.parent) == before


def test_nobody_else_may_enter_the_cluster(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        assert stat.S_IMODE(embedded_dir.stat().st_mode) & stat.S_IRWXO == 0
        assert server.folder.stat().st_uid == service_account().uid


def test_a_folder_with_other_things_in_it_keeps_its_permissions(embedded_dir: Path) -> None:
    embedded_dir.chmod(0o755)
    (embedded_dir / "notes").write_text("mine")
    before = permissions(embedded_dir)
    with start_embedded(embedded_dir, durable=False):
        assert permissions(embedded_dir) == before


def test_there_is_no_tcp_port_and_commits_are_durable_by_default(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir) as server:
        assert value(server.url, "SHOW listen_addresses") == ""
        assert value(server.url, "SHOW fsync") == "on"
        assert value(server.url, "SHOW synchronous_commit") == "on"


def test_a_second_gateway_on_the_same_directory_is_refused(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as first:
        with pytest.raises(InUse, match=f"process {os.getpid()}"):
            EmbeddedServer(embedded_dir, durable=False).start()
        assert value(first.url, "SELECT 1") == 1


def test_other_commands_find_the_server_of_a_running_gateway(embedded_dir: Path) -> None:
    assert running_url(embedded_dir) is None
    with start_embedded(embedded_dir, durable=False) as server:
        assert running_url(embedded_dir) == server.url
    assert running_url(embedded_dir) is None


@pytest.mark.slow
def test_a_server_left_by_a_killed_gateway_is_replaced_and_loses_nothing(embedded_dir: Path) -> None:
    gateway = run_gateway(embedded_dir)
    url = running_url(embedded_dir)
    assert url is not None
    keep_a_row(url)
    left = cluster.postmaster(embedded_dir.resolve() / "postgres")
    assert left is not None
    gateway.kill()
    gateway.communicate()
    assert value(url, "SELECT n FROM kept") == 7, "the database outlives the gateway"
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT n FROM kept") == 7
        now = cluster.postmaster(server.folder)
        assert now is not None
        assert now.pid != left.pid


@pytest.mark.slow
def test_a_database_that_was_killed_recovers(embedded_dir: Path) -> None:
    gateway = run_gateway(embedded_dir)
    url = running_url(embedded_dir)
    assert url is not None
    keep_a_row(url)
    left = cluster.postmaster(embedded_dir.resolve() / "postgres")
    assert left is not None
    os.kill(left.pid, signal.SIGKILL)
    gateway.kill()
    gateway.communicate()
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT n FROM kept") == 7


@pytest.mark.slow
@pytest.mark.parametrize("below", ["data", "a" * 100], ids=["short path", "long path"])
def test_a_server_that_is_killed_is_started_again_under_the_same_url(embedded_dir: Path, below: str) -> None:
    embedded_dir.chmod(0o711)
    with start_embedded(embedded_dir / below) as server:
        url = server.url
        keep_a_row(url)
        for _ in range(2):
            for pid in cluster.processes(server.folder):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with pytest.raises(psycopg.OperationalError):
                value(url, "SELECT n FROM kept")
            deadline = time.monotonic() + 30
            while not answers(url):
                assert time.monotonic() < deadline, "the server was not started again"
                time.sleep(0.1)
            assert (server.url, value(url, "SELECT n FROM kept")) == (url, 7)
    assert cluster.processes(server.folder) == []


def answers(url: str) -> bool:
    with suppress(psycopg.OperationalError):
        return value(url, "SELECT true") is True
    return False


def test_a_pid_file_that_names_a_foreign_process_does_not_block_the_start(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        folder = server.folder
    sleeper = subprocess.Popen(["sleep", "60"], **service_account().process_options())
    try:
        (folder / "postmaster.pid").write_text(f"{sleeper.pid}\n{folder}\n1\n5432\n{folder}\n\n0 0\nready\n")
        with start_embedded(embedded_dir, durable=False) as server:
            assert value(server.url, "SELECT 1") == 1
        assert sleeper.poll() is None, "the foreign process was left alone"
    finally:
        sleeper.kill()
        sleeper.wait()


def test_a_first_start_that_was_cut_off_is_begun_again(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        folder = server.folder
    (folder / "PG_VERSION").rename(folder / "gone")
    folder.rename(folder.with_suffix(".new"))
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT 1") == 1
    assert not folder.with_suffix(".new").exists()


def test_a_long_path_gets_its_socket_in_a_short_private_folder(embedded_dir: Path) -> None:
    embedded_dir.chmod(0o711)
    server = EmbeddedServer(embedded_dir / ("d" * 100), durable=False)
    server.start()
    try:
        found = cluster.postmaster(server.folder)
        assert found is not None
        assert found.socket_folder is not None
        assert found.socket_folder != server.folder
        assert stat.S_IMODE(found.socket_folder.stat().st_mode) == 0o700
        assert value(server.url, "SELECT 1") == 1
    finally:
        server.stop()
    assert not found.socket_folder.exists()


def test_a_cluster_of_another_version_is_refused(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        version = server.folder / "PG_VERSION"
    version.write_text("14\n")
    with pytest.raises(NotStarted, match="PostgreSQL 14"):
        EmbeddedServer(embedded_dir, durable=False).start()
    version.write_text("18\n")
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT 1") == 1, "the refused start let the directory go"


@pytest.mark.skipif(not AS_ROOT, reason="only as root does the database run as another user")
def test_root_is_told_which_folder_keeps_the_database_out() -> None:
    with tempfile.TemporaryDirectory() as closed:
        assert stat.S_IMODE(Path(closed).stat().st_mode) == 0o700
        with pytest.raises(NotStarted, match=r"may not enter .*/var/lib/suture"):
            EmbeddedServer(Path(closed) / "data", durable=False).start()
        assert stat.S_IMODE(Path(closed).stat().st_mode) == 0o700


@pytest.mark.skipif(not AS_ROOT, reason="only as root does the database run as another user")
def test_programs_that_the_user_cannot_reach_are_copied(
    embedded_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        Account, "first_closed", lambda _self, folder: folder if "pginstall18" in folder.parts else None
    )
    with start_embedded(embedded_dir, durable=False) as server:
        assert value(server.url, "SELECT 1") == 1
        running = Path(f"/proc/{server._process.pid}/exe").resolve() if server._process else None
        assert running is not None
        assert running.is_relative_to(embedded_dir.resolve())


@pytest.mark.skipif(AS_ROOT, reason="root may write anywhere")
def test_a_directory_that_cannot_be_written_is_named(embedded_dir: Path) -> None:
    embedded_dir.chmod(0o500)
    with pytest.raises(NotStarted, match="SUTURE_DATA_DIR"):
        EmbeddedServer(embedded_dir / "data").start()


def test_what_a_statement_says_stays_out_of_the_log(embedded_dir: Path) -> None:
    with start_embedded(embedded_dir, durable=False) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE t (name text PRIMARY KEY)")
            connection.execute("INSERT INTO t VALUES ('Featherstonehaugh')")
            with pytest.raises(psycopg.errors.UniqueViolation):
                connection.execute("INSERT INTO t VALUES ('Featherstonehaugh')")
        time.sleep(0.05)
        assert "Featherstonehaugh" not in (embedded_dir / "postgres.log").read_text()
