"""Sends up to 200 records in one call, finds the one record that makes a whole call fail, and sends fewer at once where
the org's own automation cannot take so many."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from connector.crm.classify import WireFault, as_error, is_too_much, outcome_of
from connector.crm.port import Outcome, Record, RowResult

BATCH = 200
MOST_CALLS = 40
"""Calls spent on one batch whose whole is refused: four poison records; what is left then waits for its next turn."""

FEWEST = 50
"""Records in a call below which it is not made smaller for the org's triggers: then it is for their admin to mend."""

Send = Callable[[Sequence[Record]], list[RowResult]]


def send_rows(send: Send, rows: Sequence[Record]) -> list[RowResult]:
    """One result per row, in order; records that were too many at once for the org's triggers go again in halves."""
    results = _send_whole(send, rows)
    heavy = [at for at, result in enumerate(results) if is_too_much(result)]
    if len(heavy) < 2 * FEWEST:
        return results
    middle = len(heavy) // 2
    for half in (heavy[:middle], heavy[middle:]):
        for at, result in zip(half, send_rows(send, [rows[at] for at in half]), strict=True):
            results[at] = result
    return results


def _send_whole(send: Send, rows: Sequence[Record]) -> list[RowResult]:
    """One result per row, in order. Where the whole call is refused for a record, halving isolates it.

    Each halving asks for one half only: if that passes, the poison is in the other. What was set aside goes in one call
    at the end, so one poison among 200 costs at most nine more calls and delivers 199.
    """
    results: dict[int, RowResult] = {}
    waiting = list(range(len(rows)))
    spent = 0
    while waiting:
        fault = _try(send, rows, waiting, results)
        spent += 1
        if fault is None:
            break
        if not fault.blames_a_record:
            raise as_error(fault, "writing records") from fault
        if spent >= MOST_CALLS:
            later = RowResult(Outcome.RETRY, code=fault.code, message=fault.message)
            results.update(dict.fromkeys(waiting, later))
            break
        waiting, used = _isolate(send, rows, waiting, fault, results)
        spent += used
    return [results[at] for at in range(len(rows))]


def _isolate(
    send: Send, rows: Sequence[Record], suspects: list[int], fault: WireFault, results: dict[int, RowResult]
) -> tuple[list[int], int]:
    """Marks one poison row; the rows set aside meanwhile, and the calls used."""
    aside: list[int] = []
    used = 0
    while len(suspects) > 1:
        half, rest = suspects[: len(suspects) // 2], suspects[len(suspects) // 2 :]
        found = _try(send, rows, half, results)
        used += 1
        if found is None:
            suspects = rest
        elif found.blames_a_record:
            aside += rest
            suspects, fault = half, found
        else:
            raise as_error(found, "writing records") from found
    outcome = outcome_of(fault.code) or Outcome.DEAD
    results[suspects[0]] = RowResult(outcome, code=fault.code or str(fault.status), message=fault.message)
    return aside, used


def _try(send: Send, rows: Sequence[Record], which: list[int], results: dict[int, RowResult]) -> WireFault | None:
    try:
        answers = send([rows[at] for at in which])
    except WireFault as fault:
        return fault
    results.update(zip(which, answers, strict=True))
    return None
