# SPDX-License-Identifier: MIT
"""The arrows between the rooms: who may include whom."""

from pathlib import Path

from tree import CODE, POLICY_ROOMS

BELOW = {
    "core": (),
    "concepts": ("core",),
    **{room: ("core", "concepts") for room in POLICY_ROOMS},
    "pool": ("core", "concepts"),  # it names concepts, never a policy
}
BELOW["compositions"] = (*BELOW,)
BELOW["named"] = (*BELOW,)
BELOW["views"] = (*BELOW,)
BELOW["bridges"] = (*BELOW,)
BELOW["umbrella"] = (*BELOW,)
BELOW["src"] = ("core", "concepts", "backings", "metadata")

TOP_LEVEL = {"pool.hpp": "pool", "pool_options.hpp": "pool", "detail": "pool",
             "views.hpp": "views", "palloc.hpp": "umbrella"}
THIRD_PARTY = {"views": ("tl/expected.hpp", "range/v3/")}


def room_of(header):
    """The room of a header, named as it is included: `palloc/<room>/<file>.hpp`."""
    first = Path(header).parts[1]
    return TOP_LEVEL.get(first, first if first in BELOW else "named")


def may_include(source, target):
    """Whether one public header may include another."""
    room, other = room_of(source), room_of(target)
    if room != other:
        return other in BELOW[room]
    if room in POLICY_ROOMS:  # policies never include one another
        return Path(target).parts[2] == "detail"
    return True


def arrows_point_down(tree):
    """Public headers include what lies below them, in angle brackets."""
    for path in tree.under("include/palloc", ".hpp"):
        source = path.relative_to("include").as_posix()
        for mark, target in tree.includes(path):
            if mark == '"':
                yield f'{path}: "{target}" in quotes'
            elif target.startswith("palloc/") and not may_include(source, target):
                yield f"{path}: <{target}> ({room_of(source)} may not include {room_of(target)})"


def sources_know_only_their_room(tree):
    """src/ includes core, concepts, backings and metadata."""
    for path in tree.under("src", *CODE):
        for _, target in tree.includes(path):
            if target.startswith("palloc/") and room_of(target) not in BELOW["src"]:
                yield f"{path}: <{target}>"


def public_headers_need_only_the_standard_library(tree):
    """No other header but tl::expected (and range-v3 for views)."""
    for path in tree.under("include/palloc", ".hpp"):
        room = room_of(path.relative_to("include").as_posix())
        allowed = ("palloc/", *THIRD_PARTY.get(room, ("tl/expected.hpp",)))
        for mark, target in tree.includes(path):
            standard = "/" not in target and "." not in target
            if mark == "<" and not standard and not target.startswith(allowed):
                yield f"{path}: <{target}>"


RULES = (arrows_point_down, sources_know_only_their_room,
         public_headers_need_only_the_standard_library)
