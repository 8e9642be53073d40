# SPDX-License-Identifier: MIT
"""Independent checks, each a process or two: run on all processors, reported in TAP."""

import os
from concurrent.futures import ThreadPoolExecutor


def run(checks):
    """Runs pairs of a name and a function that answers the problem found, or nothing.

    Answers the exit status.
    """
    failed = 0
    print(f"1..{len(checks)}")
    with ThreadPoolExecutor(os.cpu_count()) as workers:
        running = [(name, workers.submit(check)) for name, check in checks]
        for number, (name, check) in enumerate(running, 1):
            problem = check.result()
            print("not ok" if problem else "ok", number, "-", name, flush=True)
            for line in (problem or "").splitlines():
                print("#  ", line)
            failed |= bool(problem)
    return int(failed)
