// SPDX-License-Identifier: MIT
// What a child of fork finds of each backing's memory, and that neither side can spoil what the
// other relies on, whenever the fork happens.
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
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include <sys/mman.h>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/fork_storm.hpp"
#include "support/huge_pages.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"
#include "support/random.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace palloc {

static std::ostream& operator<<(std::ostream& out, fork_treatment treatment) {
    return out << to_string(treatment);
}

} // namespace palloc

namespace {

constexpr std::uint64_t huge = std::uint64_t{2} << 20;

volatile char& byte_at(address at) {
    return *reinterpret_cast<volatile char*>(at);
}

template <class Backing>
typename Backing::region usable_region(Backing& backing, std::uint64_t bytes) {
    auto region = backing.map({.bytes = bytes}).value();
    if constexpr (backing_can_commit<Backing>)
        BOOST_TEST_REQUIRE(backing.commit(region, backing.where(region)).has_value());
    return region;
}

/// In a child: what it finds where the parent wrote 'p', 'a' for nothing; it writes 'c' there.
int found_in_child(range where) {
    const test::page_probe probe;
    if (!probe.readable(where.base))
        return probe.writable(where.base) ? 1 : 'a';
    const char found = byte_at(where.base);
    byte_at(where.base) = 'c';
    return found == 'p' ? 'p' : found == 0 ? '0' : 2;
}

int expected_in_child(fork_treatment said) {
    switch (said) {
    case fork_treatment::copied:
    case fork_treatment::shared:
        return 'p';
    case fork_treatment::wiped:
        return '0';
    case fork_treatment::absent:
    case fork_treatment::read_only: // it is writable yet
        break;
    }
    return 'a';
}

template <class Backing>
void check_treatment(Backing backing, std::uint64_t bytes = 4096) {
    const fork_treatment said = backing.in_child();
    auto region = usable_region(backing, bytes);
    const range where = backing.where(region);
    byte_at(where.base) = 'p';
    const int child = test::in_child([&] { return found_in_child(where); });
    const char after = byte_at(where.base);
    BOOST_TEST_CONTEXT(said) {
        BOOST_TEST(child == expected_in_child(said));
        BOOST_TEST(after == (said == fork_treatment::shared ? 'c' : 'p'));
    }
    // A child may give up what it has, and leaves what others mapped there meanwhile alone.
    BOOST_TEST(
        test::in_child([&] {
            const test::page_probe probe;
            const bool absent = !probe.readable(where.base);
            if (absent &&
                ::mmap(reinterpret_cast<void*>(where.base), static_cast<std::size_t>(where.bytes),
                       PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                       -1, 0) == MAP_FAILED)
                return 1;
            if constexpr (backing_can_change_permissions<Backing>)
                if (absent && backing.protect(region, where, permissions::none))
                    return 2;
            if constexpr (backing_can_discard<Backing>)
                if (absent && backing.discard(region, where))
                    return 3;
            if constexpr (backing_can_commit<Backing>)
                if (absent && (backing.commit(region, where) || backing.decommit(region, where)))
                    return 4;
            if (!backing.unmap(region) || backing.where(region).bytes != 0)
                return 5;
            return probe.writable(where.base) == absent ? 0 : 6;
        }) == 0);
    BOOST_TEST(byte_at(where.base) == after);
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(each_backing_does_what_it_says) {
    using enum fork_treatment;
    for (const auto child : {copied, absent, wiped}) {
        check_treatment(mmap_backing({.in_child = child}));
        check_treatment(reserve({.in_child = child}));
        check_treatment(hugepage({.in_child = child}));
        check_treatment(on_node(mmap_backing({.in_child = child}), numa_node{0}));
    }
    for (const auto child : {read_only, absent, shared})
        check_treatment(memfd({.in_child = child}));
}

BOOST_AUTO_TEST_CASE(secrets_stay_with_the_parent_unless_they_are_shared) {
    const test::rig<secret> needed; // or the case is skipped
    check_treatment(secret());
    check_treatment(secret({.in_child = fork_treatment::shared}));
}

BOOST_AUTO_TEST_CASE(a_decommitted_page_is_treated_as_before) {
    for (const auto child : {fork_treatment::absent, fork_treatment::wiped}) {
        reserve backing({.in_child = child});
        auto region = usable_region(backing, 3 * 4096);
        const range where = backing.where(region);
        BOOST_TEST(backing.decommit(region, where).has_value());
        BOOST_TEST(backing.commit(region, where).has_value());
        byte_at(where.base + 4096) = 'p';
        BOOST_TEST(test::in_child([&] {
                       return child == fork_treatment::absent
                                  ? !test::page_probe().readable(where.base + 4096)
                                  : byte_at(where.base + 4096) == 0;
                   }) == 0);
        BOOST_TEST(backing.unmap(region).has_value());
    }
}

BOOST_AUTO_TEST_CASE(a_child_reads_what_is_sealed_and_never_has_an_alias) {
    memfd backing;
    auto region = backing.map({.bytes = 4096}).value();
    const range where = backing.where(region);
    byte_at(where.base) = 'p';
    BOOST_TEST(backing.replace_view(region, permissions::read).has_value());
    const address alias = backing.open_alias(region).value();
    BOOST_TEST(
        test::in_child([&] {
            const test::page_probe probe;
            if (probe.readable(alias) || probe.writable(where.base) || byte_at(where.base) != 'p')
                return 1;
            // nor can it make one, or undo anything
            if (backing.open_alias(region) || backing.close_alias(region) || backing.seal(region) ||
                backing.replace_view(region, permissions::read_write))
                return 2;
            return backing.unmap(region) && !probe.readable(where.base) ? 0 : 3;
        }) == 0);
    byte_at(alias) = 'q';
    BOOST_TEST(backing.close_alias(region).has_value());
    BOOST_TEST(backing.seal(region).has_value()); // the child's file and views are gone
    BOOST_TEST(test::in_child([&] { return byte_at(where.base) == 'q'; }) == 0);
    BOOST_TEST(backing.unmap(region).has_value());
}

// ---------------------------------------------------------------- at random moments

using shared_pool = pool<static_granule<64>, mmap_backing, atomic, first_fit, unprotected>;

/// Allocates, writes, checks and frees, and makes the pool grow.
class churner {
  public:
    static constexpr std::size_t longest_burst = 1000;

    churner(shared_pool& pool, std::uint64_t seed) : pool_(&pool), seed_(seed) {}

    [[nodiscard]] bool step(test::random_source& random) {
        bool right = true;
        if (live_.size() < 200 && !random.chance(45)) {
            if (const auto got = pool_->allocate(1024)) {
                word_at(*got) = *got ^ seed_;
                live_.push_back(*got);
            }
        } else if (!live_.empty()) {
            std::swap(live_[random.below(live_.size())], live_.back());
            right = word_at(live_.back()) == (live_.back() ^ seed_) &&
                    pool_->deallocate(live_.back(), 1024);
            live_.pop_back();
        }
        if (random.below(4096) == 0) // chunks come while others fork
            (void)pool_->grow(4096);
        return right;
    }
    [[nodiscard]] bool finish() {
        return std::ranges::all_of(live_, [this](address each) {
            return word_at(each) == (each ^ seed_) && pool_->deallocate(each, 1024);
        });
    }

  private:
    static volatile std::uint64_t& word_at(address at) {
        return *reinterpret_cast<volatile std::uint64_t*>(at);
    }

    shared_pool* pool_;
    std::uint64_t seed_;
    std::vector<address> live_;
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
        test::fork_storm<churner> meanwhile(
            [&](std::uint64_t seed) { return churner(pool, seed); });
        test::random_source random(static_cast<std::uint64_t>(done));
        for (int i = 0; i != 250; ++i, ++done) {
            const int end = meanwhile.fork_amid([&] { return use_in_child(pool); }, random);
            failed += end != 0 ? 1 : 0;
            if (end != 0)
                BOOST_TEST_MESSAGE("fork " << done << " ended with " << end);
        }
        BOOST_TEST(meanwhile.end() == 0u);
        amid += meanwhile.forks_amid();
        BOOST_TEST(pool.used_bytes() == 0u);
    }
    BOOST_TEST(failed == 0);
    BOOST_TEST(amid >= static_cast<std::uint64_t>(forks) / 20);
    BOOST_TEST_MESSAGE(forks << " forks, " << amid << " of them amid a burst");
}

/// Maps, writes, checks and unmaps, and does in between what the backing can.
template <class Backing>
class mapper {
  public:
    static constexpr std::size_t longest_burst = 50;

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
        BOOST_TEST(meanwhile.forks_amid() != 0u);
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
    const hugepage backing({.gigantic = false, .transparent = false, .base = false});
    check_treatment(backing, huge);
    check_storm(backing, huge);
}

} // namespace
