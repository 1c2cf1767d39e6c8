"""What a piece of work costs its process: time, processor time, and bytes passed to write calls."""

import time


def written_bytes():
    """Bytes that this process passed to write calls since its start; None where no such count is kept."""
    try:
        with open("/proc/self/io") as counters:
            return next(int(line.split()[1]) for line in counters if line.startswith("wchar"))
    except OSError:
        return None


def measured(work):
    """The result of the work, and its cost. Processor time is that of all threads."""
    before, cpu, start = written_bytes(), time.process_time(), time.perf_counter()
    result = work()
    ms, cpu_ms = (time.perf_counter() - start) * 1000, (time.process_time() - cpu) * 1000
    after = written_bytes()
    return result, {
        "ms": ms,
        "cpuMs": cpu_ms,
        "writtenBytes": None if before is None else after - before,
    }
