"""What the webhook listener counts, in one place: Prometheus collectors, and the same figures for `status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from docsyncd.clock import Clock
from docsyncd.serve.answers import Outcome

NO_TOPIC = ""
"""The topic of a request that reached no webhook; a path is never a label, since anybody may invent paths."""

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Seconds; the last is the deadline of an enqueue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookStats:
    """The listener's figures since its start.

    :param requests: answers by topic and outcome.
    :param last_good: when each topic's last well-signed, enqueued event came.
    :param skipped: items without an id.
    :param in_flight: requests being answered now.
    """

    requests: Mapping[tuple[str, Outcome], int]
    last_good: Mapping[str, datetime]
    skipped: int
    in_flight: int


class WebhookCounters:
    """Counts on the registry that is handed in; nothing is registered globally."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self._clock = clock
        self._requests = Counter(
            "docsyncd_webhook_requests",
            "Webhook requests by topic and outcome.",
            ("topic", "outcome"),
            registry=registry,
        )
        self._last_good = Gauge(
            "docsyncd_webhook_last_good_timestamp_seconds",
            "When the last well-signed event was enqueued, in seconds since the epoch.",
            ("topic",),
            registry=registry,
        )
        self._skipped = Counter("docsyncd_webhook_skipped_items", "Items without an id.", registry=registry)
        self._in_flight = Gauge("docsyncd_webhook_in_flight", "Requests being answered now.", registry=registry)
        self._enqueue = Histogram(
            "docsyncd_webhook_enqueue_seconds",
            "From a verified body to its commit in the queue.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.in_flight = 0
        """Requests being answered now; the listener's limit looks at it."""

    @contextmanager
    def one_more_in_flight(self) -> Iterator[None]:
        """Count a request for as long as it is being answered."""
        self.in_flight += 1
        self._in_flight.set(self.in_flight)
        try:
            yield
        finally:
            self.in_flight -= 1
            self._in_flight.set(self.in_flight)

    def answered(self, topic: str, outcome: Outcome) -> None:
        """One request was answered; an accepted one is the topic's latest sign of life."""
        self._requests.labels(topic, outcome).inc()
        if outcome is Outcome.ACCEPTED:
            self._last_good.labels(topic).set(self._clock.now().timestamp())

    def skipped(self, items: int) -> None:
        """Items without an id were left out of an otherwise good body."""
        self._skipped.inc(items)

    @contextmanager
    def enqueueing(self) -> Iterator[None]:
        """Measure one enqueue, whether it succeeds or not."""
        start = self._clock.monotonic()
        try:
            yield
        finally:
            self._enqueue.observe(self._clock.monotonic() - start)

    def stats(self) -> WebhookStats:
        """The figures now."""
        requests = _samples(self._requests, "_total")
        last_good = _samples(self._last_good, "")
        return WebhookStats(
            requests={(labels["topic"], Outcome(labels["outcome"])): int(value) for labels, value in requests},
            last_good={labels["topic"]: datetime.fromtimestamp(value, UTC) for labels, value in last_good},
            skipped=int(sum(value for _, value in _samples(self._skipped, "_total"))),
            in_flight=self.in_flight,
        )


def _samples(collector: Counter | Gauge, suffix: str) -> list[tuple[Mapping[str, str], float]]:
    """A collector's values with their labels, without the creation times that a Counter lists beside them."""
    return [
        (sample.labels, sample.value)
        for family in collector.collect()
        for sample in family.samples
        if sample.name == family.name + suffix
    ]
