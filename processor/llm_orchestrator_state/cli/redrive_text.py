"""What `rejections redrive` tells: what would become of each event, or what has."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ..errors import BadInput, Connection
from ..hints import command
from .rejected import row
from .terminal import as_json, data, say, table, while_read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..client.rejections.outlook import Planned
    from ..client.rejections.record import Address
    from ..client.rejections.redrive import Judged


def outlooks(planned: Sequence[Planned]) -> str:
    from ..client.rejections.outlook import Outlook

    words = {
        Outlook.APPLIED: "would be applied",
        Outlook.REJECTED: "would be rejected again",
        Outlook.DUPLICATE: "applied already",
        Outlook.REFUSED: "can never be right",
    }
    numbers = Counter(each.outlook for each in planned)
    return ", ".join(f"{numbers[outlook]} {word}" for outlook, word in words.items() if numbers[outlook])


def _outcome(
    each: Planned, where: dict[Address, Address], judged: dict[Address, Judged], *, would: bool
) -> tuple[str, str, str]:
    """A word, the code where there is one, and the reason."""
    place = where.get(each.rejection.record)
    if would or place is None:
        return each.outlook.value, each.code, each.reason
    verdict = judged.get(place)
    if verdict is None:
        return "waiting", "", f"published at {place}, and no worker has judged it yet"
    if verdict.code:
        return "rejected", verdict.code, verdict.detail
    return "applied", "", ""


def tell(
    planned: Sequence[Planned],
    where: dict[Address, Address],
    judged: dict[Address, Judged],
    *,
    would: bool,
    json: bool,
) -> None:
    from .columns import Column

    rows = [(each, where.get(each.rejection.record), *_outcome(each, where, judged, would=would)) for each in planned]
    with while_read():
        if json:
            for each, place, outcome, code, reason in rows:
                data(as_json(_object(each, place, outcome, code, reason)))
            return
        columns = [
            Column("at", right=True), Column("was", spare=3), Column("run"), Column("event", spare=4),
            Column("outcome", colours={"applied": "green", "rejected": "red", "refused": "red", "waiting": "yellow"}),
            Column("code", spare=2), Column("reason", least=12),
        ]  # fmt: skip
        table(
            columns,
            [
                [str(each.rejection.address or ""), each.rejection.code, each.rejection.run_id or "", each.event_id or "",
                 outcome, code, reason]
                for each, _, outcome, code, reason in rows
            ],
        )  # fmt: skip


def _object(each: Planned, place: Address | None, outcome: str, code: str, reason: str) -> dict[str, Any]:
    """event_id, code and detail are the old ones."""
    return {
        **row(each.rejection),
        "outcome": outcome,
        "redriven_as": each.event_id,
        "partition": place and place.partition,
        "offset": place and place.offset,
        "new_code": code or None,
        "reason": reason,
    }


def end(
    planned: Sequence[Planned], where: dict[Address, Address], judged: dict[Address, Judged], wait_s: float
) -> None:
    numbers = Counter(_outcome(each, where, judged, would=False)[0] for each in planned)
    told = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items())
    if numbers["waiting"] and wait_s:
        raise Connection(
            f"{told}: no worker has judged what was published within {wait_s:g} s; start one (`{command('worker')}`), "
            f"and look at `{command('rejections', 'list')}` then; redriving the same again does no harm"
        )
    bad = numbers["rejected"] + numbers["refused"]
    if bad:
        raise BadInput(
            f"{told}; `{command('rejections', 'list')}` has them, and `rejections show` tells why and what would help"
        )
    say(told)
