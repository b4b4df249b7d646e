"""What the webhook listener counts, in one place: plain figures for `status`, and the same for Prometheus when it asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

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


class WebhookCounters(Collector):
    """Counts; on the registry that is handed in it shows itself, nothing is registered globally."""

    def __init__(self, registry: CollectorRegistry, clock: Clock) -> None:
        self.clock = clock
        self._requests: Counter[tuple[str, Outcome]] = Counter()
        self._last_good: dict[str, datetime] = {}
        self._skipped = 0
        self.in_flight = 0
        """Requests being answered now; the listener keeps it and holds it against its limit."""
        self.enqueue_seconds = Histogram(
            "docsyncd_webhook_enqueue_seconds",
            "From a verified body to its commit in the queue, in seconds.",
            buckets=_BUCKETS,
            registry=registry,
        )
        registry.register(self)

    def answered(self, topic: str, outcome: Outcome) -> None:
        """One request was answered; an accepted one is the topic's latest sign of life."""
        self._requests[topic, outcome] += 1
        if outcome is Outcome.ACCEPTED:
            self._last_good[topic] = self.clock.now()

    def skipped(self, items: int) -> None:
        """Items without an id were left out of an otherwise good body."""
        self._skipped += items

    def stats(self) -> WebhookStats:
        """The figures now."""
        return WebhookStats(
            requests=dict(self._requests),
            last_good=dict(self._last_good),
            skipped=self._skipped,
            in_flight=self.in_flight,
        )

    def collect(self) -> Iterable[Metric]:
        """The same for Prometheus."""
        requests = CounterMetricFamily(
            "docsyncd_webhook_requests", "Webhook requests by topic and outcome.", labels=("topic", "outcome")
        )
        for (topic, outcome), number in self._requests.items():
            requests.add_metric((topic, outcome), number)
        last_good = GaugeMetricFamily(
            "docsyncd_webhook_last_good_timestamp_seconds",
            "When the last well-signed event was enqueued, in seconds since the epoch.",
            labels=("topic",),
        )
        for topic, moment in self._last_good.items():
            last_good.add_metric((topic,), moment.timestamp())
        yield requests
        yield last_good
        yield CounterMetricFamily("docsyncd_webhook_skipped_items", "Items without an id.", value=self._skipped)
        yield GaugeMetricFamily("docsyncd_webhook_in_flight", "Requests being answered now.", value=self.in_flight)
