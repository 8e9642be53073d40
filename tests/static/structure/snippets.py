# SPDX-License-Identifier: MIT
"""The C++ that is shown is C++ that is compiled."""

import re
from pathlib import Path

FENCE = re.compile(r"^```cpp\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELIDED = "..."


def code_lines(text):
    """Lines without comments, with blanks made equal; empty ones left out."""
    lines = (" ".join(line.split("//")[0].split()) for line in text.splitlines())
    return [line for line in lines if line]


def is_part_of(shown, source):
    """Whether the lines that are shown stand in the source in this order; what is elided may be
    anything."""
    rest = iter(source)
    for line in shown:
        kept = line.split(ELIDED)[0].strip()
        if line == ELIDED:
            continue
        if not any(kept in each if ELIDED in line else kept == each for each in rest):
            return False
    return True


def snippets_are_compiled(tree):
    """Every block of C++ in README.md and docs/ stands in an example or a test."""
    sources = [code_lines(tree.text(path)) for path in
               tree.under("examples", ".cpp") + tree.under("tests", "_test.cpp")]
    for path in [Path("README.md"), *tree.under("docs", ".md")]:
        text = tree.text(path)
        for block in FENCE.finditer(text):
            shown = code_lines(block.group(1))
            if not any(is_part_of(shown, source) for source in sources):
                line = text.count("\n", 0, block.start()) + 1
                yield f"{path}:{line}: no example and no test compiles this"


RULES = (snippets_are_compiled,)
