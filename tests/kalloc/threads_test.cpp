// SPDX-License-Identifier: MIT
// The heaps of the process, used by threads that come and go and free each other's blocks.
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "support/random.hpp"

using namespace palloc;

namespace {

struct held {
    std::byte* block;
    layout of;
    unsigned char mark;
};

/// Blocks that any thread may take over.
class exchange {
  public:
    held swap(std::size_t place, held given) {
        const std::lock_guard alone(mutex_);
        return std::exchange(places_[place % places_.size()], given);
    }
    std::array<held, 64>& places() { return places_; }

  private:
    std::mutex mutex_;
    std::array<held, 64> places_{};
};

template <class A>
std::uint64_t live_in(exchange& shared, std::size_t number, A from, std::uint64_t may_fail) {
    test::random_source random(number);
    std::uint64_t wrong = 0;
    for (std::size_t step = 0; step != 3000; ++step) {
        const layout wanted{random.between(1, random.chance(5) ? 100'000 : 2000),
                            std::uint64_t{1} << random.below(8)};
        const auto mark = static_cast<unsigned char>(random.between(1, 255));
        held mine{};
        if (const auto got = alloc(from, wanted, flags::kernel)) {
            mine = {got->data(), wanted, mark};
            std::memset(mine.block, mark, static_cast<std::size_t>(wanted.bytes));
        } else {
            wrong += wanted.bytes > may_fail;
        }
        mine = shared.swap(random.bits() % 64, mine);
        if (mine.block == nullptr)
            continue;
        for (std::uint64_t i = 0; i != mine.of.bytes; ++i)
            wrong += mine.block[i] != std::byte{mine.mark};
        if (random.chance(30)) {
            const layout next{random.between(1, 4000), mine.of.alignment};
            if (const auto moved =
                    from.realloc(mine.block, next, mine.of, flags::kernel, no_node)) {
                mine.block = moved->data();
                mine.of = next;
            } else {
                wrong += next.bytes > may_fail;
            }
        }
        free(from, mine.block, mine.of);
    }
    return wrong;
}

/// @param may_fail  bytes up to which a request may be refused.
template <class A>
std::uint64_t storm(A from = A(), std::uint64_t may_fail = 0) {
    exchange shared;
    std::atomic<std::uint64_t> wrong = 0;
    for (std::size_t generation = 0; generation != 3; ++generation) {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i != 4; ++i)
            threads.emplace_back(
                [&, i] { wrong += live_in(shared, 4 * generation + i, from, may_fail); });
    }
    for (const held& each : shared.places())
        if (each.block != nullptr)
            free(from, each.block, each.of);
    return wrong;
}

} // namespace

BOOST_AUTO_TEST_SUITE(threads)

BOOST_AUTO_TEST_CASE(kmalloc_serves_threads_that_come_and_go) {
    BOOST_TEST(storm<kmalloc>() == 0u);
}
BOOST_AUTO_TEST_CASE(vmalloc_does) {
    BOOST_TEST(storm<vmalloc>() == 0u);
    BOOST_TEST(vmalloc::heap().used_bytes() == 0u);
}
BOOST_AUTO_TEST_CASE(kvmalloc_does) {
    BOOST_TEST(storm<kvmalloc>() == 0u);
}
BOOST_AUTO_TEST_CASE(so_do_both_where_the_first_has_too_little) {
    kmalloc_heap small({.step_bytes = 1 << 16, .cap_bytes = 1 << 17});
    vmalloc_heap large;
    BOOST_TEST(
        (storm(kv_allocator<allocator_ref<kmalloc_heap>, owner_ref<vmalloc_heap>>(small, large),
               4096) == 0u)); // a page or less does not fall back
    BOOST_TEST((small.failures() != 0u && large.used_bytes() == 0u));
}

BOOST_AUTO_TEST_CASE(a_thread_that_ends_gives_back_what_it_kept) {
    kmalloc from;
    const layout wanted{8000, 1};
    std::byte* first = nullptr;
    std::jthread([&] {
        first = alloc(from, wanted, flags::kernel)->data();
        free(from, first, wanted);
    }).join();
    // Found again: all that is free is there for this thread.
    bool found = false;
    std::vector<std::byte*> all;
    for (int i = 0; i != 2000 && !found; ++i) {
        all.push_back(alloc(from, wanted, flags::kernel)->data());
        found = all.back() == first;
    }
    BOOST_TEST(found);
    for (auto* const each : all)
        free(from, each, wanted);
}

BOOST_AUTO_TEST_SUITE_END()
