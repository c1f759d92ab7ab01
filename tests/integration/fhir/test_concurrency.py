"""Many writers at once: https://hl7.org/fhir/R4/http.html#concurrency and https://hl7.org/fhir/R4/http.html#upsert."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import httpx

from storage.session import Store
from tests.fixtures.server import Fhir, outcome

WRITERS = 16


def at_once(work: Callable[[int], Any], writers: int = WRITERS) -> list[Any]:
    """Run something in as many threads, all beginning together; return what came of each."""
    start = Barrier(writers)

    def run(number: int) -> Any:
        start.wait()
        return work(number)

    with ThreadPoolExecutor(writers) as pool:
        return list(pool.map(run, range(writers)))


def statuses(answers: Iterable[httpx.Response]) -> Counter[int]:
    return Counter(answer.status_code for answer in answers)


def patient(fhir_id: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": fhir_id, **elements}


def test_of_writers_who_name_the_same_version_exactly_one_wins(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    for version in range(1, 4):
        answers = at_once(
            lambda n, v=version: fhir.put(
                "Patient/p", patient("p", multipleBirthInteger=100 * v + n), if_match=f'W/"{v}"'
            )
        )
        assert statuses(answers) == {200: 1, 412: WRITERS - 1}
        (won,) = [answer for answer in answers if answer.status_code == 200]
        assert won.headers["etag"] == f'W/"{version + 1}"'
        assert fhir.get("Patient/p").content == won.content
    history = fhir.get("Patient/p/_history").json()
    assert [entry["resource"]["meta"]["versionId"] for entry in history["entry"]] == ["4", "3", "2", "1"]


def test_no_update_is_lost_where_each_writer_tries_until_it_wins(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")

    def add(number: int) -> None:
        while True:
            read = fhir.get("Patient/p")
            value = read.json()
            value.setdefault("name", []).append({"family": f"F{number}"})
            answer = fhir.put("Patient/p", value, if_match=read.headers["etag"])
            if answer.status_code == 200:
                return
            outcome(answer, 412)

    at_once(add, 8)
    last = fhir.get("Patient/p").json()
    assert {name["family"] for name in last["name"]} == {f"F{number}" for number in range(8)}
    assert last["meta"]["versionId"] == "9"


def test_updates_without_a_version_all_succeed_and_each_is_a_version(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    answers = at_once(lambda n: fhir.put("Patient/p", patient("p", multipleBirthInteger=n + 1)))
    assert statuses(answers) == {200: WRITERS}
    assert {answer.headers["etag"] for answer in answers} == {f'W/"{n + 2}"' for n in range(WRITERS)}


def test_of_writers_who_create_the_same_id_one_creates_and_the_others_update(fhir: Fhir) -> None:
    for name in ("a", "b", "c"):
        answers = at_once(lambda n, i=name: fhir.put(f"Patient/{i}", patient(i, multipleBirthInteger=n + 1)))
        assert statuses(answers) == {201: 1, 200: WRITERS - 1}
        assert fhir.get(f"Patient/{name}/_history").json()["total"] == WRITERS


def test_of_writers_who_create_the_same_content_under_one_id_one_makes_a_version(fhir: Fhir) -> None:
    answers = at_once(lambda _: fhir.put("Patient/a", patient("a", gender="other")))
    assert statuses(answers) == {201: 1, 200: WRITERS - 1}
    assert {answer.headers["etag"] for answer in answers} == {'W/"1"'}


def test_order_numbers_of_many_writers_are_unique_and_without_gaps(fhir: Fhir) -> None:
    order = {
        "resourceType": "ServiceRequest",
        "status": "active",
        "intent": "order",
        "subject": {"display": "x"},
    }
    answers = at_once(lambda _: [fhir.post("ServiceRequest", order) for _ in range(3)])
    made = [answer.json() for several in answers for answer in several]
    for system in ("order-number", "accession-number"):
        url = f"http://suture.example.org/fhir/sid/{system}"
        values = [i["value"] for order in made for i in order["identifier"] if i["system"] == url]
        numbers = sorted(int(value.rpartition("-")[2]) for value in values)
        assert numbers == list(range(1, 3 * WRITERS + 1))


def test_a_unique_identifier_goes_to_one_of_many_writers(fhir: Fhir) -> None:
    mrn = {"system": "http://suture.example.org/fhir/sid/mrn", "value": "M1"}
    answers = at_once(lambda _: fhir.post("Patient", {"resourceType": "Patient", "identifier": [mrn]}))
    assert statuses(answers) == {201: 1, 409: WRITERS - 1}
    for answer in answers:
        if answer.status_code == 409:
            assert f"{mrn['system']}|M1" in outcome(answer, 409, "duplicate")["diagnostics"]


def test_writers_who_refer_to_each_other_all_get_through(fhir: Fhir) -> None:
    def link(number: int) -> list[httpx.Response]:
        one, other = ("a", "b") if number % 2 else ("b", "a")
        return [
            fhir.put(
                f"Patient/{one}",
                patient(
                    one,
                    multipleBirthInteger=10 * number + turn + 1,
                    link=[{"other": {"reference": f"Patient/{other}"}, "type": "seealso"}],
                ),
            )
            for turn in range(4)
        ]

    answers = [answer for several in at_once(link, 8) for answer in several]
    assert statuses(answers) == {201: 2, 200: 30}


def test_a_reference_and_its_target_that_come_at_the_same_time_find_each_other(
    fhir: Fhir, store: Store
) -> None:
    pairs = 24

    def write(number: int) -> list[httpx.Response]:
        answers: list[httpx.Response] = []
        for pair in range(pairs):
            if number % 2:
                answers.append(fhir.put(f"Patient/t{number // 2}-{pair}", patient(f"t{number // 2}-{pair}")))
            else:
                about = {"subject": {"reference": f"Patient/t{number // 2}-{pair}"}}
                value = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}, **about}
                answers.append(fhir.post("Observation", value))
        return answers

    answers = [answer for several in at_once(write, 8) for answer in several]
    assert statuses(answers) == {201: 8 * pairs}
    with store.connection() as connection:
        loose = connection.execute("SELECT count(*) FROM reference WHERE target_id IS NULL").fetchone()
        without = connection.execute("SELECT count(*) FROM observation WHERE patient_id IS NULL").fetchone()
    assert (loose, without) == ((0,), (0,))


def test_of_deleters_one_deletes_and_nobody_fails(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    answers = at_once(lambda _: fhir.delete("Patient/p"))
    assert statuses(answers) == {204: WRITERS}
    assert fhir.get("Patient/p/_history").json()["total"] == 2
