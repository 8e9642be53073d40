// SPDX-License-Identifier: MIT
// Forks at random moments, while two threads work: whatever they are in the midst of, neither side
// can spoil what the other relies on.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/on_node.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/backings/secret.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <string_view>
#include <utility>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/fork_checks.hpp"
#include "support/fork_storm.hpp"
#include "support/huge_pages.hpp"
#include "support/random.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::byte_at;
using test::expected_in_child;
using test::found_in_child;
using test::usable_region;

namespace {

constexpr std::uint64_t huge = std::uint64_t{2} << 20;

using shared_pool = pool<static_granule<64>, mmap_backing, atomic, first_fit, unprotected>;

/// The blocks that a thread has, for a child to look at: a place is set once its block is written,
/// and empty before the block goes.
class live_blocks {
  public:
    static constexpr std::uint64_t block_bytes = 1024;

    explicit live_blocks(std::uint64_t seed) : seed_(seed) {}

    [[nodiscard]] bool step(shared_pool& pool, test::random_source& random) {
        auto& place = places_[random.below(places_.size())];
        if (place.load() != 0)
            return free(pool, place);
        if (const auto got = pool.allocate(block_bytes)) {
            word_at(*got) = *got ^ seed_;
            place = *got;
        }
        return true;
    }
    [[nodiscard]] bool are_intact() const {
        return std::ranges::all_of(places_, [this](const auto& each) {
            return each.load() == 0 || is_intact(each.load());
        });
    }
    [[nodiscard]] bool free_all(shared_pool& pool) {
        return std::ranges::all_of(
            places_, [&](auto& each) { return each.load() == 0 || free(pool, each); });
    }

  private:
    static volatile std::uint64_t& word_at(address at) {
        return *reinterpret_cast<volatile std::uint64_t*>(at);
    }
    [[nodiscard]] bool is_intact(address block) const { return word_at(block) == (block ^ seed_); }
    [[nodiscard]] bool free(shared_pool& pool, std::atomic<address>& place) const {
        const address block = place.exchange(0);
        return is_intact(block) && pool.deallocate(block, block_bytes);
    }

    std::uint64_t seed_;
    std::array<std::atomic<address>, 200> places_{};
};

/// Allocates, writes, checks and frees, and makes the pool grow.
class churner {
  public:
    churner(shared_pool& pool, live_blocks& live) : pool_(&pool), live_(&live) {}

    [[nodiscard]] bool step(test::random_source& random) {
        if (random.below(4096) == 0) // chunks come while others fork
            (void)pool_->grow(4096);
        return live_->step(*pool_, random);
    }
    [[nodiscard]] bool finish() { return live_->free_all(*pool_); }

  private:
    shared_pool* pool_;
    live_blocks* live_;
};

/// In the child: blocks come, are distinct and writable, and the pool grows and gives back.
int use_in_child(shared_pool& pool) {
    constexpr std::size_t count = 24;
    address blocks[count]{};
    for (address& each : blocks) {
        const auto got = pool.allocate(1024);
        if (!got)
            return 1;
        each = *got;
        *reinterpret_cast<volatile std::uint64_t*>(each) = each;
    }
    if (!pool.grow(4096))
        return 2;
    for (const address each : blocks)
        if (*reinterpret_cast<volatile std::uint64_t*>(each) != each || !pool.owns(each) ||
            !pool.deallocate(each, 1024))
            return 3;
    std::byte* const storage = default_metadata().take(100).value_or(nullptr);
    if (storage == nullptr)
        return 4;
    default_metadata().give_back(storage, 100);
    return 0;
}

/// In the child: what the parent's threads hold is there, is not what the child gets, and can be
/// freed.
int use_beside(shared_pool& pool, live_blocks& first, live_blocks& second) {
    if (!first.are_intact() || !second.are_intact())
        return 5;
    if (const int wrong = use_in_child(pool); wrong != 0)
        return wrong;
    if (!first.are_intact() || !second.are_intact())
        return 6;
    return first.free_all(pool) && second.free_all(pool) ? 0 : 7;
}

/// A sanitizer's child takes twenty times as long.
int forks_of(int all, int under_a_sanitizer) {
    return test::is_sanitized && std::getenv("PALLOC_FULL") == nullptr ? under_a_sanitizer : all;
}

BOOST_AUTO_TEST_CASE(forks_at_random_moments_neither_hang_nor_spoil) {
    const int forks = forks_of(10'000, 250);
    int failed = 0;
    std::uint64_t amid = 0;
    for (int done = 0; done != forks;) {
        shared_pool pool({.growth = growth_policy::refill(16 * 1024)});
        live_blocks first(1);
        live_blocks second(2);
        test::fork_storm<churner> meanwhile(
            [&](std::uint64_t seed) { return churner(pool, seed == 1 ? first : second); });
        test::random_source random(static_cast<std::uint64_t>(done));
        for (int i = 0; i != 250; ++i, ++done) {
            const int end =
                meanwhile.fork_amid([&] { return use_beside(pool, first, second); }, random);
            failed += end != 0 ? 1 : 0;
            if (end != 0)
                BOOST_TEST_MESSAGE("fork " << done << " ended with " << end);
        }
        BOOST_TEST(meanwhile.end() == 0u);
        amid += meanwhile.forks_amid();
        BOOST_TEST(pool.used_bytes() == 0u);
    }
    BOOST_TEST(failed == 0);
    BOOST_TEST(amid >= static_cast<std::uint64_t>(forks) / 2);
    BOOST_TEST_MESSAGE(forks << " forks, " << amid << " of them amid a step");
}

/// Maps, writes, checks and unmaps, and does in between what the backing can.
template <class Backing>
class mapper {
  public:
    mapper(Backing backing, std::uint64_t bytes, std::uint64_t seed)
        : backing_(std::move(backing)), bytes_(bytes), seed_(static_cast<char>(seed)) {}

    /// Without large pages left there may be no region, which is no mistake.
    [[nodiscard]] bool step(test::random_source& random) {
        auto region = backing_.map({.bytes = bytes_});
        if (!region)
            return bytes_ >= huge;
        const range where = backing_.where(*region);
        bool right = true;
        if constexpr (backing_can_commit<Backing>)
            right = backing_.commit(*region, where).has_value();
        byte_at(where.base) = seed_;
        if constexpr (backing_has_two_views<Backing>)
            if (random.chance(30))
                right = right && backing_.replace_view(*region, permissions::read);
        right = right && byte_at(where.base) == seed_;
        if constexpr (backing_can_discard<Backing>)
            if (random.chance(30))
                right = right && backing_.discard(*region, where) && byte_at(where.base) == 0;
        if constexpr (backing_can_commit<Backing>)
            if (random.chance(30))
                right = right && backing_.decommit(*region, where);
        return backing_.unmap(*region).has_value() && right;
    }
    [[nodiscard]] static bool finish() { return true; }

  private:
    Backing backing_;
    std::uint64_t bytes_;
    char seed_;
};

template <class Backing>
void check_storm(Backing backing, std::uint64_t bytes = 4096) {
    const int forks = forks_of(100, 20);
    const fork_treatment said = backing.in_child();
    auto region = usable_region(backing, bytes);
    const range where = backing.where(region);
    test::fork_storm<mapper<Backing>> meanwhile(
        [&](std::uint64_t seed) { return mapper<Backing>(backing, bytes, seed); });
    test::random_source random;
    int failed = 0;
    for (int i = 0; i != forks; ++i) {
        byte_at(where.base) = 'p';
        const int end = meanwhile.fork_amid(
            [&] {
                if (const int found = found_in_child(where); found != expected_in_child(said))
                    return found;
                // What is new in the child is its own.
                mapper<Backing> again(backing, bytes, 'n');
                test::random_source choice;
                return again.step(choice) && backing.unmap(region) ? 0 : 3;
            },
            random);
        const char after = byte_at(where.base);
        failed += end == 0 && after == (said == fork_treatment::shared ? 'c' : 'p') ? 0 : 1;
    }
    BOOST_TEST_CONTEXT(said) {
        BOOST_TEST(failed == 0);
        BOOST_TEST(meanwhile.end() == 0u);
        BOOST_TEST(meanwhile.forks_amid() >= static_cast<std::uint64_t>(forks) / 2);
    }
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(each_backing_does_what_it_says_at_random_moments) {
    using enum fork_treatment;
    for (const auto child : {copied, absent, wiped}) {
        check_storm(mmap_backing({.in_child = child}));
        check_storm(reserve({.in_child = child}));
        check_storm(hugepage({.in_child = child}));
    }
    check_storm(on_node(mmap_backing({.in_child = wiped}), numa_node{0}));
    check_storm(on_node(reserve(), numa_node{0}));
    for (const auto child : {read_only, absent, shared})
        check_storm(memfd({.in_child = child}));
}

BOOST_AUTO_TEST_CASE(secrets_stay_with_the_parent_at_random_moments) {
    const test::rig<secret> needed; // or the case is skipped
    check_storm(secret());
    check_storm(secret({.in_child = fork_treatment::shared}));
}

BOOST_AUTO_TEST_CASE(explicit_huge_pages_are_absent_at_any_moment) {
    const test::huge_pages pages(4);
    if (test::huge_pages::left() < 4)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    check_storm(hugepage({.gigantic = false, .transparent = false, .base = false}), huge);
}

/// Whether this process has a view of such a file that lets it do one of those things.
bool has_view(std::string_view file, std::string_view permissions) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
        const std::string_view allowed = std::string_view(line).substr(line.find(' ') + 1, 4);
        if (line.find(file) != line.npos && allowed.find_first_of(permissions) != allowed.npos)
            return true;
    }
    return false;
}

/// Forks while others are about to have views that are theirs alone.
template <class Worker, class Make>
void check_no_child_has(std::string_view file, std::string_view permissions, Make make) {
    test::fork_storm<Worker> meanwhile(make);
    test::random_source random;
    const int forks = forks_of(200, 20);
    int leaked = 0;
    for (int i = 0; i != forks; ++i)
        leaked += meanwhile.fork_amid([&] { return !has_view(file, permissions); }, random);
    BOOST_TEST(leaked == 0);
    BOOST_TEST(meanwhile.end() == 0u);
    BOOST_TEST(meanwhile.forks_amid() >= static_cast<std::uint64_t>(forks) / 2);
}

BOOST_AUTO_TEST_CASE(no_child_has_a_secret_that_is_being_mapped) {
    const test::rig<secret> needed; // or the case is skipped
    check_no_child_has<mapper<secret>>(
        "secretmem", "rw", [](std::uint64_t seed) { return mapper<secret>(secret(), 4096, seed); });
}

/// Opens parts and the alias of a region of its own, writes through them and closes them.
class opener {
  public:
    opener() : region_(backing_.map({.bytes = 4096}).value()) {}

    [[nodiscard]] bool step(test::random_source& random) {
        const range where = backing_.where(region_);
        const range part{where.base + random.below(4096), 1};
        const auto opened = backing_.open_part(region_, part);
        if (!opened)
            return false;
        byte_at(*opened) = 'o';
        const bool right = byte_at(part.base) == 'o';
        if (!backing_.close_part(region_, {*opened, 1}) || !backing_.open_alias(region_))
            return false;
        return backing_.close_alias(region_) && right;
    }
    [[nodiscard]] bool finish() { return backing_.unmap(region_).has_value(); }

  private:
    memfd backing_;
    memfd::region region_;
};

BOOST_AUTO_TEST_CASE(no_child_has_a_part_or_an_alias_that_is_being_opened) {
    check_no_child_has<opener>("memfd:palloc", "w", [](std::uint64_t) { return opener(); });
}

} // namespace
