"""What the service counts of itself, for Prometheus: requests, outcomes, waiting and the model's age; nothing of a case."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from serving.champion import Champion

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Where several processes count together: the client library looks for it when it is imported.
SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Counts:
    """The counters of one application, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "risk_requests", "Requests answered", ["method", "route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "risk_request_seconds", "Time to answer", ["route"], buckets=SECONDS, registry=self._registry
        )
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._outcomes = Counter("risk_outcomes", "Outcomes of cases", ["status"], registry=self._registry)
        self._by_status: dict[str, Counter] = {}

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        child = self._known.get((method, route, status))
        if child is None:  # finding a counter by its labels costs more than counting
            child = self._requests.labels(method, route, str(status)), self._seconds.labels(route)
            self._known[method, route, status] = child
        child[0].inc()
        child[1].observe(seconds)

    def scored(self, statuses: Sequence[str]) -> None:
        for status in set(statuses):
            child = self._by_status.get(status)
            if child is None:
                child = self._by_status[status] = self._outcomes.labels(status)
            child.inc(statuses.count(status))

    def watch(
        self,
        champion: Champion,
        waiting: Callable[[], int],
        is_recording: Callable[[], bool],
        today: Callable[[], date],
    ) -> None:
        """Also tell, at each reading, of the model in service, the queue and the ledger."""
        self._state = _State(champion, waiting, is_recording, today)
        self._registry.register(self._state)

    def text(self) -> str:
        """Counts of all processes that count together; the state is that of the one that answers."""
        if SHARED_COUNTS not in os.environ:
            return generate_latest(self._registry).decode()
        together = CollectorRegistry()
        MultiProcessCollector(together)
        together.register(self._state)
        return generate_latest(together).decode()


class _State(Collector):
    def __init__(
        self,
        champion: Champion,
        waiting: Callable[[], int],
        is_recording: Callable[[], bool],
        today: Callable[[], date],
    ) -> None:
        self._champion, self._waiting, self._is_recording, self._today = champion, waiting, is_recording, today

    def collect(self) -> Iterator[Metric]:
        model = self._champion.current
        yield GaugeMetricFamily("risk_waiting", "Requests being scored or waiting", value=self._waiting())
        yield GaugeMetricFamily("risk_recording", "1 when the last scores were recorded", value=self._is_recording())
        yield CounterMetricFamily(
            "risk_model_swaps", "Models put in service since the start", value=self._champion.n_swaps
        )
        yield GaugeMetricFamily("risk_model_is_copy", "1 when the model is the kept copy", value=self._champion.is_copy)
        trouble = GaugeMetricFamily("risk_model_trouble", "1 for what the model's source failed of", labels=["code"])
        if self._champion.trouble is not None:
            trouble.add_metric([self._champion.trouble], 1)
        yield trouble
        healthy = self._champion.trouble is None
        yield GaugeMetricFamily("risk_registry_up", "1 when the model's source answered", value=healthy)
        info = GaugeMetricFamily("risk_model_info", "The model in service", labels=["version"])
        age = GaugeMetricFamily("risk_model_age_days", "Days since the model last saw what was known")
        if model is not None:
            info.add_metric([model.version], 1)
            trained = model.meta.get("trained_as_of")
            if trained:
                age.add_metric([], (self._today() - date.fromisoformat(trained)).days)
        yield info
        yield age
