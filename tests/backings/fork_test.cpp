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

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <vector>

#include <sys/mman.h>

#include "models/backings.hpp"
#include "support/backing_checks.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace palloc {

static std::ostream& operator<<(std::ostream& out, fork_treatment treatment) {
    return out << to_string(treatment);
}

} // namespace palloc

namespace {

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

/// What a child finds where the parent wrote 'p', and what the parent finds after the child wrote.
template <class Backing>
void check_treatment(Backing backing) {
    const fork_treatment said = backing.in_child();
    auto region = usable_region(backing, 4096);
    const range where = backing.where(region);
    byte_at(where.base) = 'p';
    const int child = test::in_child([&] {
        const test::page_probe probe;
        if (!probe.readable(where.base))
            return probe.writable(where.base) ? 1 : 'a';
        const char found = byte_at(where.base);
        byte_at(where.base) = 'c';
        return found == 'p' ? 'p' : found == 0 ? '0' : 2;
    });
    const char after = byte_at(where.base);
    BOOST_TEST_CONTEXT(said) {
        switch (said) {
        case fork_treatment::copied:
            BOOST_TEST((child == 'p' && after == 'p'));
            break;
        case fork_treatment::shared:
            BOOST_TEST((child == 'p' && after == 'c'));
            break;
        case fork_treatment::wiped:
            BOOST_TEST((child == '0' && after == 'p'));
            break;
        case fork_treatment::absent:
        case fork_treatment::read_only: // it is writable yet
            BOOST_TEST((child == 'a' && after == 'p'));
            break;
        }
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

/// Two threads that allocate, write, check and free, and make the pool grow.
class churning {
  public:
    explicit churning(shared_pool& pool) {
        for (std::uint64_t seed : {1U, 2U})
            threads_.emplace_back([this, &pool, seed] { churn(pool, seed); });
    }
    ~churning() {
        stop_ = true;
        for (std::thread& each : threads_)
            each.join();
        BOOST_TEST(spoilt_ == 0u);
    }
    churning(const churning&) = delete;
    churning& operator=(const churning&) = delete;

  private:
    void churn(shared_pool& pool, std::uint64_t seed) {
        test::random_source random(seed);
        std::vector<address> live;
        while (!stop_) {
            if (live.size() < 200 && !random.chance(45)) {
                const auto got = pool.allocate(1024);
                if (!got)
                    continue;
                *reinterpret_cast<volatile std::uint64_t*>(*got) = *got ^ seed;
                live.push_back(*got);
            } else if (!live.empty()) {
                std::swap(live[random.below(live.size())], live.back());
                if (*reinterpret_cast<volatile std::uint64_t*>(live.back()) != (live.back() ^ seed))
                    ++spoilt_;
                (void)pool.deallocate(live.back(), 1024);
                live.pop_back();
            }
            if (random.below(4096) == 0) // chunks come while others fork
                (void)pool.grow(4096);
        }
        for (const address each : live)
            (void)pool.deallocate(each, 1024);
    }

    std::atomic<bool> stop_{false};
    std::atomic<std::uint64_t> spoilt_{0};
    std::vector<std::thread> threads_;
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

BOOST_AUTO_TEST_CASE(forks_at_random_moments_neither_hang_nor_spoil) {
    const int forks = std::getenv("PALLOC_FULL") == nullptr ? 250 : 10'000;
    int failed = 0;
    for (int done = 0; done != forks;) {
        shared_pool pool({.growth = growth_policy::refill(16 * 1024)});
        const churning meanwhile(pool);
        test::random_source random(static_cast<std::uint64_t>(done));
        for (int i = 0; i != 250; ++i, ++done) {
            for (std::uint64_t spin = random.below(2000); spin != 0; --spin)
                std::atomic_signal_fence(std::memory_order_seq_cst);
            const int end = test::in_child([&] { return use_in_child(pool); }, 20);
            failed += end != 0 ? 1 : 0;
            if (end != 0)
                BOOST_TEST_MESSAGE("fork " << done << " ended with " << end);
        }
    }
    BOOST_TEST(failed == 0);
    BOOST_TEST_MESSAGE(forks << " forks");
}

} // namespace
