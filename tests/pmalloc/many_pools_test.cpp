// SPDX-License-Identifier: MIT
// Ten thousand pools, and what becomes of one where the kernel has no mapping left for it.
#include <palloc/core/mapping_use.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backends/os.hpp"
#include "pmalloc/made.hpp"
#include "support/address_space.hpp"
#include "support/in_child.hpp"
#include "support/open_files.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"
#include "support/spent_mappings.hpp"

using namespace palloc;

namespace {

struct one_pool {
    pmalloc::handle pool;
    const std::uint64_t* number;
};

constexpr error no_mapping{errc::os_failure, ENOMEM};

/// What does not hold in the child, by its line.
#define PALLOC_HOLDS(...)                                                                          \
    if (!(__VA_ARGS__))                                                                            \
    return __LINE__ % 250 + 1

/// A pool, made, filled and protected with each number of mappings left, from none on.
struct lives_at_the_limit {
    strength wanted = strength::sealed;
    pmalloc_mode mode = pmalloc_mode::ro;

    [[nodiscard]] int operator()() const {
        std::vector<one_pool> others;
        for (std::uint64_t i = 0; i != 20; ++i) {
            auto made = pmalloc::create({.name = "other " + std::to_string(i)});
            PALLOC_HOLDS(made);
            const auto number = (*made)->make<std::uint64_t>(i << 8);
            PALLOC_HOLDS(number && (i % 2 == 0 || (*made)->protect()));
            others.push_back({std::move(*made), *number});
        }
        const std::size_t files = test::open_files();
        test::spent_mappings spent;
        PALLOC_HOLDS(spent.count() > 1000);
        const auto now = mappings_in_use();
        PALLOC_HOLDS(now && now->left() <= 2); // so the caller can tell

        bool refused_to_allocate = false;
        for (int left = 0; left != 40; ++left, (void)spent.give_one_back()) {
            auto made = pmalloc::create({.name = "late", .mode = mode, .wanted = wanted});
            if (!made) {
                PALLOC_HOLDS(made.error() == no_mapping);
                PALLOC_HOLDS(test::open_files() == files);
                continue;
            }
            pmalloc& late = **made;
            const auto number = late.make<std::uint64_t>(77U);
            if (!number) {
                PALLOC_HOLDS(number.error() == no_mapping);
                PALLOC_HOLDS(late.statistics().areas == 0);
                refused_to_allocate = true;
                continue;
            }
            auto done = late.protect();
            if (!done) {
                PALLOC_HOLDS(done.error() == no_mapping && **number == 77);
                PALLOC_HOLDS(late.state() != pmalloc_state::is_protected);
                while (!done && spent.give_one_back())
                    done = late.protect(); // goes on where it stopped
            }
            PALLOC_HOLDS(done && late.state() == pmalloc_state::is_protected);
            PALLOC_HOLDS(**number == 77 && !test::writable(*number));
            for (std::size_t i = 0; i != others.size(); ++i) {
                PALLOC_HOLDS(*others[i].number == i << 8); // `writable` zeroes a byte
                PALLOC_HOLDS(test::writable(others[i].number) == (i % 2 == 0));
            }
        }
        // Books need none where they happen to lie beside pages of the same kind; an area does.
        PALLOC_HOLDS(refused_to_allocate);
        return 0;
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(many_pools)

BOOST_AUTO_TEST_CASE(ten_thousand_are_protected) {
    constexpr std::uint64_t count = 10'000;
    const auto before = mappings_in_use();
    BOOST_TEST_REQUIRE(before.has_value());
    std::vector<one_pool> all;
    all.reserve(count);
    std::uint64_t weak = 0;
    for (std::uint64_t i = 0; i != count; ++i) {
        auto pool = test::made({.name = "pool " + std::to_string(i)});
        const auto number = pool->make<std::uint64_t>(i);
        BOOST_TEST_REQUIRE(number.has_value());
        weak += pool->protect() == strength::sealed ? 0U : 1U;
        all.push_back({std::move(pool), *number});
    }
    BOOST_TEST(weak == 0u);
    const auto now = mappings_in_use();
    BOOST_TEST_REQUIRE(now.has_value());
    BOOST_TEST_MESSAGE(now->used - before->used << " mappings for " << count << " pools");
    BOOST_TEST(now->used - before->used <= 2 * count + count / 100); // data, books
    std::uint64_t wrong = 0;
    for (std::size_t i = 0; i != count; ++i)
        wrong += *all[i].number == i && all[i].pool->owns(test::number(all[i].number)) ? 0U : 1U;
    BOOST_TEST(wrong == 0u);
    BOOST_TEST(!test::writable(all[4711].number));
    all.clear();
    const auto after = mappings_in_use();
    BOOST_TEST_REQUIRE(after.has_value());
    BOOST_TEST(after->used <= before->used + count / 100); // books of the process, to be used again
}

BOOST_AUTO_TEST_CASE(without_mappings_it_is_an_error_and_nothing_is_lost) {
    if (test::is_sanitized)
        test::skip("a sanitizer needs mappings itself");
    BOOST_TEST(test::in_child(lives_at_the_limit{}) == 0);
    BOOST_TEST(test::in_child(lives_at_the_limit{.wanted = strength::read_only}) == 0);
    BOOST_TEST(test::in_child(lives_at_the_limit{.mode = pmalloc_mode::wr}) == 0);
}

BOOST_AUTO_TEST_CASE(mappings_are_counted) {
    const auto before = mappings_in_use();
    BOOST_TEST_REQUIRE(before.has_value());
    BOOST_TEST((before->limit > 1000 && before->left() == before->limit - before->used));
    constexpr std::uint64_t bytes = 100 * 4096;
    const auto first = os::map(0, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS);
    BOOST_TEST_REQUIRE(first.has_value());
    for (std::uint64_t at = 4096; at < bytes; at += 2 * 4096)
        BOOST_TEST_REQUIRE(os::protect({*first + at, 4096}, PROT_READ).has_value());
    const auto more = mappings_in_use();
    BOOST_TEST((more->used >= before->used + 98 && more->used <= before->used + 102));
    BOOST_TEST(os::unmap({*first, bytes}).has_value());

    os::fail_nth(os::call::open, 1, ENOENT);
    BOOST_TEST((mappings_in_use().error() == error{errc::not_supported, ENOENT}));
    os::fail_nth(os::call::open, 2, EMFILE);
    BOOST_TEST((mappings_in_use().error() == error{errc::os_failure, EMFILE}));
    const std::size_t files = test::open_files();
    os::fail_nth(os::call::read, 3, EIO);
    BOOST_TEST((mappings_in_use().error() == error{errc::os_failure, EIO}));
    BOOST_TEST(test::open_files() == files);
}

BOOST_AUTO_TEST_SUITE_END()
