"""Interactions and shapes of search on 1,000 and 10,000 patients, and whether each reaches its aim."""

from __future__ import annotations

import statistics
from pathlib import Path

import psycopg
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from storage import embedded
from storage.session import driver_url
from tests.benchmarks.bench_gateway import CLIENTS, Bench, Row, Use, figures, started
from tests.benchmarks.load import Job, Outcome
from tests.benchmarks.population import PATIENTS_OF_A_BUNDLE, RESOURCES_OF_A_PATIENT, bundles
from tests.benchmarks.shapes import BUNDLE, PER_CORE, aim, scenarios

SIZES = (1_000, 10_000)
ALONE = 500
"""So many patients of each size are loaded by one client, the others by ten."""
PATIENTS_A_STEP = 250


def matches(word: str) -> bool:
    """Whether the name of any scenario holds a word."""
    return any(word in scenario.name for scenario in scenarios(SIZES[0]))


def run(folder: Path, console: Console, word: str, *, quick: bool) -> None:
    """Load each size and print one table of it."""
    sizes = SIZES[:1] if quick else SIZES
    with started(folder, 0.25 if quick else 0.9, console) as bench:
        there = 0
        for size in sizes:
            rows = _measured(bench, console, word, there, size)
            there = size
            console.print(table(rows, size))
            console.print(_per_core(rows))
            _refusals(rows, console)


def _measured(bench: Bench, console: Console, word: str, there: int, size: int) -> list[Row]:
    chosen = [scenario for scenario in scenarios(size) if word in scenario.name]
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("", total=(size - there) // PATIENTS_A_STEP + len(chosen) * len(CLIENTS))

        def tell(what: str) -> None:
            progress.update(task, description=what, advance=1)

        rows: list[Row] = []
        parts = ((there, there + ALONE, CLIENTS[0]), (there + ALONE, size, CLIENTS[1]))
        for first, until, clients in parts:
            rows.append(_loaded(bench, progress, first, until, clients))
            progress.advance(task, (until - first) // PATIENTS_A_STEP)
        _settle(bench)
        for scenario in chosen:
            for clients in CLIENTS:
                tell(f"{scenario.name}, {clients}")
                rows.append(bench.measure(scenario, clients, f"s{size}"))
    return rows


def _loaded(bench: Bench, progress: Progress, first: int, until: int, clients: int) -> Row:
    """Load patients and tell what a resource costs; the times are those of bundles."""
    task = progress.add_task(f"loading, {clients} clients", total=until - first)
    whole, before = Outcome([], 0, 0.0), bench.use()
    for place in range(first, until, PATIENTS_A_STEP):
        requests = bundles(place, min(place + PATIENTS_A_STEP, until))
        part = bench.loader.send(Job("http", bench.gateway.http_port, clients, 600, requests, again=False))
        whole.times += part.times
        whole.refused += part.refused
        whole.refusal = whole.refusal or part.refusal
        whole.elapsed += part.elapsed
        progress.advance(task, PATIENTS_A_STEP)
    progress.remove_task(task)
    used = bench.use()
    cost = Use(used.gateway - before.gateway, used.database - before.database)
    return Row(
        BUNDLE, clients, whole, cost.gateway, cost.database, PATIENTS_OF_A_BUNDLE * RESOURCES_OF_A_PATIENT
    )


def _settle(bench: Bench) -> None:
    """Do now what PostgreSQL does by itself in the minutes after a load: gather statistics, write out."""
    url = embedded.running_url(bench.folder)
    if url is None:
        raise RuntimeError("the gateway's database does not run")
    with psycopg.connect(driver_url(url), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def table(rows: list[Row], size: int) -> Table:
    """One line for each scenario and number of clients; CPU in ms for each request."""
    made = Table(
        title=f"{size:,} patients, one worker",
        caption="Times in ms. gateway, PostgreSQL: CPU of a request; bundles: CPU and rate of a resource.",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    made.add_column("what", no_wrap=True)
    names = ("clients", "per s", "p50", "p95", "p99", "gateway", "PostgreSQL", "aim", "")
    for name in names:
        made.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        made.add_row(row.name, str(row.clients), *figures(row), *_judged(row))
    return made


def _judged(row: Row) -> tuple[str, str]:
    """The aim of a row, and whether it is reached."""
    wanted = aim(row.name)
    if wanted is None or row.clients not in wanted.clients:
        return "", ""
    p99 = statistics.quantiles(row.outcome.times, n=100)[98]
    found = p99 if wanted.of == "p99" else row.gateway / row.count
    return f"{wanted.of} {wanted.most:g}", told(found * 1000 <= wanted.most)


def told(reached: bool) -> str:
    """The words for an aim."""
    return "reached" if reached else "not reached"


def _per_core(rows: list[Row]) -> str:
    loads = [row for row in rows if row.name == BUNDLE]
    count = sum(row.count for row in loads)
    gateway, database = sum(row.gateway for row in loads), sum(row.database for row in loads)
    both = count / (gateway + database)
    return (
        f"bundles: {count / gateway:,.0f} resources for each processor second of the gateway, "
        f"{both:,.0f} with PostgreSQL's; aim {PER_CORE}: {told(both >= PER_CORE)}"
    )


def _refusals(rows: list[Row], console: Console) -> None:
    for row in rows:
        if row.outcome.refused:
            refusal = row.outcome.refusal[-300:]
            console.print(f"{row.name}: {row.outcome.refused} refused, such as {refusal!r}")
