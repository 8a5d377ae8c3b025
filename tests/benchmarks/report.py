"""The figures as text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Figures = dict[str, Any]
WIDTH = 30


def machine_text(machine: dict[str, str]) -> str:
    versions = ", ".join(f"{name} {machine[name]}" for name in list(machine)[list(machine).index("python") :])
    return f"{machine['cores']} cores of {machine['cpu']}, {machine['memory']}, {machine['system']}\n{versions}"


def throughput_text(runs: list[Figures]) -> str:
    return "\n\n".join("\n".join(_throughput(figures)) for figures in runs)


def _throughput(figures: Figures) -> Iterator[str]:
    yield (
        f"throughput: {figures['events']:,} events of {figures['runs']:,} runs, {figures['partitions']} partitions, "
        f"commit interval {figures['commit_interval_s']:g} s"
    )
    half = figures["second_half_per_s"]
    second = f" (second half {half:,.0f})" if half else ""
    yield _line("events/s", f"{figures['events_per_s']:,.0f}{second}")
    stages = figures["stages_us"]
    parts = ", ".join(f"{name} {us:.1f}" for name, us in stages.items())
    yield _line("µs per event", f"{sum(stages.values()):.1f}: {parts}")
    broker = figures["broker_cpu_us"]
    yield _line(
        "CPU µs per event",
        f"worker {figures['worker_cpu_us']:.1f}, broker {'not told' if broker is None else f'{broker:.1f}'}; "
        f"everything else on this machine took {figures['other_cpu_s']:.1f} s",
    )
    yield _line("peak memory", f"{figures['peak_mib']:.0f} MiB")
    yield _line(
        "states emitted",
        f"{figures['states_emitted']:,} of {figures['state_bytes']:.0f} bytes in {figures['commits']:,} commits",
    )
    yield _line("verified", f"{figures['runs']:,} runs, {figures['wrong']:,} differences")
    yield _line(
        "floor, events/s",
        f"consume {figures['consume_per_s']:,.0f}, consume and decode {figures['decode_per_s']:,.0f}",
    )


def _percentiles(figures: dict[str, float]) -> str:
    return f"p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms"


def reader_text(figures: Figures) -> str:
    return "\n".join(
        [
            f"reader: {figures['states']:,} states, then {figures['active']:,} active runs",
            _line(
                "into memory", f"{figures['memory_per_s']:,.0f} states/s, {figures['mib_per_100k']:.0f} MiB per 100,000"
            ),
            _line(
                "into a directory",
                f"{figures['directory_per_s']:,.0f} states/s; opened again in {figures['again_s']:.2f} s",
            ),
            _line("get", f"p50 {figures['get_us']:.0f} µs"),
            _line(
                "list all active",
                f"{figures['list_ms']:.1f} ms; {figures['decoded_ms']:.0f} ms with each state looked at; a page of 100, "
                f"looked at, {figures['page_ms']:.1f} ms",
            ),
            _line(f"{figures['probes']} events applied", _percentiles(figures["applied"])),
        ]
    )


def publisher_text(figures: Figures) -> str:
    return "\n".join(
        [
            f"publisher: {figures['events']:,} events of {figures['event_bytes']:.0f} bytes, ready as model objects",
            _line("events/s", f"{figures['published_per_s']:,.0f}"),
            _line(
                "raw produce(), same bytes",
                f"{figures['raw_per_s']:,.0f} events/s: the publisher has {figures['ratio']:.0%} of that",
            ),
            _line(
                "CPU µs per event",
                f"{figures['published_cpu_us']:.1f}, of which encoding {figures['encode_cpu_us']:.1f}; "
                f"raw produce() {figures['raw_cpu_us']:.1f}",
            ),
            _line(
                "CPU µs per step",
                f"{figures['step_cpu_us']:.1f} with its handle; its two events made by hand "
                f"{figures['two_events_cpu_us']:.1f}",
            ),
        ]
    )


def store_text(figures: Figures) -> str:
    timed = {
        "save, new": "save_new",
        "save, again": "save_again",
        "load": "load",
        "create_checkpoint": "checkpoint",
        "get_latest_checkpoint": "latest_checkpoint",
        f"list of {figures['runs']:,} active runs": "list",
        "and every state looked at": "list_and_look",
    }
    return "\n".join(
        [
            f"store: {figures['runs']:,} active runs of {figures['state_bytes']:,} bytes of JSON, {figures['calls']} calls each",
            *(_line(name, _percentiles(figures[key])) for name, key in timed.items()),
            _line(f"{figures['savers']} savers at once", f"threads {figures['threads_per_s']:,.0f} saves/s"),
            _line(
                "",
                f"tasks {figures['tasks_per_s']:,.0f} saves/s; {figures['crowd']} of them {figures['crowd_per_s']:,.0f}",
            ),
        ]
    )


def _line(name: str, text: str) -> str:
    return f"  {name:<{WIDTH}}{text}"
