"""Readers and writers that go on until their time is over; bench/workers/peer.mjs does the same with a lake."""

import time

import pyarrow.parquet as pq

NEWEST = "newest cross-section"
QUESTIONS = ("one symbol, 3 columns", NEWEST)


def changed_by(table, base):
    """By how much each row of the base was shifted: a whole commit shifts all by the same."""
    rows = zip(table.column(0).to_pylist(), table.column(1).to_pylist())
    return {round(value - base[symbol], 1) for symbol, value in rows if symbol in base}


def values_of(file):
    rows = pq.read_table(file, columns=["symbol", "m00"])
    return dict(zip(rows["symbol"].to_pylist(), rows["m00"].to_pylist()))


def read_until(system, base, seconds):
    """Asks in turn for one symbol and for the newest cross-section, and looks whether commits are seen whole."""
    base, times, torn, errors, seen = values_of(base), [], 0, [], set()
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        question = QUESTIONS[len(times) % 2]
        start = time.perf_counter()
        try:
            system.reopen()
            answer = system.ask(question)
        except Exception as error:
            errors.append(str(error).splitlines()[0][:200])
            # A refusal comes at once; asking again without a rest would only keep the machine busy.
            time.sleep(0.02)
            continue
        finally:
            ms = (time.perf_counter() - start) * 1000
        times.append(ms)
        if question == NEWEST:
            shifts = changed_by(system.arrow(answer), base)
            torn += len(shifts) != 1
            seen |= shifts
    return {"times": times, "torn": torn, "errors": len(errors), "firstError": errors[:1], "states": len(seen)}


def write_until(system, files, seconds, per_second):
    """Writes one file after the other, at most so many a second (0: as fast as it goes)."""
    commits, errors, last = 0, [], None
    start = time.monotonic()
    while time.monotonic() < start + seconds:
        file = files[commits % len(files)]
        began = time.monotonic()
        try:
            system.write(file, False)
            commits, last = commits + 1, file
        except Exception as error:
            errors.append(str(error).splitlines()[0][:200])
        if per_second:
            time.sleep(max(0.0, 1 / per_second - (time.monotonic() - began)))
    return {
        "commits": commits,
        "perSecond": commits / (time.monotonic() - start),
        "errors": len(errors),
        "firstError": errors[:1],
        "last": last,
    }


def lost(system, file):
    """Rows of a committed file that are not stored."""
    expected = values_of(file)
    table = system.arrow(system.ask(NEWEST))
    stored = dict(zip(table.column(0).to_pylist(), table.column(1).to_pylist()))
    return {"lost": sum(stored.get(symbol) != value for symbol, value in expected.items())}
