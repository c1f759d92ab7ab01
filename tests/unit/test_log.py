from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from gateway import log


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def fail() -> None:
    try:
        int("Featherstonehaugh")
    except ValueError as error:
        raise LookupError("no patient Featherstonehaugh") from error


def test_each_line_is_one_json_object(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json")
    structlog.get_logger("gateway.app").info("listening", http_port=8080)
    logging.getLogger("litestar").warning("slow %s", "request")
    first, second = (json.loads(line) for line in capsys.readouterr().err.splitlines())
    assert (first["event"], first["http_port"], first["logger"]) == ("listening", 8080, "gateway.app")
    assert (second["event"], second["level"]) == ("slow request", "warning")
    assert first["timestamp"].endswith("Z")


@pytest.mark.parametrize("form", ["console", "json"])
def test_an_exception_is_told_by_type_and_place_without_its_words(
    form: log.Format, capsys: pytest.CaptureFixture[str]
) -> None:
    log.configure(form)
    for logger in (structlog.get_logger("gateway.app"), logging.getLogger("litestar")):
        try:
            fail()
        except LookupError:
            logger.exception("failed")
    told = capsys.readouterr().err
    assert "Featherstonehaugh" not in told
    assert told.count("builtins.LookupError") == told.count("builtins.ValueError") == 2
    assert told.count("test_log.py") >= 4


def test_an_exception_may_be_given_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json")
    structlog.get_logger("gateway.app").error("failed", exc_info=ValueError("Featherstonehaugh"))
    line = json.loads(capsys.readouterr().err)
    assert line["exception"] == "builtins.ValueError at unknown"


def test_what_granian_says_of_requests_stays_out(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("json")
    logging.getLogger("granian.access").info("GET /fhir/Patient?name=Featherstonehaugh")
    logging.getLogger("_granian").info("Spawning worker-1")
    logging.getLogger("_granian").error("Unexpected exit from worker-1")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "Unexpected exit" in lines[0]
