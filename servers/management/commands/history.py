"""Say what the past takes on disk, how it grows, and how much it will take."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from servers import history_size


class Command(BaseCommand):
    help = "Show what history takes on disk: sizes, oldest and newest, growth, bytes per process-sample, forecast."

    def handle(self, *args: Any, **options: Any) -> None:
        sizes = history_size.sizes()
        row = "{:28}{:>10}{:>10}{:>18}{:>18}{:>12}{:>12}".format
        self.stdout.write(row("level", "size", "rows", "oldest", "newest", "a day", "when full"))
        for size in sizes:
            self.stdout.write(
                row(
                    size.table,
                    _bytes(size.bytes),
                    f"{size.rows:,}",
                    f"{size.oldest:%Y-%m-%d %H:%M}" if size.oldest else "-",
                    f"{size.newest:%Y-%m-%d %H:%M}" if size.newest else "-",
                    _bytes(size.bytes_a_day),
                    _bytes(size.when_full),
                )
            )
        total, full = sum(size.bytes for size in sizes), [size.when_full for size in sizes]
        known = sum(each for each in full if each is not None)
        self.stdout.write(f"\n{_bytes(total)} now; about {_bytes(known)} when every level is as old as it may get")
        if unknown := [size.table for size in sizes if size.when_full is None]:
            self.stdout.write(f"not counted in that, as nothing is known of their growth yet: {', '.join(unknown)}")
        for name, cost in history_size.process_samples().items():
            told = "no samples yet" if cost is None else f"{cost.bytes:.2f} bytes each, {cost.samples:,} of them"
            self.stdout.write(f"process-samples, {name}: {told}")
        waiting = history_size.waiting()
        self.stdout.write(
            f"rolled up to the minute until {waiting.minutes}, to the hour until {waiting.hours},"
            f" to the day until {waiting.days}"
        )
        self.stdout.write(f"hours to compact: {waiting.hours_to_compact}; hours to roll up again: {waiting.late_hours}")


def _bytes(size: float | None) -> str:
    if size is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
