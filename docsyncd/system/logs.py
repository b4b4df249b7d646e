"""structlog, set up once: for people on a terminal, JSON elsewhere.

Events are named `noun.verb`; `docs/reference/events.md` lists them. File names, titles and parties are client data and stay
out; ids, keys and hashes stand for them. What libraries say by way of `logging` or `warnings` takes the same shape, under the
event `library.message`, so that every line can be parsed.
"""

from __future__ import annotations

import logging
import sys
from typing import Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LogFormat = Literal["auto", "console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

FIRST = ("timestamp", "level", "event", "key", "trace")
"""What stands first in each JSON line, so that lines can be compared by eye."""

LIBRARIES = "library.message"


def configure(level: LogLevel, format_: LogFormat) -> None:
    """Set the level and the shape of every log line; may be called again after a reload."""
    console = format_ == "console" or (format_ == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%d %H:%M:%S" if console else "iso", utc=not console),
    ]
    last: Processor = _for_people() if console else structlog.processors.JSONRenderer(ensure_ascii=False)
    formatted = [] if console else [structlog.processors.format_exc_info]
    renderers: list[Processor] = [*formatted, _in_order, last]
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[*shared, *renderers],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    _take_in_libraries([*shared, _as_library], renderers, max(threshold, logging.WARNING))


def _for_people() -> Processor:
    """Tracebacks without the values of variables: those hold keys and clients' data."""
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        pad_event_to=22,
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def _take_in_libraries(shared: list[Processor], renderers: list[Processor], threshold: int) -> None:
    """Warnings and errors of asyncio, aiohttp, redis and of Python itself."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    logging.captureWarnings(True)


def _as_library(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    record = event.get("_record")
    return {**event, "event": LIBRARIES, "message": event["event"], "library": record.name if record else ""}


def _in_order(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    del logger, method
    return {**{name: event[name] for name in FIRST if name in event}, **event}
