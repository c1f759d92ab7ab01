"""The log: one event a line on stderr, for people or as JSON, with no patient data in it.

Events carry ids, counts and codes. An exception is told by its type and by where it was raised: its message
may quote a value, and so may a database's.
"""

from __future__ import annotations

import logging
import logging.config
import sys
import traceback
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Any, Literal, cast

import structlog
from structlog.typing import Processor

Format = Literal["console", "json"]
ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None]


def configure(form: Format, level: int = logging.INFO) -> None:
    """Send structlog's events and those of the standard library's loggers to stderr in the given form."""
    logging.config.dictConfig(standard_config(form, level))
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def standard_config(form: Format, level: int = logging.INFO) -> dict[str, Any]:
    """The same for loggers of the standard library alone, as `logging.config.dictConfig` takes it."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"event": {"()": "gateway.log.formatter", "form": form}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "event", "stream": "ext://sys.stderr"}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # The server announces its every step, and its access log has URLs: names, record numbers.
            "_granian": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
            "granian.access": {"level": "CRITICAL"},
        },
    }


def formatter(form: Format) -> structlog.stdlib.ProcessorFormatter:
    """The formatter of the one handler."""
    last: Processor = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(),
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        without_words,
    ]


def without_words(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Put an exception's types and places under `exception` and drop its messages; a structlog processor."""
    found: object = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    if isinstance(found, BaseException):
        found = (type(found), found, found.__traceback__)
    if isinstance(found, tuple) and found[0] is not None:
        event["exception"] = _places(cast("ExceptionInfo", found)[1])
    return event


def _places(error: BaseException | None) -> str:
    told: list[str] = []
    while error is not None and len(told) < 10:
        frames = traceback.extract_tb(error.__traceback__)[-12:]
        where = " > ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
        told.append(f"{type(error).__module__}.{type(error).__qualname__} at {where or 'unknown'}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " | caused by ".join(told)
