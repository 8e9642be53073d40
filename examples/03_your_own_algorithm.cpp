// SPDX-License-Identifier: MIT
// Any callable is an algorithm. What it answers is checked: a wrong place is an error, not an
// overlap.
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <cstddef>
#include <optional>

int main() {
    using namespace palloc;

    // [lambda]
    // Short-lived blocks from the top, so that they do not come between those that stay.
    const auto from_the_top = [](const auto& map, const placement& q) {
        std::optional<std::size_t> best;
        for (auto run = map.next_free_run(q.from); run.count != 0;
             run = map.next_free_run(run.last()))
            if (run.count >= q.count)
                best = run.last() - q.count;
        return best;
    };
    pool<static_granule<4096>, borrowed, flat, decltype(from_the_top), unprotected> scratch(
        {.name = "scratch"}, {}, {}, from_the_top);
    // [lambda]

    // Somebody else's address range: a device's memory, say. The pool never touches it.
    if (!scratch.add({.where = {0xfd000000, 1 << 20}}))
        return 1;
    const auto block = scratch.allocate(8192);
    if (!block || *block != 0xfd000000 + (1 << 20) - 8192)
        return 1;
    return scratch.deallocate(*block, 8192) ? 0 : 1;
}
