# SPDX-License-Identifier: MIT
"""Format and lint; reports in TAP.

    lint.py CLANG_FORMAT CLANG_TIDY

clang-format looks at every file; clang-tidy at src/ and the public headers, one translation unit a
room, in which the findings of that room alone are shown.
"""

import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import tap

ROOT = Path(__file__).resolve().parents[2]
INCLUDE = ROOT / "include"
FOLDERS = ("include", "src", "tests", "bench", "examples")


def complaints(*command):
    answer = subprocess.run(command, capture_output=True, text=True)
    return (answer.stdout or answer.stderr) if answer.returncode else ""


def formats(clang_format):
    for folder in FOLDERS:
        files = [path for pattern in ("*.hpp", "*.cpp") for path in (ROOT / folder).rglob(pattern)]
        if files:
            yield f"clang-format {folder}", [clang_format, "--dry-run", "-Werror",
                                              "--ferror-limit=1", *files]


def lints(clang_tidy, scratch):
    def command(unit, shown):
        return [clang_tidy, "--quiet", f"--config-file={ROOT}/.clang-tidy",
                "--warnings-as-errors=*", f"--header-filter={shown}",
                unit, "--", "-std=c++20", f"-I{INCLUDE}"]

    for unit in sorted((ROOT / "src").rglob("*.cpp")):
        if "windows" in unit.parts:  # whose headers are not here
            continue
        yield f"clang-tidy {unit.relative_to(ROOT)}", command(unit, "^$")
    rooms = defaultdict(list)
    for path in sorted((INCLUDE / "palloc").rglob("*.hpp")):
        header = path.relative_to(INCLUDE)
        rooms[header.parts[1]].append(f"#include <{header}>\n")
    for room, lines in rooms.items():
        unit = Path(scratch) / f"{Path(room).stem}.cpp"
        unit.write_text("".join(lines))
        yield f"clang-tidy {room}", command(unit, INCLUDE / "palloc" / room)


def main(clang_format, clang_tidy):
    with tempfile.TemporaryDirectory() as scratch:
        commands = (*formats(clang_format), *lints(clang_tidy, scratch))
        return tap.run([(name, lambda command=command: complaints(*command))
                        for name, command in commands])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
