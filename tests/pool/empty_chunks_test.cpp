// SPDX-License-Identifier: MIT
// Chunks without live blocks: how they are given back, and that nothing else moves.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <map>
#include <vector>

#include "support/check.hpp"
#include "support/counted_metadata.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t page = 4096;
using paged = pool<static_granule<64>, fake_demand_paged, flat, first_fit, unprotected>;

struct scene {
    explicit scene(bool gives_back)
        : pool({.growth = growth_policy::refill(page),
                .gives_back_empty_chunks = gives_back,
                .on_misuse = mistakes.policy(),
                .metadata = metadata},
               {}, fake_demand_paged(space)) {}

    /// The bases of all chunks, oldest first.
    [[nodiscard]] std::vector<address> bases() const {
        std::vector<address> all;
        for (std::size_t i = 0; i != pool.chunk_count(); ++i)
            all.push_back(pool.chunk_at(i).where.base);
        return all;
    }

    fake_space space;
    test::misuse_log mistakes;
    test::counted_metadata metadata;
    paged pool;
};

} // namespace

BOOST_AUTO_TEST_SUITE(empty_chunks)

BOOST_AUTO_TEST_CASE(the_others_stay_in_order_and_are_found) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random)
    for (int round = 0; round != 50; ++round) {
        scene it(false);
        std::vector<address> blocks;
        for (std::size_t i = random.between(1, 200); i-- != 0;)
            blocks.push_back(it.pool.allocate(page).value());
        std::vector<address> kept;
        for (const address block : blocks) {
            if (random.chance(40))
                test::check(it.pool.deallocate(block, page).has_value());
            else
                kept.push_back(block);
        }
        const std::uint64_t given_back = it.pool.release_empty_chunks();
        test::check(given_back == (blocks.size() - kept.size()) * page);
        test::check(it.pool.mapped_bytes() == kept.size() * page);
        test::check(it.bases() == kept);
        for (const address block : blocks) {
            const bool is_kept = std::find(kept.begin(), kept.end(), block) != kept.end();
            test::check(it.pool.owns(block) == is_kept);
            test::check(it.pool.owns(block + page - 1) == is_kept);
        }
        for (const address block : kept) { // full chunks are full still
            test::check(it.pool.deallocate(block, 64).has_value());
            test::check(it.pool.allocate(64) == block);
            test::check(it.pool.deallocate(block, page).has_value());
        }
        test::check(it.mistakes.seen.empty());
    }
}

BOOST_AUTO_TEST_CASE(the_newest_are_kept) {
    scene it(false);
    std::vector<address> blocks;
    for (int i = 0; i != 5; ++i)
        blocks.push_back(it.pool.allocate(page).value());
    for (const std::size_t i : {0U, 1U, 3U, 4U})
        BOOST_TEST(it.pool.deallocate(blocks[i], page).has_value());
    BOOST_TEST(it.pool.release_empty_chunks(2) == 2 * page);
    const std::vector<address> expected{blocks[2], blocks[3], blocks[4]};
    BOOST_TEST(it.bases() == expected);
    BOOST_TEST(it.pool.deallocate(blocks[2], page).has_value());
}

BOOST_AUTO_TEST_CASE(one_at_a_time_comes_and_goes_without_mapping) {
    scene it(true);
    const address block = it.pool.allocate(page).value();
    const std::uint64_t calls = it.metadata.calls();
    for (int i = 0; i != 100; ++i) {
        BOOST_TEST(it.pool.deallocate(block, page).has_value());
        BOOST_TEST(it.pool.allocate(page).value() == block);
    }
    BOOST_TEST(it.metadata.calls() == calls);
    BOOST_TEST(it.pool.chunk_count() == 1u);
    BOOST_TEST(it.pool.deallocate(block, page).has_value());
}

BOOST_AUTO_TEST_CASE(without_the_option_all_stay) {
    scene it(false);
    std::vector<address> blocks;
    for (int i = 0; i != 20; ++i)
        blocks.push_back(it.pool.allocate(page).value());
    for (const address block : blocks)
        BOOST_TEST(it.pool.deallocate(block, page).has_value());
    BOOST_TEST(it.pool.chunk_count() == 20u);
}

BOOST_AUTO_TEST_CASE(few_empty_ones_are_ever_held) {
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        scene it(true);
        std::map<address, std::uint64_t> live;
        for (int step = 0; step != 20'000; ++step) {
            const bool grows = step / 2000 % 2 == 0;
            if (live.empty() || random.chance(grows ? 60 : 30)) {
                const std::uint64_t bytes = 64 * random.between(1, 64);
                live.emplace(it.pool.allocate(bytes).value(), bytes);
            } else {
                auto gone = live.lower_bound(live.begin()->first + random.below(1 << 20));
                gone = gone == live.end() ? live.begin() : gone;
                test::check(it.pool.deallocate(gone->first, gone->second).has_value());
                live.erase(gone);
            }
            std::size_t empty = 0;
            it.pool.for_each_chunk([&](const paged::chunk& chunk) {
                empty += chunk.map.free_count() == chunk.map.size();
            });
            test::check(empty <= 2 + it.pool.chunk_count() / 8);
        }
        for (const auto& [block, bytes] : live)
            test::check(it.pool.deallocate(block, bytes).has_value());
        test::check(it.pool.chunk_count() <= 2 && it.pool.used_bytes() == 0);
        test::check(it.mistakes.seen.empty());
    }
}

BOOST_AUTO_TEST_SUITE_END()
