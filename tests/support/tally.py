# SPDX-License-Identifier: MIT
"""Counts the results of one configuration; prints its failures, its skips and a line of totals.

    tally.py CONFIGURATION TOTALS_FILE REPORT...

A report is meson's testlog.json or plain TAP (*.tap). The totals are appended to TOTALS_FILE as
`passed failed skipped`.
"""

import json
import re
import sys
from pathlib import Path

NOTE = "# note: "  # begins what a program wants to be read though nothing failed
LINE = re.compile(r"^(not ok|ok)\b\s*\d*\s*(?:- )?(.*?)(?:\s*# SKIP\b\s*(.*))?$")
PLAN = re.compile(r"^1\.\.\d+", re.MULTILINE)
MOST_LINES = 60  # of the output of one failed program


class Tally:
    def __init__(self, configuration):
        self.configuration = configuration
        self.passed = self.failed = self.skipped = 0

    def fail(self, name, lines=()):
        self.failed += 1
        print(f"FAILED  {self.configuration}: {name}")
        for line in lines:
            print("       ", line)

    def skip(self, name, why):
        self.skipped += 1
        print(f"skipped {self.configuration}: {name}: {why or 'no reason given'}")

    def read_tap(self, program, text):
        """Answers whether a line was `not ok`; its diagnostics are the indented lines below it."""
        lines = text.splitlines()
        failed = False
        for index, line in enumerate(lines):
            if line.startswith(NOTE):
                print(f"noted   {self.configuration}: {program}: {line[len(NOTE):]}")
            match = LINE.match(line)
            if not match:
                continue
            verdict, name, why = match.groups()
            name = f"{program}: {name}" if program else name
            if verdict == "not ok":
                failed = True
                below = []
                for line in lines[index + 1:]:
                    if not line.startswith("#   "):
                        break
                    below.append(line[4:])
                self.fail(name, below[:MOST_LINES])
            elif why is not None:
                self.skip(name, why)
            else:
                self.passed += 1
        return failed

    def read_meson(self, path):
        for entry in map(json.loads, path.read_text().splitlines()):
            name = entry["name"].split(" / ", 1)[-1]
            stdout, stderr = entry["stdout"] or "", entry.get("stderr") or ""
            result, speaks_tap = entry["result"], PLAN.search(stdout)
            said_so = speaks_tap and self.read_tap(name, stdout)
            if result == "SKIP" and not speaks_tap:
                self.skip(name, (stdout + stderr).strip())
            elif result in ("OK", "SKIP"):
                self.passed += not speaks_tap
            else:
                if not said_so:
                    last_lines = stdout.splitlines()[-3:] if speaks_tap else stdout.splitlines()
                    self.fail(f"{name}: {result.lower()}, status {entry['returncode']}",
                              last_lines[-MOST_LINES:])
                for line in stderr.split("\n(test program exited")[0].splitlines()[-MOST_LINES:]:
                    print("       ", line)


def main(configuration, totals, *reports):
    tally = Tally(configuration)
    for report in map(Path, reports):
        if not report.exists():
            tally.fail(f"no report {report.name}")
        elif report.suffix == ".json":
            tally.read_meson(report)
        else:
            tally.read_tap("", report.read_text())
    print(f"{configuration:8}{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    with open(totals, "a", encoding="utf-8") as file:
        print(tally.passed, tally.failed, tally.skipped, file=file)


if __name__ == "__main__":
    main(*sys.argv[1:])
