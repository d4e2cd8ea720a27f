"""From the figures of a run to docs/performance.md, its plot, and the sizes in docs/scaling.md.

python -m bench.report docs/performance.json
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.stage import ROOT

Figures = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One target, and how it is read from the figures."""

    what: str
    target: str
    found: Callable[[Figures], str]
    met: Callable[[Figures], bool]


ROWS = (
    Row(
        what="durable intake, 5.5 KB invitation, SQLite FULL, 50 connections, over Postfix in the same run",
        target=">= 2.5 x",
        found=lambda f: f"{f['intake']['rate_over_postfix']:.2f} x",
        met=lambda f: f["intake"]["rate_over_postfix"] >= 2.5,
    ),
    Row(
        what="the same: CPU per mail",
        target="<= 350 us",
        found=lambda f: f"{f['intake']['gateway_cpu_us']:.0f} us",
        met=lambda f: f["intake"]["gateway_cpu_us"] <= 350,
    ),
    Row(
        what="the same, over a bare aiosmtpd that stores nothing",
        target=">= 1.5 x",
        found=lambda f: f"{f['intake']['rate_over_aiosmtpd']:.2f} x",
        met=lambda f: f["intake"]["rate_over_aiosmtpd"] >= 1.5,
    ),
    Row(
        what="mail without calendar part through the relay, 6 KB: CPU (queued durably, passed on, forgotten)",
        target="<= 400 us",
        found=lambda f: f"{f['passing']['6kb_cpu_us']:.0f} us",
        met=lambda f: f["passing"]["6kb_cpu_us"] <= 400,
    ),
    Row(
        what="the same, 10 MB",
        target="<= 80 ms",
        found=lambda f: f"{f['passing']['10mb_cpu_ms']:.0f} ms",
        met=lambda f: f["passing"]["10mb_cpu_ms"] <= 80,
    ),
    Row(
        what="the longest turn of the event loop meanwhile, 10 MB mails: CPU",
        target="<= 30 ms",
        found=lambda f: f"{f['loop']['10mb_longest_ms']:.0f} ms",
        met=lambda f: f["loop"]["10mb_longest_ms"] <= 30,
    ),
    Row(
        what="SMTP in -> calendar written, one process: CPU per invitation",
        target="<= 3 ms",
        found=lambda f: f"{f['end_to_end']['cpu_ms']:.1f} ms",
        met=lambda f: f["end_to_end"]["cpu_ms"] <= 3,
    ),
    Row(
        what="the same: invitations per second",
        target=">= 250",
        found=lambda f: f"{f['end_to_end']['rate']:.0f}",
        met=lambda f: f["end_to_end"]["rate"] >= 250,
    ),
    Row(
        what="what she answers then: found in her calendar, settled, one letter by SMTP: CPU",
        target="",
        found=lambda f: f"{f['answered']['cpu_ms']:.1f} ms",
        met=lambda f: True,
    ),
    Row(
        what="into a real Radicale, 16 connections, over plain PUTs of the same objects",
        target=">= 0.85",
        found=lambda f: f"{f['radicale']['ratio']:.2f}",
        met=lambda f: f["radicale"]["ratio"] >= 0.85,
    ),
    Row(
        what="final dot -> PUT, idle: p50",
        target="<= 15 ms",
        found=lambda f: f"{f['latency']['p50_ms']:.0f} ms",
        met=lambda f: f["latency"]["p50_ms"] <= 15,
    ),
    Row(
        what="final dot -> PUT, idle: p99",
        target="<= 60 ms",
        found=lambda f: f"{f['latency']['p99_ms']:.0f} ms",
        met=lambda f: f["latency"]["p99_ms"] <= 60,
    ),
    Row(
        what="REQUEST with 1 000 attendees -> PUT: CPU",
        target="<= 40 ms",
        found=lambda f: f"{f['attendees']['990_attendees_cpu_ms']:.0f} ms",
        met=lambda f: f["attendees"]["990_attendees_cpu_ms"] <= 40,
    ),
    Row(
        what="two processes on two cores, PostgreSQL, over one",
        target=">= 1.6 x",
        found=lambda f: f"{f['processes']['two_over_one']:.2f} x",
        met=lambda f: f["processes"]["two_over_one"] >= 1.6,
    ),
    Row(
        what="cost per invitation with a long past (journal, 10 000 objects), over an empty database",
        target="<= 1.2 x",
        found=lambda f: f"{f['history']['old_over_young']:.2f} x",
        met=lambda f: f["history"]["old_over_young"] <= 1.2,
    ),
    Row(
        what="resident memory of the process after the longest run",
        target="<= 150 MB, flat",
        found=lambda f: (
            f"{f['flat']['many_mb']:.0f} MB after {f['flat']['mails']:.0f} mails, {f['flat']['few_mb']:.0f} MB after a tenth"
        ),
        met=lambda f: f["flat"]["many_mb"] <= 150 and f["flat"]["many_mb"] <= 1.1 * f["flat"]["few_mb"],
    ),
    Row(
        what="looking at a calendar where nothing changed, CPU: of 5 000 calendars, over one of 100",
        target="<= 1.2 x",
        found=lambda f: (
            f"{f['watch']['idle_growth']:.2f} x ({f['watch']['idle_many_cpu_ms']:.1f} ms each; whose turn it is: "
            f"{f['watch']['beat_many_cpu_ms']:.1f} ms a second)"
        ),
        met=lambda f: f["watch"]["idle_growth"] <= 1.2,
    ),
    Row(
        what="one changed meeting until its change settles, CPU: in a calendar of 10 000 objects, over one of 100",
        target="<= 1.2 x",
        found=lambda f: f"{f['watch']['changed_growth']:.2f} x ({f['watch']['changed_large_cpu_ms']:.1f} ms)",
        met=lambda f: f["watch"]["changed_growth"] <= 1.2,
    ),
    Row(
        what="the worst of our hostile 1 MiB parts: CPU to its outcome",
        target="<= 1 s",
        found=lambda f: f"{f['hostile']['worst_s']:.2f} s",
        met=lambda f: f["hostile"]["worst_s"] <= 1,
    ),
)
BEGIN, END = "<!-- measured: python -m bench.report -->", "<!-- measured ends -->"


def table(run: Mapping[str, object], figures: Figures) -> str:
    machine = run["machine"]
    assert isinstance(machine, dict)
    place = ", ".join(f"{name} {value}" for name, value in machine.items())
    lines = [
        f"Machine: {place}. {run['rounds']} interleaved rounds, `--scale {run['scale']}`; medians.",
        "",
        "| Measure | Target | Measured | |",
        "|---|---|---|---|",
        *filter(None, (_line(row, figures) for row in ROWS)),
    ]
    return "\n".join(lines)


def _line(row: Row, figures: Figures) -> str:
    """Of what was measured."""
    try:
        found, met = row.found(figures), row.met(figures)
    except KeyError:
        return ""
    return f"| {row.what} | {row.target} | {found} | {('met' if met else 'missed') if row.target else ''} |"


def plot(figures: Figures) -> str:
    """Mails per second at the door, as bars."""
    names = (("gateway", "imip-gateway"), ("postfix", "Postfix"), ("aiosmtpd", "bare aiosmtpd"))
    rates = [(label, figures["intake"][f"{name}_rate"]) for name, label in names]
    top = max(rate for _, rate in rates)
    bars = "".join(
        f'<text x="8" y="{38 + 34 * row}">{label}</text>'
        f'<rect x="130" y="{22 + 34 * row}" width="{330 * rate / top:.0f}" height="22" rx="3"/>'
        f'<text x="{138 + 330 * rate / top:.0f}" y="{38 + 34 * row}">{rate:.0f}/s</text>'
        for row, (label, rate) in enumerate(rates)
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 540 130" font-family="sans-serif" font-size="13" '
        'role="img" aria-label="Mails per second at the door"><style>rect{fill:#2f6f9f}text{fill:#555}</style>'
        f'<text x="8" y="14">Mails per second at the door, 50 connections</text>{bars}</svg>\n'
    )


# accounts, what is narrow first, what to run
SIZES = (
    (5, "nothing; {memory:.0f} MB of memory", "a Raspberry Pi, SQLite, everything on one machine"),
    (1_000, "the calendar server (a Radicale took {radicale:.0f} meetings/s)", "one small machine, SQLite"),
    (
        100_000,
        "the calendar servers; SQLite has one writer",
        "PostgreSQL; two nodes, so that one may fail",
    ),
    (1_000_000, "the CPU of the gateway", "PostgreSQL on fast disks; nodes of four processes"),
    (10_000_000, "the database", "the accounts in parts, see below"),
)


def sizes(figures: Figures) -> str:
    """How many processes what number of accounts needs, computed from the figures, at 70 % of what a process can do."""
    rate = figures["end_to_end"]["rate"]
    facts = {"memory": figures["flat"]["many_mb"], "radicale": figures["radicale"]["gateway_rate"]}
    rows = [
        (
            f"One process did {rate:.0f} invitations per second, {figures['end_to_end']['cpu_ms']:.1f} ms of CPU each; two on two "
            f"cores {figures['processes']['two_over_one']:.2f} x as many."
        ),
        "",
        "| Accounts | Messages/s at the peak | Processes | What is narrow first | What to run |",
        "|---|---|---|---|---|",
    ]
    for accounts, narrow, what in SIZES:
        peak = accounts * 4 / 3600
        count = math.ceil(peak / (rate * 0.7))
        shown = f"{peak:,.0f}" if peak >= 10 else f"{peak:.2g}"
        rows.append(f"| {accounts:,} | {shown} | {count} | {narrow.format(**facts)} | {what} |")
    return "\n".join(rows)


def _put(page: Path, text: str) -> None:
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}")


def main() -> None:
    run = json.loads(Path(sys.argv[1]).read_text())
    figures: Figures = run["medians"]
    _put(ROOT / "docs" / "performance.md", table(run, figures))
    _put(ROOT / "docs" / "scaling.md", sizes(figures))
    (ROOT / "docs" / "performance.svg").write_text(plot(figures))


if __name__ == "__main__":
    main()
