"""Another engine on the same tables: appends to one and compacts it, and reads the others, until it is told to stop."""

import json
import os
import random
import signal
import sys
import time

import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

task = json.loads(sys.argv[1])
chance = random.Random(task["seed"])
stopped = False


def stop(*_):
    global stopped
    stopped = True


signal.signal(signal.SIGTERM, stop)
history = open(os.path.join(task["history"], task["name"] + ".ndjson"), "a", buffering=1)


def now():
    return int(time.time() * 1000)


def log(**event):
    history.write(json.dumps({"t": now(), "proc": task["name"], **event}) + "\n")


def table(name):
    return os.path.join(task["root"], "warehouse", name)


def append(i):
    batch, rows = f"{task['name']}/{i}", chance.randint(1, 20)
    log(e="foreign-invoke", batch=batch, rows=rows)
    data = pa.table({"b": [batch] * rows, "n": pa.array(range(rows), pa.int32())})
    write_deltalake(table("outside"), data, mode="append")
    log(e="foreign", batch=batch, rows=rows)


def compact(_):
    DeltaTable(table("outside")).optimize.compact()
    log(e="foreign-compact")


def read(_):
    name = chance.choice(["facts", "counters"])
    t0 = now()
    try:
        delta = DeltaTable(table(name))
        rows = delta.to_pyarrow_table().to_pylist()
    except Exception as error:
        # A process that was stopped for longer than versions are kept may find its files gone.
        if now() - t0 < task["retentionSeconds"] * 700:
            log(e="foreign-read-error", table=name, message=str(error)[:500])
        return
    if name == "counters":
        fp = ",".join(str(row["n"]) for row in sorted(rows, key=lambda row: row["id"]))
    else:
        value = sum((row["k"] + 1) * (row["w"] * 7919 + row["s"] * 31 + 1) % 1000003 for row in rows)
        fp = f"{len(rows)}:{value}"
    log(e="foreign-read", table=name, delta=delta.version(), fp=fp)


i = 0
while not stopped:
    work = chance.choices([append, compact, read], [6, 1, 5])[0]
    try:
        work(i)
    except Exception as error:
        log(e="foreign-failed", message=str(error)[:300])
    i += 1
    time.sleep(chance.random() * 0.4)
log(e="end")
