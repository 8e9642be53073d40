# SPDX-License-Identifier: MIT
"""Proves that illegal programs do not compile, and that the compiler says why; reports in TAP.

    illegal.py COMPILER [ARG...]

Each illegal/*.cpp begins with lines `// expect: TEXT` which the compiler's complaint must contain;
the program itself must not, since compilers quote it. Its twin, made by -DPALLOC_LEGAL, must
compile: so the program is wrong for that one reason only. `// arguments: …` are the compiler's too;
where a line `// only: clang` is there, of other compilers the twin alone is asked.
"""

import re
import subprocess
import sys
from pathlib import Path

import tap

HERE = Path(__file__).resolve().parent
EXPECT = re.compile(r"^// expect: (.+)$", re.MULTILINE)
ONLY = re.compile(r"^// only: (.+)$", re.MULTILINE)
MORE = re.compile(r"^// arguments: (.+)$", re.MULTILINE)
ARGUMENTS = ["-std=c++20", "-fsyntax-only", "-I", HERE.parents[1] / "include", "-I", HERE.parent]


def compile(compiler, program, *arguments):
    more = [each for line in MORE.findall(program.read_text()) for each in line.split()]
    return subprocess.run([*compiler, *ARGUMENTS, *more, *arguments, program],
                          stderr=subprocess.PIPE, text=True)


def is_refused(compiler, program):
    source = program.read_text()
    expected = EXPECT.findall(source)
    if not expected:
        return "no line `// expect: TEXT`"
    quoted = [text for text in expected if text in EXPECT.sub("", source)]
    if quoted:
        return f"the program itself contains: {quoted}"
    answer = compile(compiler, program)
    if answer.returncode == 0:
        return "it compiles"
    missing = [text for text in expected if text not in answer.stderr]
    return "".join(f"not said: {text}\n" for text in missing) + answer.stderr if missing else ""


def is_for_another(compiler, program):
    only = ONLY.search(program.read_text())
    asked = ["-dM", "-E", "-x", "c++", "/dev/null"]
    return only and f"__{only[1]}__" not in subprocess.run([*compiler, *asked], text=True,
                                                           stdout=subprocess.PIPE).stdout


def twin_is_accepted(compiler, program):
    answer = compile(compiler, program, "-DPALLOC_LEGAL")
    return answer.stderr if answer.returncode else ""


def main(*compiler):
    checks = []
    for program in sorted((HERE / "illegal").glob("*.cpp")):
        checks += [(f"{program.stem}/{check.__name__}",
                    lambda check=check, program=program: check(compiler, program))
                   for check in (is_refused, twin_is_accepted)]
        if is_for_another(compiler, program):
            checks[-2] = (f"{program.stem}/is_refused # SKIP another compiler says so", lambda: "")
    return tap.run(checks)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
