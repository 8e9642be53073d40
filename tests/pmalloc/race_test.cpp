// SPDX-License-Identifier: MIT
// Stores against protection: every byte, and threads that never stop storing.
#include <palloc/backings/mmap.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/protections/read_only.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <unistd.h>
#include <vector>

#include "pmalloc/made.hpp"
#include "support/sanitizers.hpp"

using namespace palloc;
using test::made;
using test::number;

namespace {

constexpr int words_of_race = 16;

thread_local sigjmp_buf after_fault;
thread_local volatile std::uintptr_t fault_address;

/// Faults of a scope come back to where they were expected.
class faults_return {
  public:
    faults_return() {
        struct sigaction catching{};
        catching.sa_flags = SA_SIGINFO | SA_NODEFER;
        catching.sa_sigaction = [](int, siginfo_t* info, void*) {
            fault_address = reinterpret_cast<std::uintptr_t>(info->si_addr);
            // A sanitizer has all signals blocked while it calls this, and nothing unblocks them
            // after a jump.
            sigset_t here;
            ::sigemptyset(&here);
            ::sigaddset(&here, SIGSEGV);
            ::pthread_sigmask(SIG_UNBLOCK, &here, nullptr);
            siglongjmp(after_fault, 1);
        };
        ::sigaction(SIGSEGV, &catching, &old_);
    }
    ~faults_return() { ::sigaction(SIGSEGV, &old_, nullptr); }
    faults_return(const faults_return&) = delete;
    faults_return& operator=(const faults_return&) = delete;

  private:
    struct sigaction old_{};
};

/// Answers whether the store faulted, at exactly that address.
PALLOC_RACES_ON_PURPOSE bool store_faults(volatile unsigned char* at) {
    if (sigsetjmp(after_fault, 0) == 0) {
        *at = 0xee;
        return false;
    }
    return fault_address == reinterpret_cast<std::uintptr_t>(at);
}

/// Every second word, from number `first` on. Answers whether a store faulted.
[[gnu::noinline]] PALLOC_RACES_ON_PURPOSE bool store_words(volatile std::uint64_t* words, int first,
                                                           std::uint64_t value) {
    if (sigsetjmp(after_fault, 0) != 0)
        return true;
    for (int i = first; i < words_of_race; i += 2)
        words[i] = value;
    return false;
}

[[gnu::noinline]] PALLOC_RACES_ON_PURPOSE void store_often(volatile std::uint64_t* word) {
    if (sigsetjmp(after_fault, 0) == 0)
        for (std::uint64_t value = 1; value != 64; ++value)
            *word = value;
}

bool is_long() {
    return std::getenv("PALLOC_FULL") != nullptr;
}

} // namespace

BOOST_AUTO_TEST_SUITE(pmalloc_races)

BOOST_AUTO_TEST_CASE(a_store_to_any_byte_faults_there) {
    constexpr std::uint64_t bytes = 1 << 20;
    const auto pool = made({.refill_bytes = bytes});
    auto* const first = static_cast<unsigned char*>(pool->alloc(bytes).value());
    for (std::uint64_t i = 0; i != bytes; ++i)
        first[i] = static_cast<unsigned char>(i * 7);
    BOOST_TEST(pool->protect().value() == strength::sealed);
    const faults_return here;
    std::uint64_t wrong = 0;
    for (std::uint64_t i = 0; i != bytes; ++i)
        wrong += store_faults(first + i) ? 0U : 1U;
    BOOST_TEST(wrong == 0u);
    for (std::uint64_t i = 0; i != bytes; ++i)
        wrong += first[i] == static_cast<unsigned char>(i * 7) ? 0U : 1U;
    BOOST_TEST(wrong == 0u);
}

BOOST_AUTO_TEST_CASE(the_kernel_writes_nowhere_either) {
    const auto pool = made({.refill_bytes = 1 << 20});
    auto* const first = static_cast<char*>(pool->zalloc(1 << 20).value());
    BOOST_TEST(pool->protect().value() == strength::sealed);
    int ends[2];
    BOOST_TEST_REQUIRE(::pipe(ends) == 0);
    for (std::uint64_t at = 0; at < 1 << 20; at += 1021) {
        BOOST_TEST_REQUIRE(::write(ends[1], "x", 1) == 1);
        BOOST_TEST((::read(ends[0], first + at, 1) == -1 && errno == EFAULT));
        char drained{};
        BOOST_TEST_REQUIRE(::read(ends[0], &drained, 1) == 1);
        BOOST_TEST(first[at] == 0);
    }
    ::close(ends[0]);
    ::close(ends[1]);
}

/// Threads store counters without end, coming back from each fault. What they stored when protect
/// has returned must be what is there ever after.
BOOST_AUTO_TEST_CASE(no_store_is_seen_after_protect_returned) {
    const faults_return here;
    const int transitions = is_long() ? 1'000'000 : 100'000;
    // Permission is taken and given back in one area: what can be taken back is done 10^5 times,
    // what is for good, a seal, once a pool in the next case.
    mmap_backing backing;
    auto region = backing.map({.bytes = 4096}).value();
    read_only protection;
    read_only::area_state state;
    auto* const shared = reinterpret_cast<volatile std::uint64_t*>(backing.where(region).base);
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> faults = 0;
    std::vector<std::thread> storing;
    for (int t = 0; t != (is_long() ? 2 : 1); ++t)
        storing.emplace_back([&, t] {
            for (std::uint64_t value = 1; !stop; ++value)
                faults.fetch_add(store_words(shared, t, value) ? 1U : 0U,
                                 std::memory_order_relaxed);
        });
    std::uint64_t seen_after = 0;
    for (int i = 0; i != transitions; ++i) {
        BOOST_TEST_REQUIRE(protection.protect(backing, region, state).has_value());
        std::uint64_t sum = 0;
        for (int w = 0; w != words_of_race; ++w)
            sum += __atomic_load_n(&shared[w], __ATOMIC_RELAXED);
        for (int again = 0; again != 4; ++again)
            for (int w = 0; w != words_of_race; ++w)
                sum -= again == 3 ? __atomic_load_n(&shared[w], __ATOMIC_RELAXED) : 0;
        seen_after += sum != 0 ? 1U : 0U;
        BOOST_TEST_REQUIRE(protection.take_back(backing, region, state).has_value());
    }
    stop = true;
    for (auto& each : storing)
        each.join();
    BOOST_TEST(seen_after == 0u);
    BOOST_TEST(faults > 0u);
    BOOST_TEST_MESSAGE(transitions << " transitions, " << faults << " stores faulted");
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(a_seal_is_set_under_fire) {
    const faults_return here;
    const int pools = is_long() ? 20'000 : 2'000;
    std::atomic<volatile std::uint64_t*> target = nullptr;
    std::atomic<bool> stop = false;
    std::atomic<bool> idle = true;
    std::thread storing([&] {
        while (!stop) {
            volatile std::uint64_t* const at = target;
            if (at == nullptr) {
                idle = true;
                std::this_thread::yield();
                continue;
            }
            idle = false;
            store_often(at);
        }
    });
    std::uint64_t changed = 0;
    for (int i = 0; i != pools; ++i) {
        const auto pool = made({.name = "fire"});
        auto* const word = static_cast<volatile std::uint64_t*>(pool->zalloc(8).value());
        target = word;
        BOOST_TEST_REQUIRE(pool->protect().value() == strength::sealed);
        const std::uint64_t before = *word;
        for (int spin = 0; spin != 200; ++spin)
            changed += *word != before ? 1U : 0U;
        target = nullptr;
        idle = false;
        while (!idle)
            std::this_thread::yield();
    }
    stop = true;
    storing.join();
    BOOST_TEST(changed == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
