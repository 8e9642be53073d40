# SPDX-License-Identifier: MIT
"""Nothing is forgotten: policies are in their type list, files in their build list."""

import re

from tree import CODE

OFF = re.compile(r"^option\('(\w+)'.*value: (?:false|'disabled')", re.MULTILINE)
QUOTED = re.compile(r"'([^']+)'")


def policies_are_in_their_type_list(tree):
    """Every policy is included by tests/models/<room>.hpp, which conformance iterates over."""
    for path in tree.policies:
        models = f"tests/models/{path.parent.name}.hpp"
        header = path.relative_to("include").as_posix()
        if ("<", header) not in tree.includes(models):
            yield f"{models} does not include <{header}>"


def policies_have_their_own_test(tree):
    """Every policy has a tests/<room>/<name>*_test.cpp."""
    for path in tree.policies:
        tests = tree.under(f"tests/{path.parent.name}", "_test.cpp")
        if not any(test.name.startswith(path.stem) for test in tests):
            yield f"{path} has no tests/{path.parent.name}/{path.stem}_test.cpp"


def headers_are_used_by_a_test(tree):
    """Every public header is included by some test."""
    used = {name for path in tree.under("tests", *CODE) for _, name in tree.includes(path)}
    for path in tree.under("include/palloc", ".hpp"):
        if path.parent.name != "detail" and path.relative_to("include").as_posix() not in used:
            yield f"no test includes {path}"


def sources_are_in_their_build_list(tree):
    """Every test, source, benchmark and example is named in a meson.build at or above it."""
    sources = tree.under("tests", "_test.cpp")
    for folder in ("src", "bench", "examples"):
        sources += tree.under(folder, ".cpp")
    for path in sources:
        listed = {(folder / name) for folder in path.parents
                  for name in QUOTED.findall(tree.text(folder / "meson.build"))}
        if path not in listed:
            yield f"{path} is in no meson.build"


def options_are_tried(tree):
    """What is built only on request is built by some configuration of tests/run."""
    for option in OFF.findall(tree.text("meson_options.txt")):
        if not re.search(rf"-D{option}=(true|enabled)\b", tree.text("tests/run")):
            yield f"tests/run never sets -D{option}"


RULES = (policies_are_in_their_type_list, policies_have_their_own_test,
         headers_are_used_by_a_test, sources_are_in_their_build_list, options_are_tried)
