# SPDX-License-Identifier: MIT
"""Small promises about the text of the files."""

import re

from tree import CODE

LINE_BUDGET = 400
# Bracketed, so that the patterns do not find themselves.
OPEN_END = re.compile(r"\b(TO[D]O|FIX[M]E|XX[X])\b")
MACHINE_PATH = re.compile(r"/wo[r]k/|/ho[m]e/\w|/ro[o]t/|\.libr[a]ry\b")

GLOBAL_CALL = re.compile(r"(?<![\w>])::(\w+)\(")
NO_SYSTEM_CALL = {"pkey_get", "pkey_set"}  # they are instructions


def code(tree):
    return [path for path in tree.files if path.suffix in (*CODE, ".py")]


def files_keep_their_line_budget(tree):
    """No file of code is longer than can be read at once."""
    for path in code(tree):
        lines = tree.text(path).count("\n")
        if lines > LINE_BUDGET:
            yield f"{path}: {lines} lines, budget {LINE_BUDGET}"


def files_name_their_licence(tree):
    """Every file of code says its licence at the top."""
    for path in code(tree):
        if "SPDX-License-Identifier: MIT" not in "".join(tree.text(path).splitlines()[:2]):
            yield f"{path}: no SPDX line at the top"


def versions_agree(tree):
    """meson.build, the version macros and the inline namespace say the same."""
    project = re.search(r"^  version: '([\d.]+)'", tree.text("meson.build"), re.MULTILINE)
    header = tree.text("include/palloc/core/version.hpp")
    macros = ".".join(re.findall(r"#define PALLOC_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header))
    text = re.search(r'#define PALLOC_VERSION "([\d.]+)"', header)
    found = {project and project[1], macros, text and text[1]}
    if len(found) != 1:
        yield f"different versions: {found}"
    for path in tree.under("include/palloc", ".hpp"):
        for abi in re.findall(r"palloc::inline v(\d+)", tree.text(path)):
            if abi != macros.split(".")[0]:
                yield f"{path}: namespace v{abi} in version {macros}"


def lines_that_match(tree, pattern):
    for path in tree.files:
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            if pattern.search(line):
                yield f"{path}:{number}: {line.strip()[:100]}"


def nothing_is_left_open(tree):
    """No note that promises work."""
    return lines_that_match(tree, OPEN_END)


def no_machine_is_named(tree):
    """No path of somebody's machine."""
    return lines_that_match(tree, MACHINE_PATH)


def system_calls_go_through_the_seam(tree):
    """Only os.cpp calls what is neither in a namespace of ours nor of the standard library; and the
    handler of faults under Windows, where no call can be made to fail while one is handled."""
    for path in tree.under("src", *CODE):
        if path.name == "os.cpp" or path.as_posix().endswith("windows/fault_report.cpp"):
            continue
        for number, line in enumerate(tree.text(path).splitlines(), 1):
            for name in GLOBAL_CALL.findall(line):
                if name not in NO_SYSTEM_CALL:
                    yield f"{path}:{number}: ::{name}(); call it through os.hpp"


def tests_link_the_shared_main(tree):
    """Boost.Test is not compiled into each test, and the shared main reports."""
    for path in tree.under("tests", *CODE):
        for _, target in tree.includes(path):
            if (target.startswith("boost/test/included/")
                    and str(path) != "tests/support/main.cpp"):
                yield f"{path}: <{target}>; include <boost/test/unit_test.hpp>"


RULES = (files_keep_their_line_budget, files_name_their_licence, versions_agree,
         nothing_is_left_open, no_machine_is_named, system_calls_go_through_the_seam, tests_link_the_shared_main)
