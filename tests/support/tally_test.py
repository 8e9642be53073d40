# SPDX-License-Identifier: MIT
"""Each kind of report is counted as it should be, above all those of programs that went wrong."""

import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

import tally


def entry(result, stdout, status=0, stderr=""):
    return json.dumps({"name": "palloc:unit / room/name", "result": result, "stdout": stdout,
                       "stderr": stderr, "returncode": status})


# What is counted, the report's kind and text, the totals, and words that must be shown.
CASES = (
    ("plain TAP", "tap", "ok 1 - a\nnot ok 2 - b\n#   why\nok 3 - c # SKIP no disk\n", "1 1 1",
     ("FAILED  x: b", "why", "skipped x: c: no disk")),
    ("cases of a program", "json", entry("OK", "1..2\n# a\nok 1 - a\n# b\nok 2 - b\n"),
     "2 0 0", ()),
    ("what is noted", "json", entry("OK", "1..1\n# a\n# note: stronger\n# said\nok 1 - a\n"),
     "1 0 0", ("noted   x: room/name: stronger",)),
    ("a failed case", "json",
     entry("ERROR", "1..2\nok 1 - a\nnot ok 2 - b\n", 1, "b.cpp(3): 1 != 2"),
     "1 1 0", ("FAILED  x: room/name: b", "b.cpp(3): 1 != 2")),
    ("a skipped case", "json", entry("SKIP", "1..1\nok 1 - a # SKIP no disk\n"), "0 0 1",
     ("skipped x: room/name: a: no disk",)),
    ("a crash between cases", "json", entry("ERROR", "1..2\n# a\nok 1 - a\n# b\n", -11), "1 1 0",
     ("FAILED  x: room/name: error, status -11", "# b")),
    ("a leak found at the end", "json", entry("ERROR", "1..1\nok 1 - a\n", 23, "LeakSanitizer"),
     "1 1 0", ("LeakSanitizer",)),
    ("fewer cases than planned", "json", entry("ERROR", "1..2\nok 1 - a\n"), "1 1 0", ("FAILED",)),
    ("a timeout", "json", entry("TIMEOUT", "1..1\n# a\n", -9), "0 1 0", ("timeout",)),
    ("a program without TAP", "json", entry("OK", "hello"), "1 0 0", ()),
    ("its failure", "json", entry("FAIL", "hello", 1), "0 1 0", ("hello",)),
    ("a program that is not there", "json", entry("ERROR", "", None), "0 1 0", ("FAILED",)),
    ("no report at all", "none", "", "0 1 0", ("FAILED  x: no report",)),
)


def problem(kind, text, totals, words):
    with tempfile.TemporaryDirectory() as folder:
        report, sums = Path(folder) / f"report.{kind}", Path(folder) / "sums"
        if kind != "none":
            report.write_text(text)
        with contextlib.redirect_stdout(io.StringIO()) as shown:
            tally.main("x", sums, report)
        counted = sums.read_text().strip()
    missing = [word for word in words if word not in shown.getvalue()]
    return f"counted {counted}, missing {missing}" if counted != totals or missing else ""


def main():
    print(f"1..{len(CASES)}")
    failed = False
    for number, (name, *case) in enumerate(CASES, 1):
        found = problem(*case)
        failed |= bool(found)
        print("not ok" if found else "ok", number, "-", name)
        if found:
            print("#  ", found)
    return failed


if __name__ == "__main__":
    sys.exit(main())
