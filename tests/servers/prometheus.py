"""Prometheus, with a series of ours in its own store: an oracle for what readings are by the minute and by the hour."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from tests.patience import PATIENCE
from tests.ports import free_port

MILLISECOND = timedelta(milliseconds=1)
Series = Mapping[str, Sequence[tuple[datetime, float]]]


class Prometheus:
    """A running one, to ask."""

    def __init__(self, address: str) -> None:
        self._address = address

    def over(
        self, function: str, series: str, start: datetime, end: datetime, width: timedelta
    ) -> dict[datetime, float]:
        """`function` of the series in each window of that width from start to end, by when the window begins.

        A window of Prometheus ends with the moment asked about, which belongs to it; whether the moment one width
        before does, is another with each major version. So it is asked one millisecond before a window's end: what is
        at the window's begin belongs to it, what is at its end does not, and one millisecond before its begin is none.
        """
        seconds = width.total_seconds()
        asked = {
            "query": f"{function}({series}[{seconds:.0f}s])",
            "start": f"{(start + width - MILLISECOND).timestamp():.3f}",
            "end": f"{(end - MILLISECOND).timestamp():.3f}",
            "step": f"{seconds:.0f}",
        }
        told = self.get(f"/api/v1/query_range?{urllib.parse.urlencode(asked)}")
        assert told["status"] == "success", told
        results = told["data"]["result"]  # type: ignore[index]
        if not results:
            return {}
        first = start + width - MILLISECOND
        return {
            start + round((at - first.timestamp()) / seconds) * width: float(value)
            for at, value in results[0]["values"]
        }

    def get(self, path: str) -> dict[str, object]:
        """An answer of its API."""
        with urllib.request.urlopen(self._address + path, timeout=30) as answer:  # noqa: S310  our own address
            told: dict[str, object] = json.load(answer)
            return told


@contextmanager
def prometheus(folder: Path, series: Series) -> Iterator[Prometheus]:
    """One that knows these series, each of (when, value), in the order of time and by the millisecond."""
    written, store, settings = folder / "series", folder / "store", folder / "prometheus.yml"
    written.write_text("".join(map(_lines, series, series.values())) + "# EOF\n")
    settings.write_text("global: {}\n")
    blocks = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(written), str(store)]
    subprocess.run(blocks, check=True, capture_output=True)
    address = f"127.0.0.1:{free_port()}"
    argv = [
        "prometheus",
        f"--config.file={settings}",
        f"--storage.tsdb.path={store}",
        f"--web.listen-address={address}",
    ]
    with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield _ready(Prometheus(f"http://{address}"), process)
        finally:
            process.terminate()


def _lines(name: str, values: Sequence[tuple[datetime, float]]) -> str:
    lines = (f"{name} {value!r} {at.timestamp():.3f}\n" for at, value in values)
    return f"# TYPE {name} gauge\n{''.join(lines)}"


def _ready(one: Prometheus, process: subprocess.Popen[bytes]) -> Prometheus:
    deadline = time.monotonic() + 10 * PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            one.get("/api/v1/status/buildinfo")
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
        else:
            return one
    raise AssertionError(f"Prometheus does not answer; its exit status is {process.poll()}")
