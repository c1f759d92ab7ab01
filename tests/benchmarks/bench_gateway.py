"""A whole gateway with one worker and its own database: how fast it starts, serves, and what that costs."""

from __future__ import annotations

import statistics
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from storage import cluster, embedded
from tests.benchmarks import bare
from tests.benchmarks.load import Job, Loader, Outcome
from tests.benchmarks.scenarios import MESSAGES, SCENARIOS, Scenario, kept
from tests.wire.gateway import Gateway

CLIENTS = (1, 10)
SENDERS = (1, 4, 16)
AT_MOST_A_SECOND = 2500
"""Requests made ready for each second, where none may be sent twice."""


@dataclass(frozen=True)
class Use:
    """Processor seconds so far."""

    gateway: float
    database: float


@dataclass(frozen=True)
class Row:
    """One scenario with a number of clients; times in seconds. A request may hold several `parts`."""

    name: str
    clients: int
    outcome: Outcome
    gateway: float = 0.0
    database: float = 0.0
    parts: int = 1

    @property
    def count(self) -> int:
        """How many parts were sent."""
        return len(self.outcome.times) * self.parts

    @property
    def rate(self) -> float:
        return self.count / self.outcome.elapsed


class Bench:
    """A gateway to measure, over an empty folder."""

    def __init__(self, folder: Path, seconds: float) -> None:
        self.folder = folder
        self.seconds = seconds
        self.loader = Loader()
        self._gateway_clock, self._clock = Clock(), Clock()
        self.gateway = Gateway(SUTURE_DATA_DIR=str(folder), SUTURE_WORKERS="1", SUTURE_LOG_FORMAT="json")

    def databases(self) -> list[psutil.Process]:
        pids = cluster.processes(self.folder.resolve() / "postgres")
        return [found for pid in pids for found in alive(pid)]

    def use(self) -> Use:
        return Use(
            self._gateway_clock.seconds(self.gateway.processes()), self._clock.seconds(self.databases())
        )

    def measure(self, scenario: Scenario, clients: int, run: str = "") -> Row:
        """Send for a while to warm the connections' plans up, then measure; no `run` may come twice."""
        warm, measured = f"{run}w{clients}x", f"{run}c{clients}x"
        for request in (*scenario.before(warm), *scenario.before(measured)):
            self.loader.send(Job(scenario.protocol, self.gateway.http_port, 1, 60, [request], again=False))
        self._send(scenario, clients, warm, self.seconds / 3)
        before = self.use()
        outcome = self._send(scenario, clients, measured, self.seconds)
        after = self.use()
        return Row(
            scenario.name, clients, outcome, after.gateway - before.gateway, after.database - before.database
        )

    def _send(self, scenario: Scenario, clients: int, run: str, seconds: float) -> Outcome:
        port = self.gateway.mllp_port if scenario.protocol == "mllp" else self.gateway.http_port
        count = min(int(AT_MOST_A_SECOND * seconds), scenario.most) if scenario.once else 1000
        requests = [scenario.request(run, n) for n in range(count)]
        return self.loader.send(Job(scenario.protocol, port, clients, seconds, requests, not scenario.once))


def alive(pid: int) -> Generator[psutil.Process]:
    """The process of an id, if it is still there."""
    with suppress(psutil.NoSuchProcess):
        yield psutil.Process(pid)


class Clock:
    """The processor seconds of processes, in user mode and in the kernel, those that have ended included."""

    def __init__(self) -> None:
        self._seen: dict[psutil.Process, float] = {}

    def seconds(self, processes: list[psutil.Process]) -> float:
        """The seconds so far. Never less than before: the database's workers come and go."""
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                self._seen[process] = sum(process.cpu_times()[:2])
        return sum(self._seen.values())


def memory(processes: list[psutil.Process]) -> float:
    """The resident memory of processes in MiB; what they share is counted once (where the system tells)."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            info = process.memory_full_info()
            total += getattr(info, "pss", info.rss)
    return total / 1024 / 1024


@contextmanager
def started(folder: Path, seconds: float, console: Console) -> Generator[Bench]:
    """A gateway that has started twice, the first time on an empty folder."""
    bench = Bench(folder, seconds)
    try:
        first = bench.gateway.start()
        bench.gateway.stop()
        later = bench.gateway.start()
        console.print(f"start-up: first {first:.2f} s (with a new database), later {later:.2f} s")
        yield bench
    finally:
        bench.loader.close()
        bench.gateway.stop()


def matches(word: str) -> bool:
    """Whether the name of any scenario holds a word."""
    return any(word in scenario.name for scenario in SCENARIOS)


def matches_message(word: str) -> bool:
    """Whether the name of any message holds a word."""
    return any(word in scenario.name for scenario in MESSAGES)


def run_messages(folder: Path, console: Console, word: str, *, quick: bool) -> None:
    """Measure messages over MLLP: each is committed, and on the disk, before its AA leaves."""
    chosen = [scenario for scenario in MESSAGES if word in scenario.name]
    with started(folder, 0.5 if quick else 4.0, console) as bench:
        commit = _commit_row(bench)
        rows = [bench.measure(scenario, senders) for scenario in chosen for senders in SENDERS]
    console.print(table([commit, *rows], {scenario.name for scenario in chosen}))
    _tell_refused(console, rows)


def run(folder: Path, console: Console, word: str, *, quick: bool) -> None:
    """Measure the scenarios whose names hold the word, and print one table."""
    chosen = [scenario for scenario in SCENARIOS if word in scenario.name]
    with started(folder, 0.2 if quick else 1.6, console) as bench:
        bench.loader.send(Job("http", bench.gateway.http_port, 4, 60, kept(), again=False))
        rows: list[Row] = []
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("measuring", total=len(CLIENTS) * (len(chosen) + 1) + 1)
            with bare.serving() as port:
                for clients in CLIENTS:
                    rows.append(_bare_row(bench, port, clients))
                    progress.advance(task)
            rows.append(_commit_row(bench))
            progress.advance(task)
            for scenario in chosen:
                for clients in CLIENTS:
                    progress.update(task, description=f"{scenario.name}, {clients}")
                    rows.append(bench.measure(scenario, clients))
                    progress.advance(task)
        used = memory(bench.gateway.processes()), memory(bench.databases())
    console.print(table(rows, {scenario.name for scenario in chosen if scenario.writes}))
    console.print(f"resident memory after load: gateway {used[0]:.0f} MiB, PostgreSQL {used[1]:.0f} MiB")
    _tell_refused(console, rows)


def _tell_refused(console: Console, rows: list[Row]) -> None:
    for row in rows:
        if row.outcome.refused:
            console.print(
                f"{row.name}: {row.outcome.refused} refused, such as {row.outcome.refusal[-300:]!r}"
            )


BARE, COMMIT = "bare ASGI app", "bare insert + commit"


def _bare_row(bench: Bench, port: int, clients: int) -> Row:
    request = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    return Row(BARE, clients, bench.loader.send(Job("http", port, clients, bench.seconds / 2, [request])))


def _commit_row(bench: Bench) -> Row:
    url = embedded.running_url(bench.folder)
    if url is None:
        raise RuntimeError("the gateway's database does not run")
    before = bench.use()
    times = bare.commits(url, bench.seconds / 2)
    used = bench.use().database - before.database
    return Row(COMMIT, 1, Outcome(times, 0, sum(times)), 0.0, used)


def table(rows: list[Row], writes: set[str]) -> Table:
    """One line for each scenario; `x bare` is its time over that of the reference, at as many clients."""
    made = Table(
        title="one worker",
        caption="CPU: ms for each request (gateway, PostgreSQL). x bare: writes against insert + commit.",
    )
    made.add_column("what", no_wrap=True)
    for name in (
        "clients",
        "requests/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "CPU gateway",
        "CPU PostgreSQL",
        "x bare",
    ):
        made.add_column(name, justify="right", no_wrap=True)
    reference = {(row.name, row.clients): 1 / row.rate for row in rows if row.name in (BARE, COMMIT)}
    for row in rows:
        bare_time = reference.get((COMMIT, 1) if row.name in writes else (BARE, row.clients))
        ratio = f"{1 / row.rate / bare_time:.1f}" if bare_time and row.name not in (BARE, COMMIT) else ""
        made.add_row(row.name, str(row.clients), *figures(row), ratio)
    return made


def figures(row: Row) -> list[str]:
    """The rate, the percentiles of requests in ms, and the CPU of each request, or part of one, in ms."""
    times = row.outcome.times
    points = statistics.quantiles(times, n=100) if len(times) > 1 else times * 99
    told = [f"{points[place] * 1000:.2f}" for place in (49, 94, 98)]
    costs = [f"{used / row.count * 1000:.2f}" if used else "" for used in (row.gateway, row.database)]
    return [f"{row.rate:,.0f}", *told, *costs]
