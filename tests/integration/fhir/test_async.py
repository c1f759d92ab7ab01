"""Requests that are answered later: https://hl7.org/fhir/R4/async.html."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID

import httpx
import psycopg
import pytest

from gateway.app import new_id
from storage import jobs
from storage.jobs import Job
from storage.lexical import ENCODER
from storage.session import Store
from tests.fixtures.bundles import bundle, entry, patient
from tests.fixtures.server import Fhir, outcome, rows
from tests.wire.gateway import Gateway as Killable

LATER = {"prefer": "respond-async"}
PATIENCE = 30


def accepted(answer: httpx.Response) -> str:
    """Return where the answer of an accepted request will be."""
    assert answer.status_code == 202, answer.text
    assert answer.headers["preference-applied"] == "respond-async"
    assert b"OperationOutcome" in answer.content
    return answer.headers["content-location"]


def awaited(client: httpx.Client, url: str, **headers: str) -> httpx.Response:
    """Ask until there is an answer."""
    deadline = time.monotonic() + PATIENCE
    while (answer := client.get(url, headers=headers)).status_code == 202:
        assert time.monotonic() < deadline, "there is no answer"
        assert 0 < len(answer.headers["x-progress"]) < 100
        assert int(answer.headers["retry-after"]) >= 1
        time.sleep(0.05)
    return answer


def told(answer: httpx.Response) -> dict[str, Any]:
    """Return the one entry of a finished request's Bundle."""
    assert answer.status_code == 200, answer.text
    value = answer.json()
    assert (value["resourceType"], value["type"]) == ("Bundle", "batch-response")
    (found,) = value["entry"]
    return found


def later(fhir: Fhir, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
    """Send a request that is to be answered later, and wait for what it is answered with."""
    return awaited(fhir.http, accepted(fhir.ask(method, path, body, **(LATER | headers))))


def two_patients(kind: str) -> dict[str, Any]:
    return bundle(kind, entry("POST", "Patient", patient()), entry("POST", "Patient", patient()))


@contextmanager
def held_up(url: str) -> Generator[None]:
    """Keep whoever writes a resource waiting for the length of the block."""
    with psycopg.connect(url) as connection:
        connection.execute("LOCK TABLE resource IN EXCLUSIVE MODE")
        yield


def held_until_working(client: httpx.Client, url: str) -> None:
    """Return when a request is worked on."""
    deadline = time.monotonic() + PATIENCE
    while not client.get(url).headers["x-progress"].startswith("in progress"):
        assert time.monotonic() < deadline, "nobody works on it"
        time.sleep(0.02)


@pytest.mark.parametrize(
    "path",
    [
        "Patient?family=doe",
        "?_type=Patient",
        "_history",
        "Patient/_history",
        "Patient/jane/_history",
        "Patient/jane/Observation",
        "Patient/jane/$everything",
    ],
)
def test_a_reading_request_is_answered_later_as_it_would_have_been_at_once(fhir: Fhir, path: str) -> None:
    fhir.made("Patient", id="jane", name=[{"family": "Doe"}])
    found = told(later(fhir, "GET", path))
    assert found["response"] == {"status": "200 OK"}
    assert found["resource"] == fhir.get(path).json()


def test_a_search_by_post_is_answered_later(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane", name=[{"family": "Doe"}])
    form = {"content-type": "application/x-www-form-urlencoded"}
    found = told(later(fhir, "POST", "Patient/_search", b"family=doe&_format=xml", **form))
    assert found["resource"]["total"] == 1


def test_a_validation_is_answered_later(fhir: Fhir) -> None:
    found = told(later(fhir, "POST", "Patient/$validate", patient(gender="femal")))
    assert found["resource"]["issue"][0]["code"] == "code-invalid"


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_bundle_is_processed_once_and_answered_later(fhir: Fhir, kind: str) -> None:
    found = told(later(fhir, "POST", "", two_patients(kind)))["resource"]
    assert found["type"] == f"{kind}-response"
    assert [part["response"]["status"] for part in found["entry"]] == ["201 Created", "201 Created"]
    assert fhir.get("Patient?_summary=count").json()["total"] == 2


def test_what_else_is_preferred_goes_with_the_request(fhir: Fhir) -> None:
    preferring = {"prefer": 'respond-async, wait=10, return="representation"'}
    found = told(later(fhir, "POST", "", two_patients("transaction"), **preferring))["resource"]
    assert [part["resource"]["resourceType"] for part in found["entry"]] == ["Patient", "Patient"]
    assert told(later(fhir, "GET", "Patient?famly=x", prefer="respond-async; handling=lenient"))
    assert fhir.get("Patient", prefer="x-respond-async").status_code == 200


def test_a_request_that_fails_is_answered_with_its_own_status(fhir: Fhir) -> None:
    failed = later(fhir, "GET", "Patient/nobody/_history")
    assert "Patient/nobody" in outcome(failed, 404, "not-found")["diagnostics"]
    assert "expires" in failed.headers
    assert "content-location" in failed.headers


def test_a_transaction_that_fails_stores_nothing(fhir: Fhir) -> None:
    value = bundle(
        "transaction", entry("POST", "Patient", patient()), entry("POST", "Patient", patient(gender="x"))
    )
    outcome(later(fhir, "POST", "", value), 422, "code-invalid")
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


@pytest.mark.parametrize(
    "path", ["Patient?famly=doe", "?_type=Patient&famly=doe", "Patient/jane/Observation?famly=doe"]
)
def test_a_search_that_cannot_be_understood_is_refused_at_once(fhir: Fhir, path: str) -> None:
    outcome(fhir.get(path, **LATER), 400, "not-supported")
    form = {"content-type": "application/x-www-form-urlencoded"}
    place, _, text = path.partition("?")
    searched = f"{place}/_search".lstrip("/")
    outcome(fhir.post(searched, text.encode(), **(form | LATER)), 400, "not-supported")


def test_what_cannot_be_accepted_is_refused_at_once(fhir: Fhir) -> None:
    outcome(fhir.get("Patient", accept="text/csv", **LATER), 406)
    outcome(fhir.post("", b"...", **({"content-type": "text/plain"} | LATER)), 415)


def test_what_is_quick_is_answered_at_once(fhir: Fhir) -> None:
    made = fhir.post("Patient", patient(), **LATER)
    assert made.status_code == 201
    name = f"Patient/{made.json()['id']}"
    assert fhir.get(name, **LATER).status_code == 200
    assert fhir.delete(name, **LATER).status_code == 204
    assert fhir.ask("HEAD", "Patient", **LATER).status_code == 200


def test_the_answer_comes_in_the_format_in_which_it_is_asked_for(fhir: Fhir) -> None:
    fhir.made("Patient", id="jane")
    url = accepted(fhir.get("Patient?_format=xml", **LATER))
    assert told(awaited(fhir.http, url, accept="application/fhir+json"))["resource"]["total"] == 1
    asked = awaited(fhir.http, url, accept="application/fhir+xml")
    assert asked.headers["content-type"].startswith("application/fhir+xml")
    assert b'<type value="batch-response"/>' in asked.content


def test_a_bundle_in_xml_is_processed_later(fhir: Fhir) -> None:
    sent = (
        b'<Bundle xmlns="http://hl7.org/fhir"><type value="transaction"/>'
        b"<entry><resource><Patient/></resource>"
        b'<request><method value="POST"/><url value="Patient"/></request></entry></Bundle>'
    )
    found = told(later(fhir, "POST", "", sent, **{"content-type": "application/fhir+xml"}))
    assert found["resource"]["entry"][0]["response"]["status"] == "201 Created"


def test_an_answer_is_kept_for_a_day_and_may_be_asked_for_again(fhir: Fhir) -> None:
    url = accepted(fhir.get("Patient", **LATER))
    first = awaited(fhir.http, url)
    kept = parsedate_to_datetime(first.headers["expires"]) - datetime.now(UTC)
    assert timedelta(hours=23) < kept <= timedelta(hours=24)
    assert fhir.http.get(url).content == first.content


def test_only_who_asked_sees_the_answer_or_cancels(fhir: Fhir) -> None:
    url = accepted(fhir.get("Patient", **(LATER | {"x_user": "ada"})))
    assert told(awaited(fhir.http, url, **{"x-user": "ada"}))
    for other in ({}, {"x-user": "eve"}):
        outcome(fhir.http.get(url, headers=other), 404, "not-found")
        outcome(fhir.http.delete(url, headers=other), 404, "not-found")
    assert fhir.http.delete(url, headers={"x-user": "ada"}).status_code == 202


def test_an_answer_that_was_deleted_is_gone(fhir: Fhir, store: Store) -> None:
    url = accepted(fhir.get("Patient", **LATER))
    assert awaited(fhir.http, url).status_code == 200
    assert fhir.http.delete(url).status_code == 202
    outcome(fhir.http.get(url), 404, "not-found")
    outcome(fhir.http.delete(url), 404, "not-found")


@pytest.mark.parametrize("name", ["nothing", "00000000-0000-0000-0000-000000000000"])
def test_a_request_that_never_was_is_not_found(fhir: Fhir, name: str) -> None:
    outcome(fhir.get(f"_async/{name}"), 404, "not-found")
    outcome(fhir.delete(f"_async/{name}"), 404, "not-found")


@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_a_request_that_is_cancelled_while_it_is_worked_on_does_nothing(
    fhir: Fhir, clean: Store, database_url: str, kind: str
) -> None:
    with held_up(database_url):
        url = accepted(fhir.post("", two_patients(kind), **LATER))
        held_until_working(fhir.http, url)
        assert fhir.http.delete(url).status_code == 202
        outcome(fhir.http.get(url), 404)
    settled(clean)
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


def settled(store: Store) -> None:
    """Return when nobody works on a request any more."""
    deadline = time.monotonic() + PATIENCE
    with store.connection() as connection:
        while connection.execute("SELECT 1 FROM async_job WHERE finished_at IS NULL").fetchone():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_nothing_of_a_cancelled_or_forgotten_request_is_left(fhir: Fhir, clean: Store) -> None:
    url = accepted(fhir.post("", two_patients("batch"), **LATER))
    assert awaited(fhir.http, url).status_code == 200
    settled(clean)
    assert kept(clean) == (1, 1, 0)
    with clean.connection() as connection:
        assert connection.execute("SELECT body FROM async_job").fetchone() == (None,)
    fhir.http.delete(url)
    assert kept(clean) == (0, 0, 0)


def kept(store: Store) -> tuple[int, ...]:
    """Return how many jobs, answers and entries of batches are kept."""
    found = rows(store)
    return tuple(found.get(f"async_{name}", 0) for name in ("job", "answer", "entry"))


# --- gateways of their own, which are killed or kept short ------------------------------------------------


@pytest.fixture
def killable(new_database: Callable[[bool], str]) -> Iterator[tuple[Killable, str]]:
    url = new_database(True)
    gateway = Killable(SUTURE_DATABASE_URL=url, SUTURE_ASYNC_JOBS="1")
    yield gateway, url
    gateway.stop()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["batch", "transaction"])
def test_what_was_accepted_before_a_kill_is_done_after_it_once(
    killable: tuple[Killable, str], kind: str
) -> None:
    gateway, database_url = killable
    gateway.start()
    with httpx.Client(timeout=30) as client, held_up(database_url):
        at = [
            accepted(client.post(f"{gateway.base}/fhir", json=two_patients(kind), headers=LATER))
            for _ in range(3)
        ]
        held_until_working(client, at[0])
        assert client.get(at[1]).headers["x-progress"] == "waiting"
        gateway.kill()
    gateway.start()
    with httpx.Client(timeout=30) as client:
        for url in at:
            found = told(awaited(client, url))["resource"]
            assert [part["response"]["status"] for part in found["entry"]] == ["201 Created"] * 2
        count = client.get(f"{gateway.base}/fhir/Patient?_summary=count").json()["total"]
    assert count == 6


@pytest.mark.slow
def test_entries_of_a_batch_that_were_done_before_a_kill_are_not_done_again(
    killable: tuple[Killable, str],
) -> None:
    gateway, _ = killable
    gateway.start()
    value = bundle("batch", *(entry("POST", "Patient", patient()) for _ in range(400)))
    with httpx.Client(timeout=30) as client:
        url = accepted(client.post(f"{gateway.base}/fhir", json=value, headers=LATER))
        deadline = time.monotonic() + PATIENCE
        while "entries" not in client.get(url).headers["x-progress"]:
            assert time.monotonic() < deadline
        gateway.kill()
        gateway.start()
        found = told(awaited(client, url))["resource"]["entry"]
        assert [part["response"]["status"] for part in found] == ["201 Created"] * 400
        assert len({part["response"]["location"] for part in found}) == 400
        assert client.get(f"{gateway.base}/fhir/Patient?_summary=count").json()["total"] == 400


def test_an_answer_is_kept_for_the_stated_time_and_no_longer(
    new_database: Callable[[bool], str],
) -> None:
    gateway = Killable(SUTURE_DATABASE_URL=new_database(True), SUTURE_ASYNC_RESULT_SECONDS="1")
    gateway.start()
    try:
        with httpx.Client(timeout=30) as client:
            url = accepted(client.get(f"{gateway.base}/fhir/Patient", headers=LATER))
            assert awaited(client, url).status_code == 200
            time.sleep(1.1)
            outcome(client.get(url), 404, "not-found")
    finally:
        gateway.stop()


def test_several_processes_do_each_request_once(new_database: Callable[[bool], str]) -> None:
    gateway = Killable(SUTURE_DATABASE_URL=new_database(True), SUTURE_WORKERS="2")
    gateway.start()
    try:
        with httpx.Client(timeout=30) as client:
            root = f"{gateway.base}/fhir"
            at = [
                accepted(client.post(root, json=two_patients("transaction"), headers=LATER))
                for _ in range(20)
            ]
            places = [
                part["response"]["location"]
                for url in at
                for part in told(awaited(client, url))["resource"]["entry"]
            ]
            assert len(set(places)) == 40
            assert client.get(f"{root}/Patient?_summary=count").json()["total"] == 40
    finally:
        gateway.stop()


# --- what only an interruption at a bad moment leaves behind ----------------------------------------------


def left_behind(
    store: Store, attempts: int = 1, answer: bytes | None = None, at: datetime | None = None
) -> UUID:
    """Make a job as a process would have left it that is gone, and return its id."""
    body = ENCODER.encode(two_patients("transaction"))
    headers = {"host": "localhost", "content-type": "application/fhir+json"}
    job = Job(new_id(), None, "POST", "/fhir/", "", headers, body)
    with store.transaction() as session:
        jobs.add(session.raw, job, datetime.now(UTC))
        session.raw.execute("UPDATE async_job SET attempts = %s WHERE id = %s", (attempts, job.id))
        if answer is not None:
            jobs.answer(session.raw, job.id, 200, answer, at or datetime.now(UTC))
    return job.id


def test_what_was_answered_but_not_finished_is_not_done_again(fhir: Fhir, clean: Store) -> None:
    content = ENCODER.encode({"resourceType": "Bundle", "type": "transaction-response"})
    job_id = left_behind(clean, answer=content)
    settled(clean)
    assert told(fhir.get(f"_async/{job_id}"))["resource"]["type"] == "transaction-response"
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


def test_a_request_that_ends_its_process_again_and_again_is_given_up(fhir: Fhir, clean: Store) -> None:
    job_id = left_behind(clean, attempts=5)
    settled(clean)
    assert str(job_id) in outcome(fhir.get(f"_async/{job_id}"), 500, "exception")["diagnostics"]
    assert fhir.get("Patient?_summary=count").json()["total"] == 0


def test_a_request_that_was_left_is_done(fhir: Fhir, clean: Store) -> None:
    job_id = left_behind(clean, attempts=4)
    assert told(awaited(fhir.http, f"{fhir.base}/_async/{job_id}"))["resource"]["entry"]
    assert fhir.get("Patient?_summary=count").json()["total"] == 2


def test_only_answers_that_have_had_their_time_are_dropped(fhir: Fhir, clean: Store) -> None:
    now = datetime.now(UTC)
    old, young = (left_behind(clean, answer=b"{}", at=now - timedelta(hours=hours)) for hours in (3, 1))
    settled(clean)
    with clean.connection() as connection:
        assert jobs.purge(connection, now - timedelta(hours=2)) == 1
    outcome(fhir.get(f"_async/{old}"), 404, "not-found")
    assert fhir.get(f"_async/{young}").status_code == 200


@pytest.mark.slow
def test_a_stop_lets_a_request_in_hand_come_to_its_end(killable: tuple[Killable, str]) -> None:
    gateway, database_url = killable
    gateway.start()
    with httpx.Client(timeout=30) as client, held_up(database_url):
        url = accepted(client.post(f"{gateway.base}/fhir", json=two_patients("transaction"), headers=LATER))
        held_until_working(client, url)
        gateway.processes()[0].terminate()
        time.sleep(0.5)
    gateway.stop()
    store = Store(database_url, pool_size=1)
    found = rows(store)
    store.close()
    assert (found["async_answer"], found["patient"]) == (1, 2)
