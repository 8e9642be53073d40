# SPDX-License-Identifier: MIT
"""Checks the rules of the house on the source tree and reports in TAP.

    python3 tests/static/structure [SOURCE_ROOT]
"""

import sys

import hygiene
import layers
import registry
import snippets
from tree import Tree

RULES = (*layers.RULES, *registry.RULES, *hygiene.RULES, *snippets.RULES)


def main(root="."):
    tree = Tree(root)
    failed = False
    print(f"1..{len(RULES)}")
    for number, rule in enumerate(RULES, 1):
        problems = list(rule(tree))
        failed |= bool(problems)
        print("not ok" if problems else "ok", number, "-", rule.__name__)
        for problem in problems:
            print("#  ", problem)
    return failed


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
