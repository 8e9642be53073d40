// SPDX-License-Identifier: MIT
#include <palloc/algorithms/buddy.hpp>

#include <boost/test/unit_test.hpp>

#include <bit>
#include <cstddef>
#include <map>
#include <optional>

#include "support/scene.hpp"

namespace {

using namespace palloc;

/// By the definition: of all free buddy blocks that are in no larger one, the smallest that holds a
/// legal position, the lowest of those.
std::optional<std::size_t> by_definition(const test::scene& it) {
    const placement& q = it.request;
    const std::size_t needed = std::bit_ceil(q.count);
    const auto is_free_block = [&](std::size_t first, std::size_t length) {
        return first >= q.from && first + length <= q.limit && it.bitmap.is_free({first, length});
    };
    for (std::size_t length = needed; length <= it.bitmap.size(); length *= 2)
        for (std::size_t first = 0; first + length <= it.bitmap.size(); first += length) {
            const std::size_t parent = first / (2 * length) * (2 * length);
            if (!is_free_block(first, length) ||
                (parent + 2 * length <= it.bitmap.size() && is_free_block(parent, 2 * length)))
                continue;
            for (std::size_t position = first; position + needed <= first + length;
                 position += needed)
                if (q.legal(position))
                    return position;
        }
    return std::nullopt;
}

BOOST_AUTO_TEST_CASE(takes_the_smallest_free_buddy_block) {
    test::over_scenes([](const test::scene& it, test::random_source&) {
        BOOST_TEST(test::place{buddy{}(it.bitmap, it.request)} == test::place{by_definition(it)});
    });
}

BOOST_AUTO_TEST_CASE(blocks_of_powers_of_two_split_and_merge_as_buddies_do) {
    test::scene it(256);
    test::random_source random;
    std::map<std::size_t, std::size_t> live;
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step < 2'000; ++step) {
            if (random.chance(50) || live.empty()) {
                it.request.count = std::size_t{1} << random.below(5);
                const auto place = buddy{}(it.bitmap, it.request);
                if (!place)
                    continue;
                BOOST_TEST(*place % it.request.count == 0);
                BOOST_TEST(it.bitmap.claim({*place, it.request.count}));
                live[*place] = it.request.count;
            } else {
                const auto any =
                    std::next(live.begin(), static_cast<std::ptrdiff_t>(random.below(live.size())));
                BOOST_TEST(it.bitmap.release({any->first, any->second}) == 0);
                live.erase(any);
            }
        }
        for (const auto& [first, count] : live)
            BOOST_TEST(it.bitmap.release({first, count}) == 0);
    }
    it.request.count = 256;
    BOOST_TEST(buddy{}(it.bitmap, it.request).value() == 0);
}

BOOST_AUTO_TEST_CASE(refuses_what_no_chunk_could_hold) {
    test::scene it(64);
    it.request.count = ~std::size_t{0};
    BOOST_TEST(!buddy{}(it.bitmap, it.request));
}

} // namespace
