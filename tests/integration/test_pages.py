"""The pages of the message store: what they show, that nothing in them runs, and who may send their forms."""

from __future__ import annotations

from html.parser import HTMLParser

import httpx
import pytest

from storage.session import Store
from tests.fixtures.server import rows
from tests.integration.native.test_messages import Peer, listed
from tests.wire.messages import FAMILY, header, message, order, result

PAGES = "/pages/messages"
FROM_HERE = {"sec-fetch-site": "same-origin"}


class Page(HTMLParser):
    """A page: its headings, links, forms and texts, and what it would load or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.runs: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag in ("link", "img", "iframe"):
            self.loads.append(told.get("href") or told.get("src") or "")
        if tag in ("script", "style") or any(name == "style" or name.startswith("on") for name in told):
            self.runs.append(tag)
        if tag == "a":
            self.links.append(told.get("href") or "")

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture
def peer(clean: Store) -> Peer:
    return Peer(clean)


def page(http: httpx.Client, path: str = PAGES, status: int = 200) -> Page:
    answer = http.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert answer.headers["cache-control"] == "no-store"
    found = Page(answer.text)
    assert found.runs == []
    assert found.loads == ["/pages/page.css"]
    return found


def test_the_list_counts_all_messages_and_links_to_each(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"), order("m1", "A1"), order("m2", "A2", kind="ZZZ^Z01"))
    found = page(http)
    assert (
        "received 3 = applied 1 + repeats 1 + rejected 1 + failed 0 + waiting 0 ; 1 open"
        in found.text.replace("0;", "0 ;")
    )
    keys = [f"{PAGES}/{item['id']}" for item in listed(http)]
    assert [link for link in found.links if link in keys] == keys
    assert f"{PAGES}/{listed(http, state='open')[0]['id']}" in page(http, f"{PAGES}?state=open&type=").links
    assert http.get("/pages/page.css").headers["content-type"].startswith("text/css")


def test_pages_of_the_list_follow_each_other(http: httpx.Client, peer: Peer) -> None:
    peer.send(*(order(f"m{n}", f"A{n}") for n in range(3)))
    first = page(http, f"{PAGES}?page_size=2")
    (older,) = (link for link in first.links if "page=2" in link)
    assert "m0" in page(http, older).text


def test_a_message_is_shown_with_bytes_fields_result_and_warnings(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1") + b"ZPI|1|caf\xe9\r")
    found = page(http, f"{PAGES}/{listed(http)[0]['id']}")
    for text in ("Bytes", "Fields", "Result", "Warnings", "Answer"):
        assert text in found.text
    assert "ZPI|1|caf\\xe9\\r" in found.text
    assert "Patient.gender" in found.text
    assert "ZPI[1]-2: ZPI-2 is kept but not mapped" in found.text
    assert "MSA|AA|m1" in found.text
    version = next(link for link in found.links if link.startswith("/fhir/ServiceRequest/"))
    assert http.get(version).status_code == 200


def test_what_stands_in_a_message_is_text_and_nothing_else(http: httpx.Client, peer: Peer) -> None:
    nasty = "<script>alert(1)</script>\"'>"
    peer.send(message(header(nasty[:20]), f"PID|1||7^^^CITY^MR||{nasty}", f"ZZ1|{nasty}"), nasty.encode())
    for item in listed(http):
        assert nasty in page(http, f"{PAGES}/{item['id']}").text
    page(http, PAGES + "?control_id=%22%3E%3Cscript%3E")
    page(http)


def test_a_replay_is_shown_first_and_then_done_from_there(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"))
    peer.fail(result("m2", "A1"))
    path = f"{PAGES}/{listed(http, state='open')[0]['id']}"
    before = rows(peer.store)
    shown = http.post(f"{path}/replay", data={"do": "show"}, headers=FROM_HERE)
    assert shown.status_code == 200
    assert "A replay now would be applied" in shown.text
    assert "<td>status</td><td>active</td><td>completed</td>" in shown.text
    assert rows(peer.store) == before
    done = http.post(f"{path}/replay", data={"do": "replay"}, headers=FROM_HERE)
    assert done.status_code == 303
    assert "It replays" in page(http, done.headers["location"]).text
    assert [item["status"] for item in listed(http)] == ["applied", "error", "applied"]


def test_a_form_that_another_page_sends_is_refused(http: httpx.Client, peer: Peer) -> None:
    peer.fail(order("m1", "A1"))
    path = f"{PAGES}/{listed(http)[0]['id']}/replay"
    elsewhere: list[dict[str, str]] = [
        {},
        {"origin": "https://elsewhere.example.org"},
        {"origin": "null"},
        {"sec-fetch-site": "cross-site", "origin": "https://elsewhere.example.org"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": str(http.base_url).rstrip("/")},
    ]
    for headers in elsewhere:
        assert http.post(path, data={"do": "replay"}, headers=headers).status_code == 403
    assert len(listed(http)) == 1
    here = {"origin": str(http.base_url).rstrip("/")}
    assert http.post(path, data={"do": "replay"}, headers=here).status_code == 303


def test_a_page_that_is_not_there_and_a_filter_that_is_none_are_told_in_a_page(
    http: httpx.Client, peer: Peer
) -> None:
    assert "There is no such message" in page(http, f"{PAGES}/x", 404).text
    assert "colour" in page(http, f"{PAGES}?colour=red", 400).text
    assert FAMILY not in page(http, f"{PAGES}?date_from=x", 400).text
