"""What Prometheus can read of this web process, and of the database at the moment of the scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from django.utils import timezone
from prometheus_client import REGISTRY, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from pmonitor.live import broadcast
from pmonitor.models import StepRun

REPORTS = Counter("pmonitor_reports", "Reports that agents posted, by how they were answered.", ["outcome"])
INGEST_SECONDS = Histogram(
    "pmonitor_ingest_seconds",
    "Time from a report's bytes to its commit.",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2),
)
WAITING_AGENTS = Gauge("pmonitor_waiting_agents", "Agents whose long-poll waits in this process.")
SOCKETS = Gauge("pmonitor_sockets", "Browser pages that watch something in this process.")
SOCKETS.set_function(broadcast.sockets)


class Reading(NamedTuple):
    """A gauge that is read from the database at each scrape: {label's value: the gauge's value}."""

    name: str
    documentation: str
    label: str
    read: Callable[[], Mapping[str, float]]


READINGS: list[Reading] = []  # an app adds its own in its AppConfig


def step_ages() -> dict[str, float]:
    """Seconds since each worker step last ran, on whichever worker."""
    now = timezone.now()
    return {run.name: (now - run.ran_at).total_seconds() for run in StepRun.objects.all()}


def steps_failing() -> dict[str, float]:
    """1 for each worker step whose last run failed, else 0."""
    return {name: float(bool(error)) for name, error in StepRun.objects.values_list("name", "error")}


READINGS.append(Reading("pmonitor_step_age_seconds", "Seconds since a worker step last ran.", "step", step_ages))
READINGS.append(Reading("pmonitor_step_failing", "1 if a worker step's last run failed.", "step", steps_failing))


class FromDatabase(Collector):
    """Asks every Reading when Prometheus asks us."""

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return []  # else the registry would query the database when this module is imported

    def collect(self) -> Iterable[GaugeMetricFamily]:
        for reading in READINGS:
            family = GaugeMetricFamily(reading.name, reading.documentation, labels=[reading.label])
            for value, number in reading.read().items():
                family.add_metric([value], number)
            yield family


REGISTRY.register(FromDatabase())
