"""One system in a process of its own: reads a command a line, answers with one JSON document a line.

Arguments: the name of the system, the directory it keeps its data in, and the questions as JSON.
"""

import importlib
import json
import os
import resource
import sys
import traceback

from answers import summary_of
from concurrency import lost, read_until, write_until
from measure import measured

CLASSES = {
    "native": ("systems.native", "Native"),
    "native-reader": ("systems.native", "NativeReader"),
    "views": ("systems.views", "Views"),
    "parquet-duckdb": ("systems.parquet_file", "ParquetDuckDb"),
    "parquet-polars": ("systems.parquet_polars", "ParquetPolars"),
    "delta": ("systems.delta", "Delta"),
    "ducklake": ("systems.ducklake", "DuckLake"),
    "lance": ("systems.lance_dataset", "Lance"),
    "arctic": ("systems.arctic", "Arctic"),
    "lance-duckdb": ("systems.lance_duckdb", "LanceDuckDb"),
    "iceberg": ("systems.iceberg", "Iceberg"),
}


def answers_only(stream):
    """The pipe to the caller; whatever a library prints goes to the error output."""
    answers = os.fdopen(os.dup(stream.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), stream.fileno())
    return answers


def ask(system, question, times, check):
    """The cost of the last of so many times, so that caches of the processor are this system's own."""
    for _ in range(times):
        answer, cost = measured(lambda: system.ask(question))
    return {**cost, **({"answer": summary_of(system.arrow(answer))} if check else {})}


def run(system, command):
    """Does one command and returns what it has to say."""
    kind = command["op"]
    if kind == "ask":
        return ask(system, command["question"], command.get("times", 1), command.get("check", False))
    if kind == "load":
        return measured(lambda: system.load(command["table"], command["file"]))[1]
    if kind == "write":
        return measured(lambda: system.write(command["file"], command["unchanged"]))[1]
    if kind == "join":
        system.join()
        return {}
    if kind == "read":
        return read_until(system, command["base"], command["seconds"])
    if kind == "writes":
        return write_until(system, command["files"], command["seconds"], command["perSecond"])
    if kind == "lost":
        return lost(system, command["file"])
    if kind == "reopen":
        system.reopen()
        return {}
    if kind == "memory":
        return {"peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    raise ValueError(f"unknown command {kind}")


def attempt(answers, work):
    """Errors are answers too: the others go on, and the reason is shown."""
    try:
        answers.write(json.dumps(work()) + "\n")
    except Exception as error:
        traceback.print_exc()
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        answers.write(json.dumps({"error": f"{type(error).__name__}: {first}"[:300]}) + "\n")


def main():
    name, root, questions = sys.argv[1:4]
    answers = answers_only(sys.stdout)
    state = {}

    def start():
        module, kind = CLASSES[name]
        state["system"] = getattr(importlib.import_module(module), kind)(root, json.loads(questions))
        return {"version": state["system"].version}

    attempt(answers, start)
    if "system" not in state:
        return
    for line in sys.stdin:
        command = json.loads(line)
        attempt(answers, lambda: run(state["system"], command))


main()
