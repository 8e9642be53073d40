# SPDX-License-Identifier: MIT
"""Compiles every public header alone and included twice; reports in TAP.

    headers.py COMPILER [ARG...]

Without exceptions and run-time type information, but for the bridges to what needs them.
"""

import subprocess
import sys
from pathlib import Path

import tap

INCLUDE = Path(__file__).resolve().parents[2] / "include"
WARNINGS = ("-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Werror").split()
MAY_THROW = ("palloc/bridges/", "palloc/views.hpp", "palloc/palloc.hpp")


def compiles_alone(compiler, header):
    strict = [] if header.startswith(MAY_THROW) else ["-fno-exceptions", "-fno-rtti"]
    twice = f"#include <{header}>\n" * 2
    answer = subprocess.run(
        [*compiler, "-std=c++20", *WARNINGS, *strict, "-I", INCLUDE, "-fsyntax-only", "-xc++", "-"],
        input=twice, stderr=subprocess.PIPE, text=True)
    return answer.stderr if answer.returncode else ""


def main(*compiler):
    headers = sorted(path.relative_to(INCLUDE).as_posix() for path in INCLUDE.rglob("*.hpp"))
    return tap.run([(header, lambda header=header: compiles_alone(compiler, header))
                    for header in headers])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
