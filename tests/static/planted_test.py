# SPDX-License-Identifier: MIT
"""Plants one fault at a time in a small sound tree: each rule must find its own; reports in TAP."""

import sys
import tempfile
from pathlib import Path

import tap

sys.path.insert(0, str(Path(__file__).resolve().parent / "structure"))
import hygiene
import layers
import registry
import snippets
from tree import Tree

SPDX = "// SPDX-License-Identifier: MIT\n"
VERSION = ("#define PALLOC_VERSION_MAJOR 1\n#define PALLOC_VERSION_MINOR 2\n"
           '#define PALLOC_VERSION_PATCH 3\n#define PALLOC_VERSION "1.2.3"\n')
SOUND = {
    "meson.build": "project('palloc', 'cpp',\n  version: '1.2.3',\n)\n",
    "README.md": "```cpp\npool.allocate(1); // a block\n...\npool.deallocate(block);\n```\n",
    "examples/meson.build": "files('use.cpp')\n",
    "examples/use.cpp": SPDX + "pool.allocate(1);\npool.deallocate(block);\n",
    "meson_options.txt": "option('slow', type: 'boolean', value: false)\n",
    "tests/run": "meson setup build -Dslow=true\n",
    "src/meson.build": "files('backends/mmap.cpp')\n",
    "src/backends/mmap.cpp": SPDX + "#include <palloc/backings/mmap.hpp>\n#include <sys/mman.h>\n",
    "tests/backings/meson.build": "files('mmap_test.cpp')\n",
    "tests/backings/mmap_test.cpp": SPDX + "#include <palloc/core/version.hpp>\n",
    "tests/models/backings.hpp": SPDX + "#include <palloc/backings/mmap.hpp>\n",
    "include/palloc/core/version.hpp": SPDX + VERSION + "namespace palloc::inline v1 {}\n",
    "include/palloc/backings/mmap.hpp":
        SPDX + "#include <palloc/core/version.hpp>\n#include <tl/expected.hpp>\n",
}
MMAP = "include/palloc/backings/mmap.hpp"
CORE = "include/palloc/core/version.hpp"
TEST = "tests/backings/mmap_test.cpp"
# The rule, the file and what is added to it; the file is emptied first where nothing is.
FAULTS = (
    (layers.arrows_point_down, CORE, "#include <palloc/backings/mmap.hpp>\n"),
    (layers.arrows_point_down, MMAP, "#include <palloc/backings/fake.hpp>\n"),
    (layers.arrows_point_down, MMAP, "#include <palloc/pool.hpp>\n"),
    (layers.arrows_point_down, MMAP, '#include "other.hpp"\n'),
    (layers.arrows_point_down, "include/palloc/pool.hpp", "#include <palloc/backings/mmap.hpp>\n"),
    (layers.sources_know_only_their_room, "src/backends/mmap.cpp", "#include <palloc/pool.hpp>\n"),
    (layers.public_headers_need_only_the_standard_library, MMAP, "#include <sys/mman.h>\n"),
    (layers.public_headers_need_only_the_standard_library, MMAP, "#include <range/v3/all.hpp>\n"),
    (registry.policies_are_in_their_type_list, "tests/models/backings.hpp", ""),
    (registry.policies_have_their_own_test, "include/palloc/backings/fake.hpp", SPDX),
    (registry.headers_are_used_by_a_test, "include/palloc/core/error.hpp", SPDX),
    (registry.sources_are_in_their_build_list, "tests/backings/meson.build", ""),
    (registry.sources_are_in_their_build_list, "src/meson.build", ""),
    (registry.options_are_tried, "tests/run", ""),
    (registry.options_are_tried, "meson_options.txt",
     "option('rare', type: 'feature', value: 'disabled')\n"),
    (hygiene.files_keep_their_line_budget, MMAP, "\n" * 400),
    (hygiene.files_name_their_licence, "include/palloc/core/error.hpp", "\n"),
    (hygiene.versions_agree, "meson.build", ""),
    (hygiene.versions_agree, MMAP, "namespace palloc::inline v0 {}\n"),
    (hygiene.nothing_is_left_open, MMAP, "// TO" "DO\n"),
    (hygiene.no_machine_is_named, MMAP, "// /ho" "me/someone\n"),
    (hygiene.system_calls_go_through_the_seam, "src/backends/mmap.cpp",
     "long thread() { return ::syscall(1) + ::pkey_get(1) + os::map(1); }\n"),
    (snippets.snippets_are_compiled, "README.md", "```cpp\npool.allocate(2);\n```\n"),
    (snippets.snippets_are_compiled, "docs/use.md",
     "```cpp\npool.deallocate(block);\npool.allocate(1);\n```\n"),
    (hygiene.tests_link_the_shared_main, TEST, "#include <boost/test/included/unit_test.hpp>\n"),
)
RULES = {*layers.RULES, *registry.RULES, *hygiene.RULES, *snippets.RULES}


def problems_after(changes, rule):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**SOUND, **changes}.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(rule(Tree(folder)))


def accepts_the_sound_tree(rule):
    return "\n".join(problems_after({}, rule))


def finds(rule, name, added):
    found = problems_after({name: SOUND.get(name, "") + added if added else ""}, rule)
    return "" if len(found) == 1 else f"found {found or 'nothing'} after changing {name}"


def main():
    unproved = RULES - {rule for rule, *_ in FAULTS}
    checks = [("every rule has a planted fault", lambda: "".join(map(str, unproved)))]
    checks += [(f"{rule.__name__} accepts a sound tree",
                lambda rule=rule: accepts_the_sound_tree(rule))
               for rule in sorted(RULES, key=lambda rule: rule.__name__)]
    checks += [(f"{rule.__name__} finds a fault in {name}",
                lambda fault=(rule, name, added): finds(*fault))
               for rule, name, added in FAULTS]
    return tap.run(checks)


if __name__ == "__main__":
    sys.exit(main())
