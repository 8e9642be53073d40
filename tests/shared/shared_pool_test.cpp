// SPDX-License-Identifier: MIT
// A pool in a segment: the same blocks for every process, each at addresses of its own.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/shared.hpp>

#include <boost/test/unit_test.hpp>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unistd.h>
#include <vector>

#include "support/in_child.hpp"

using namespace palloc;

namespace {

constexpr segment_shape small{.bytes = 1 << 16};
using dense_pool = shared_pool<64, first_fit>;

/// Two attachments of one process stand for two processes: they share nothing else.
struct two_pools {
    shared_segment here = shared_segment::nameless(small).value();
    shared_segment there = shared_segment::attach(here.descriptor(), 64).value();
    pool_options options{.on_misuse = {.handler = count_misuse}};
    dense_pool mine{here, options};
    dense_pool theirs{there, options};
};

} // namespace

BOOST_AUTO_TEST_SUITE(shared_pools)

BOOST_AUTO_TEST_CASE(blocks_are_the_same_at_two_places) {
    two_pools it;
    BOOST_TEST(it.mine.opened().has_value());
    const auto mine = it.mine.allocate(100, 4096);
    BOOST_TEST_REQUIRE(mine.has_value());
    BOOST_TEST(*mine % 4096 == 0u);
    std::memset(reinterpret_cast<void*>(*mine), 'x', 100);
    const address seen = it.there.at(it.here.offset_of(*mine));
    BOOST_TEST((seen != *mine && seen % 4096 == 0));
    BOOST_TEST(*reinterpret_cast<const char*>(seen) == 'x');
    const auto theirs = it.theirs.allocate_offset(64);
    BOOST_TEST((theirs && *theirs != it.here.offset_of(*mine)));
    BOOST_TEST((it.mine.owns(*mine) && it.theirs.owns(seen) && !it.mine.owns(seen)));
    BOOST_TEST(it.mine.own_bytes() == 128u);
    BOOST_TEST(it.theirs.own_bytes() == 64u);
    BOOST_TEST(it.mine.free_bytes() == (1u << 16) - 192);
    BOOST_TEST(it.mine.deallocate(*mine, 100).has_value());
    BOOST_TEST(it.theirs.deallocate_offset(*theirs, 64).has_value());
    BOOST_TEST(it.mine.free_bytes() == 1u << 16);
}

BOOST_AUTO_TEST_CASE(what_one_frees_the_other_allocates) {
    two_pools it;
    std::vector<address> all;
    while (const auto block = it.mine.allocate(1000))
        all.push_back(*block);
    BOOST_TEST(all.size() == 64u);
    BOOST_TEST((it.theirs.allocate(64).error().code == errc::out_of_memory));
    BOOST_TEST(it.mine.deallocate(all[7], 1000).has_value());
    BOOST_TEST(it.theirs.allocate(1024).has_value());
    BOOST_TEST((it.mine.allocate(64).error().code == errc::out_of_memory));
}

BOOST_AUTO_TEST_CASE(blocks_of_others_are_not_freed_but_kept_ones_are) {
    two_pools it;
    const address block = it.mine.allocate(640).value();
    const address seen = it.there.at(it.here.offset_of(block));
    BOOST_TEST((it.theirs.deallocate(seen, 640).error().code == errc::double_free));
    BOOST_TEST(it.theirs.as_pool().misuse_count() == 1u);
    BOOST_TEST((it.theirs.keep(seen, 640).error().code == errc::not_a_block));
    BOOST_TEST((it.mine.take_over(block, 640).error().code == errc::not_a_block));
    BOOST_TEST(it.mine.keep(block, 640).has_value());
    BOOST_TEST(it.theirs.kept_bytes() == 640u);
    BOOST_TEST(it.theirs.take_over(seen, 640).has_value());
    BOOST_TEST((it.mine.deallocate(block, 640).error().code == errc::double_free));
    BOOST_TEST(it.theirs.keep(seen, 640).has_value());
    BOOST_TEST(it.mine.deallocate(block, 640).has_value());
    BOOST_TEST(it.mine.free_bytes() == 1u << 16);
}

BOOST_AUTO_TEST_CASE(bad_arguments_are_refused) {
    two_pools it;
    const address block = it.mine.allocate(64).value();
    BOOST_TEST((it.mine.allocate(0).error().code == errc::zero_size));
    BOOST_TEST((it.mine.allocate(8, 3).error().code == errc::bad_alignment));
    BOOST_TEST((it.mine.allocate(8, 1 << 17).error().code == errc::bad_alignment));
    for (const std::uint64_t alignment : {0UL, 3UL, 1UL << 17, 1UL << 63})
        BOOST_TEST((it.mine.deallocate(block, 64, alignment).error().code == errc::bad_alignment));
    BOOST_TEST((it.mine.keep(block, 0).error().code == errc::zero_size));
    BOOST_TEST((it.mine.keep(block + 1, 64).error().code == errc::not_a_block));
    BOOST_TEST((it.mine.keep(block, 1 << 17).error().code == errc::past_the_end));
    BOOST_TEST((it.mine.keep(it.here.base(), 64).error().code == errc::not_ours));
}

BOOST_AUTO_TEST_CASE(what_the_dead_had_is_there_when_it_is_needed) {
    two_pools it;
    BOOST_TEST(test::in_child([&] {
                   auto segment = shared_segment::attach(it.here.descriptor(), 64).value();
                   dense_pool dying(segment);
                   while (dying.allocate(4096)) {
                   }
                   ::raise(SIGKILL);
                   return 0;
               }) == -SIGKILL);
    BOOST_TEST(it.mine.free_bytes() == 0u);
    BOOST_TEST(it.mine.allocate(5000).has_value());
}

BOOST_AUTO_TEST_CASE(a_process_that_detaches_leaves_what_is_kept) {
    two_pools it;
    BOOST_TEST(test::in_child([&] {
                   auto segment = shared_segment::attach(it.here.descriptor(), 64).value();
                   dense_pool leaving(segment);
                   (void)leaving.allocate(4096);
                   const auto left = leaving.allocate(1000);
                   if (!left || !leaving.keep(*left, 1000))
                       return 1;
                   std::memcpy(reinterpret_cast<void*>(*left), "left", 5);
                   segment.root(0) = segment.offset_of(*left);
                   return 0;
               }) == 0);
    const address left = it.here.at(it.here.root(0));
    BOOST_TEST(std::strcmp(reinterpret_cast<const char*>(left), "left") == 0);
    BOOST_TEST(it.mine.reclaim().claimants <= 1u);
    BOOST_TEST(it.mine.free_bytes() == (1u << 16) - 1024);
    BOOST_TEST(it.mine.deallocate(left, 1000).has_value());
}

BOOST_AUTO_TEST_CASE(a_pool_is_found_from_its_memory) {
    two_pools it;
    BOOST_TEST(dense_pool::over(it.here.base()) == &it.mine);
    BOOST_TEST(dense_pool::over(it.there.base()) == &it.theirs);
}

BOOST_AUTO_TEST_SUITE_END()
