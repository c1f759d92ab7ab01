"""The work on requests that are answered later: https://hl7.org/fhir/R4/async.html.

Each is kept, worked on by one process at a time, and answered once, whatever is killed meanwhile.

A job is sent through the application again, as a request that came without the wish to wait. What only reads
may be done again after an interruption. A batch or transaction takes its account down in the transaction that
does it (``bundle_log``), so that nothing of it is done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import structlog

from gateway import errors
from gateway.fhir import wire, xml
from gateway.fhir.bundle_log import LOG
from storage import jobs
from storage.jobs import Job, State
from storage.session import Raw, Store

if TYPE_CHECKING:
    from litestar import Litestar

    from gateway.settings import Settings

POLL_SECONDS: Final = 1.0
"""How long a job waits at most that another process has accepted and does not come to."""
PURGE_SECONDS: Final = 60.0
GRACE_SECONDS: Final = 20.0
"""How long a stop waits for jobs in hand; after that they are left to be taken up again."""
MOST_ATTEMPTS: Final = 5
"""A job that has ended its process so often, or found the database unavailable, is given up."""
SCHEME: Final = ":scheme"
"""Among the headers of a job: how it was called, under HTTP/2's name for it."""

_log = structlog.get_logger(__name__)
Outcome = tuple[int, bytes]


class Jobs:
    """The jobs of one database, and the tasks that work on them; ``start`` and ``stop`` belong to the
    application's life. At most ``settings.async_jobs`` are worked on at once by a process.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], datetime],
        new_id: Callable[[], UUID],
        settings: Settings,
    ) -> None:
        self.store = store
        self.clock = clock
        self.new_id = new_id
        self.count = settings.async_jobs
        self.kept = timedelta(seconds=settings.async_result_seconds)
        self._threads = ThreadPoolExecutor(self.count, "async-job")
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._running: set[Future[Outcome]] = set()
        self._stopping = False
        self._purged: datetime | None = None

    # --- for who asks ------------------------------------------------------------------------------------

    def accept(self, job: Job) -> None:
        """Keep a job: when this returns it will be done. Raises psycopg's errors."""
        with self.store.connection() as connection:
            jobs.add(connection, job, self.clock())

    def wake(self) -> None:
        """Say that there is something to do."""
        self._wake.set()

    def state(self, job_id: str, caller: str | None) -> State:
        """Return how a job of a caller stands. Raises NotFound: it is not there (any more), or another's."""
        with self.store.connection() as connection:
            return self._seen(connection, job_id, caller)

    def cancel(self, job_id: str, caller: str | None) -> None:
        """Let a job of a caller be done no more, or forget its answer. Raises NotFound."""
        with self.store.connection() as connection:
            self._seen(connection, job_id, caller)
            now = self.clock()
            jobs.cancel(connection, UUID(job_id), now)
            jobs.purge(connection, now - self.kept)

    def _seen(self, connection: Raw, job_id: str, caller: str | None) -> State:
        try:
            found = jobs.look(connection, UUID(job_id))
        except ValueError:
            found = None
        if found is None or found.caller != caller or found.status == jobs.CANCELLED or self._expired(found):
            raise errors.NotFound("There is no such request, or its answer is kept no longer.")
        return found

    def _expired(self, state: State) -> bool:
        return state.at is not None and state.at + self.kept <= self.clock()

    # --- the work ----------------------------------------------------------------------------------------

    async def start(self, app: Litestar) -> None:
        """Begin to work on jobs, those first that were left by a process which is gone."""
        self._tasks = [asyncio.create_task(self._serve(app)) for _ in range(self.count)]

    async def stop(self) -> None:
        """Take up no more jobs, and let those in hand come to their end within the time of grace."""
        self._stopping = True
        self.wake()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=GRACE_SECONDS)
        for left in list(self._running):
            left.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _serve(self, app: Litestar) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping:
            self._wake.clear()
            if not await loop.run_in_executor(self._threads, self._step, app, loop):
                await self._rest()

    async def _rest(self) -> None:
        if self._stopping:
            return
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._wake.wait()
        except TimeoutError:
            pass

    def _step(self, app: Litestar, loop: asyncio.AbstractEventLoop) -> bool:
        """Work on the oldest job that waits; tell whether the next may be looked for at once."""
        try:
            with self.store.connection() as connection:
                self._purge(connection)
            return self._work(app, loop)
        except Exception as error:  # noqa: BLE001 - the database is gone, or a stop: the job stays as it is
            _log.warning("asynchronous request left for later", error=type(error).__name__)
            return False

    def _work(self, app: Litestar, loop: asyncio.AbstractEventLoop) -> bool:
        with self.store.transaction() as held:
            job_id = jobs.claim(held.raw)
            if job_id is None:
                return False
            with self.store.connection() as connection:
                # Whoever is too late to claim it has not tried it.
                jobs.begin(connection, job_id, self.clock())
            job = jobs.hold(held.raw, job_id)
            if job is None:
                return True
            held.allow_pauses()
            if not jobs.answered(held.raw, job_id):
                status, content = self._outcome(app, loop, job)
                if status == errors.Unavailable.status and job.attempts < MOST_ATTEMPTS:
                    return False
                jobs.answer(held.raw, job_id, status, content, self.clock())
            jobs.finish(held.raw, job_id, self.clock())
        return True

    def _outcome(self, app: Litestar, loop: asyncio.AbstractEventLoop, job: Job) -> Outcome:
        if job.attempts > MOST_ATTEMPTS:
            _log.error("asynchronous request given up", id=str(job.id), attempts=job.attempts)
            problem = errors.Internal(str(job.id))
            return problem.status, wire.encode(errors.operation_outcome(problem))
        running = asyncio.run_coroutine_threadsafe(dispatch(app, job, Account(self, job.id)), loop)
        self._running.add(running)
        try:
            return running.result()
        finally:
            self._running.discard(running)

    def _purge(self, connection: Raw) -> None:
        now = self.clock()
        if self._purged is None or (now - self._purged).total_seconds() >= PURGE_SECONDS:
            self._purged = now
            jobs.purge(connection, now - self.kept)


@dataclass(frozen=True)
class Account:
    """The account of the Bundle of a job: its answer is written by the transaction that does it."""

    jobs: Jobs
    job_id: UUID

    def before(self) -> dict[int, bytes]:
        """Return what became of entries of a batch before an interruption."""
        with self.jobs.store.connection() as connection:
            return jobs.entries(connection, self.job_id)

    def entry(self, connection: Raw, place: int, content: bytes) -> None:
        """Take down what becomes of an entry of a batch. Raises Cancelled."""
        if not jobs.enter(connection, self.job_id, place, content):
            raise errors.Cancelled

    def whole(self, connection: Raw, content: bytes) -> None:
        """Take down the answer of a transaction. Raises Cancelled."""
        if not jobs.answer(connection, self.job_id, 200, content, self.jobs.clock()):
            raise errors.Cancelled


async def dispatch(app: Litestar, job: Job, account: Account) -> Outcome:
    """Send a job through the application; return the status and the body of its answer, as JSON."""
    messages: list[Any] = [{"type": "http.request", "body": job.body, "more_body": False}]
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop() if messages else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(_scope(job, account), receive, send)
    content = b"".join(message.get("body", b"") for message in sent)
    headers = dict(sent[0]["headers"])
    # A form may name a format of its own.
    return sent[0]["status"], xml.to_json(content) if b"xml" in headers[b"content-type"] else content


def _scope(job: Job, account: Account) -> Any:
    """Return the ASGI scope of a job."""
    headers = {name: value for name, value in job.headers.items() if name != SCHEME}
    headers |= {"accept": "application/fhir+json", "content-length": str(len(job.body))}
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": job.method,
        "scheme": job.headers.get(SCHEME, "http"),
        "path": job.path,
        "raw_path": job.path.encode(),
        "query_string": job.query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        # A URL without a server loses its scheme; the name is that of the header host.
        "server": ("localhost", 80),
        "client": None,
        "extensions": {},
        "state": {LOG: account},
    }
