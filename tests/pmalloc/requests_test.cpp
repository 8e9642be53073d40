// SPDX-License-Identifier: MIT
// What requests do to areas, those that fail included, and what becomes of blocks that die.
#include <palloc/bridges/frozen.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <stdexcept>
#include <vector>

#include "backends/seam.hpp"
#include "pmalloc/made.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::check_fails;
using test::made;
using test::number;

namespace {

constexpr pmalloc_mode all_modes[] = {pmalloc_mode::ro, pmalloc_mode::wr, pmalloc_mode::auto_ro,
                                      pmalloc_mode::auto_wr, pmalloc_mode::start_wr};
constexpr pmalloc_mode automatic_modes[] = {pmalloc_mode::auto_ro, pmalloc_mode::auto_wr};

#if defined(_WIN32)
constexpr os::call making_memory = os::call::section;
constexpr os::call closing_an_area = os::call::protect;
#else
constexpr os::call making_memory = os::call::memory_file;
constexpr os::call closing_an_area = os::call::open;
#endif

/// More than the smallest area has.
std::uint64_t more() {
    return 2 * test::unit_bytes() - 192;
}

/// Fails at the `at`-th of its kind that is made.
struct fails_at {
    static inline int left = 0;
    fails_at() {
        if (left-- == 0)
            throw std::runtime_error("no more");
    }
    explicit fails_at(int) { throw std::runtime_error("never"); }
};

struct takes_memory_and_fails {
    using allocator_type = std::pmr::polymorphic_allocator<std::byte>;
    explicit takes_memory_and_fails(const allocator_type& memory) : some(100, 1, memory) {
        throw std::runtime_error("no more");
    }
    std::pmr::vector<int> some;
};

} // namespace

template <>
inline constexpr bool palloc::all_lies_in_its_resource<takes_memory_and_fails> = true;

namespace {

/// The `n`-th call of a kind fails, for a scope.
class failing_call {
  public:
    failing_call(os::call which, std::uint64_t n, int why) : which_(which) {
        os::fail_nth(which, n, why);
    }
    ~failing_call() { os::fail_nth(which_, 0, 0); }
    failing_call(const failing_call&) = delete;
    failing_call& operator=(const failing_call&) = delete;

  private:
    os::call which_;
};

} // namespace

BOOST_AUTO_TEST_SUITE(pmalloc_requests)

BOOST_AUTO_TEST_CASE(a_pool_that_protects_once_serves_until_it_is_protected) {
    for (const pmalloc_mode mode : all_modes) {
        const auto pool = made({.mode = mode, .protects_once = true});
        BOOST_TEST(pool->preload(100).has_value());
        for (const std::uint64_t bytes : {8U, 5'000U, 8U, 20'000U, 8U})
            BOOST_TEST(pool->alloc(bytes).has_value(), static_cast<int>(mode) << ": " << bytes);
        BOOST_TEST(pool->protect().has_value());
        check_fails(pool->alloc(8), {errc::is_protected});
        check_fails(pool->preload(8), {errc::is_protected});
    }
}

BOOST_AUTO_TEST_CASE(a_request_that_fails_closes_no_area) {
    for (const pmalloc_mode mode : automatic_modes) {
        const auto pool = made({.mode = mode, .cap_bytes = 1 << 20});
        const void* const newest = pool->alloc(8).value();
        const auto is_as_it_was = [&] {
            return test::writable(newest) && pool->statistics().areas == 1 &&
                   pool->state() == pmalloc_state::open;
        };
        check_fails(pool->alloc(2 << 20), {errc::over_limit});
        BOOST_TEST(!pool->alloc(~std::uint64_t{0} - 7).has_value());
        BOOST_TEST(!pool->preload(0).has_value());
        check_fails(pool->preload(2 << 20), {errc::over_limit});
        BOOST_TEST(is_as_it_was());
        for (const bool ahead : {false, true}) {
            const failing_call none(making_memory, 1, ENOMEM);
            BOOST_TEST(!(ahead ? pool->preload(8) : pool->alloc(more()).map([](void*) {})));
            BOOST_TEST(is_as_it_was());
        }
        BOOST_TEST(pool->alloc(8).has_value()); // from the area that is there
        BOOST_TEST(is_as_it_was());
        BOOST_TEST(pool->alloc(more()).has_value());
        BOOST_TEST(!test::writable(newest));
    }
}

BOOST_AUTO_TEST_CASE(an_area_that_could_not_be_closed_is_closed_before_the_next_request) {
    for (std::uint64_t n = 1;; ++n) {
        const auto pool = made({.mode = pmalloc_mode::auto_ro, .wanted = strength::read_only});
        const void* const first = pool->alloc(8).value();
        const std::uint64_t before = os::calls(os::call::any);
        result<void*> large = nullptr;
        {
            const failing_call some(os::call::any, n, ENOMEM);
            large = pool->alloc(more());
            if (os::calls(os::call::any) - before < n)
                break;
        }
        BOOST_TEST_CONTEXT("call " << n) {
            const pmalloc_statistics seen = pool->statistics();
            BOOST_TEST(seen.allocated_blocks == (large ? 2u : 1u));
            BOOST_TEST((large || test::writable(first) || pool->state() != pmalloc_state::open));
            BOOST_TEST(pool->alloc(8).has_value());
            BOOST_TEST((test::writable(first) == (pool->statistics().areas == 1)));
        }
        BOOST_REQUIRE(n < 100);
    }
}

BOOST_AUTO_TEST_CASE(who_insists_gets_it_when_an_area_can_be_closed) {
    const auto pool = made({.mode = pmalloc_mode::auto_ro});
    const void* const first = pool->alloc(8).value();
    const failing_call some(closing_an_area, 1, EMFILE);
    BOOST_TEST(pool->alloc(more(), pmalloc_flags::insist).has_value());
    BOOST_TEST(!test::writable(first));
}

BOOST_AUTO_TEST_CASE(writing_ends_in_a_pool_that_has_nothing_yet) {
    const auto rare = made({.mode = pmalloc_mode::wr});
    BOOST_TEST((rare->make_read_only().value() == strength::none));
    check_fails(rare->alloc(8), {errc::is_protected});

    const auto pool = made({.name = "read-only"});
    check_fails(pool->make_read_only(), {errc::not_supported});
    BOOST_TEST(pool->alloc(8).has_value());
}

BOOST_AUTO_TEST_CASE(what_is_required_of_a_pool_whose_writing_ends_is_had_or_told) {
#if defined(_WIN32)
    test::skip("no call of the system can refuse a seal");
#else
    for (const demand insistence : {demand::required, demand::best_effort}) {
        const auto pool = made({.mode = pmalloc_mode::wr, .insistence = insistence});
        const int* const seven = pool->make<int>(7).value();
        BOOST_TEST(pool->protect().has_value());
        const failing_call some(os::call::add_seals, 1, EPERM);
        const auto ended = pool->make_read_only();
        if (insistence == demand::required)
            check_fails(ended, {errc::not_supported});
        else
            BOOST_TEST((ended.value() == strength::read_only));
        BOOST_TEST((pool->achieved() == strength::read_only));
        check_fails(pool->assign(seven, 8), {errc::is_protected});
        check_fails(pool->alloc(8), {errc::is_protected});
    }
#endif
}

BOOST_AUTO_TEST_CASE(a_block_dies_once) {
    for (const pmalloc_mode mode : all_modes) {
        const auto pool = made({.mode = mode});
        const void* const first = pool->alloc(8).value();
        const void* const second = pool->alloc(800).value();
        const void* const third = pool->alloc(8).value();
        BOOST_TEST(pool->protect().has_value());
        BOOST_TEST(pool->free(second).has_value());
        const pmalloc_statistics once = pool->statistics();
        BOOST_TEST((once.dead_blocks == 1u && once.dead_bytes == 800u));
        BOOST_TEST((once.allocated_blocks == 2u && once.allocated_bytes == 16u));
        check_fails(pool->free(second), {errc::double_free});
        check_fails(pool->free(second, 800), {errc::double_free});
        const auto within = static_cast<const std::byte*>(second) + 64;
        BOOST_TEST(!pool->free(within).has_value());
        BOOST_TEST(pool->misuse_count() == 3u);
        BOOST_TEST(pool->statistics().dead_blocks == 1u);
        BOOST_TEST(pool->statistics().allocated_bytes == 16u);
        BOOST_TEST(pool->books_are_closed());
        BOOST_TEST(pool->locate(test::number(third))->block == 1u); // of those that live
        BOOST_TEST((pool->free(first) && pool->free(third)));
        BOOST_TEST(pool->statistics().allocated_bytes == 0u);
    }
}

/// Nothing but this thread could make room, so there is nothing to wait for.
BOOST_AUTO_TEST_CASE(who_insists_on_what_is_mapped_is_refused_where_it_is_full) {
    constexpr pmalloc_flags both = pmalloc_flags::insist | pmalloc_flags::must_not_map;
    const auto pool = made();
    check_fails(pool->alloc(8, both), {errc::out_of_memory}); // nothing is mapped yet
    BOOST_TEST(pool->preload(8).has_value());
    void* const first = pool->make_flagged<std::uint64_t>(both, 1U).value();
    while (pool->alloc(8, both).has_value()) {
    }
    check_fails(pool->alloc(8, both), {errc::out_of_memory});
    check_fails(pool->make_flagged<std::uint64_t>(both, 1U), {errc::out_of_memory});
    check_fails(pool->make_flagged<std::uint64_t>(pmalloc_flags::must_not_map, 1U),
                {errc::out_of_memory});
    check_fails(pool->make_array<char>(8, both).map([](auto) {}), {errc::out_of_memory});
    BOOST_TEST(pool->statistics().areas == 1u);
    BOOST_TEST(pool->free(first).has_value());
    BOOST_TEST((pool->make_array<char>(8, both).value().data() == first));
    BOOST_TEST(pool->make_array<char>(8, pmalloc_flags::insist).has_value()); // maps
    BOOST_TEST(pool->statistics().areas == 2u);
}

BOOST_AUTO_TEST_CASE(sizes_are_rounded_up_to_granules) {
    for (const unsigned order : {0U, 3U, 6U, 10U}) {
        const auto pool = made({.granule_order = order, .alignment = 1});
        const std::uint64_t granule = std::uint64_t{1} << order;
        const address first = number(pool->alloc(1).value());
        BOOST_TEST(number(pool->alloc(granule + 1).value()) == first + granule);
        BOOST_TEST(number(pool->alloc(1).value()) == first + 3 * granule);
        BOOST_TEST(pool->statistics().allocated_bytes == 4 * granule);
    }
}

BOOST_AUTO_TEST_CASE(areas_have_the_refill_size_at_least) {
    constexpr std::uint64_t refill = 1 << 18;
    const auto pool = made({.refill_bytes = refill});
    BOOST_TEST(pool->alloc(8).has_value());
    BOOST_TEST((pool->statistics().mapped_bytes == refill && pool->statistics().areas == 1u));
    BOOST_TEST(pool->alloc(refill - 8).has_value()); // the rest of it
    BOOST_TEST(pool->statistics().areas == 1u);
    BOOST_TEST(pool->alloc(8).has_value());
    BOOST_TEST((pool->statistics().mapped_bytes == 2 * refill && pool->statistics().areas == 2u));
    BOOST_TEST(pool->alloc(4 * refill).has_value()); // more than a refill: as much as it takes
    BOOST_TEST((pool->statistics().mapped_bytes == 6 * refill && pool->statistics().areas == 3u));
}

BOOST_AUTO_TEST_CASE(a_cap_holds_over_all_areas) {
    const std::uint64_t unit = test::unit_bytes();
    const auto pool = made({.cap_bytes = 4 * unit});
    std::vector<const void*> blocks;
    for (std::uint64_t i = 1; i <= 4; ++i) {
        blocks.push_back(pool->alloc(unit).value());
        BOOST_TEST((pool->statistics().mapped_bytes == i * unit && pool->statistics().areas == i));
    }
    const auto is_full = [&] {
        for (const pmalloc_flags flags : {pmalloc_flags::none, pmalloc_flags::insist})
            check_fails(pool->alloc(8, flags), {errc::over_limit});
        check_fails(pool->preload(8), {errc::over_limit});
        BOOST_TEST(pool->statistics().mapped_bytes == 4 * unit);
    };
    is_full();
    BOOST_TEST(pool->free(blocks[1]).has_value());
    BOOST_TEST(pool->alloc(unit).value() == blocks[1]);
    BOOST_TEST(pool->protect().has_value());
    BOOST_TEST(pool->free(blocks[2]).has_value()); // dead, and counted all the same
    is_full();
}

BOOST_AUTO_TEST_CASE(what_a_constructor_throws_leaves_no_block) {
    const auto pool = made({.refill_bytes = 1 << 16});
    BOOST_CHECK_THROW((void)pool->make<fails_at>(1), std::runtime_error);
    fails_at::left = 5;
    BOOST_CHECK_THROW((void)pool->make_array<fails_at>(10), std::runtime_error);
    BOOST_TEST(pool->statistics().allocated_blocks == 0u);
    BOOST_CHECK_THROW((void)make_in<takes_memory_and_fails>(*pool), std::runtime_error);
    BOOST_TEST(pool->statistics().allocated_blocks == 0u);
    BOOST_TEST(pool->misuse_count() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
