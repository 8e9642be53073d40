// SPDX-License-Identifier: MIT
// Stores against protection: every byte, and threads that never stop storing.
#include <palloc/backings/mmap.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/protections/read_only.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cerrno>
#include <csetjmp>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <thread>
#include <unistd.h>
#include <vector>

#include "backends/os.hpp"
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

/// Answers whether a store faulted.
[[gnu::noinline]] PALLOC_RACES_ON_PURPOSE bool store_often(volatile std::uint64_t* word) {
    if (sigsetjmp(after_fault, 0) != 0)
        return true;
    for (std::uint64_t value = 1; value != 64; ++value)
        *word = value;
    return false;
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

/// A way to protect that is for good: each pool of it makes one transition.
struct transition {
    pmalloc_mode mode;
    strength wanted;
    int pools;
};
constexpr transition for_good[] = {{pmalloc_mode::ro, strength::sealed, 1'200},
                                   {pmalloc_mode::wr, strength::sealed, 300},
                                   {pmalloc_mode::ro, strength::permanent, 100}};

/// Two threads that store into whatever word they are shown, and come back from each fault.
class fire {
  public:
    fire() {
        for (auto& each : storing_)
            each.thread = std::thread([&] { store_at_targets(each); });
    }
    ~fire() {
        stop_ = true;
        for (auto& each : storing_)
            each.thread.join();
    }
    fire(const fire&) = delete;
    fire& operator=(const fire&) = delete;

    void open(volatile std::uint64_t* words) { target_ = words; }
    /// Nobody stores there any more once this has returned.
    void cease() {
        target_ = nullptr;
        for (auto& each : storing_) {
            each.idle = false;
            while (!each.idle)
                std::this_thread::yield();
        }
    }
    [[nodiscard]] std::uint64_t faults_of(std::size_t thread) const {
        return storing_[thread].faults;
    }

  private:
    struct shooter {
        std::thread thread;
        std::atomic<bool> idle = true;
        std::atomic<std::uint64_t> faults = 0;
    };

    void store_at_targets(shooter& self) {
        const auto word = &self - storing_.data(); // each has its own
        while (!stop_) {
            volatile std::uint64_t* const at = target_;
            if (at == nullptr) {
                self.idle = true;
                std::this_thread::yield();
                continue;
            }
            self.idle = false;
            self.faults += store_often(at + word) ? 1U : 0U;
        }
    }

    std::atomic<volatile std::uint64_t*> target_ = nullptr;
    std::atomic<bool> stop_ = false;
    std::array<shooter, 2> storing_;
};

BOOST_AUTO_TEST_CASE(pools_are_protected_for_good_under_fire) {
    const faults_return here;
    fire from_all_sides;
    constexpr int surely_under_fire = 10; // these wait for the other threads, which are slow
    for (const transition& each : for_good) {
        std::uint64_t changed = 0;
        int under_fire = 0;
        for (int i = 0; i != each.pools * (is_long() ? 10 : 1); ++i) {
            const auto pool = made({.name = "fire",
                                    .mode = each.mode,
                                    .wanted = each.wanted,
                                    .insistence = demand::best_effort});
            auto* const words = static_cast<volatile std::uint64_t*>(pool->zalloc(16).value());
            from_all_sides.open(words);
            for (int w = 0; i < surely_under_fire && w != 2; ++w)
                while (words[w] == 0)
                    std::this_thread::yield();
            BOOST_TEST_REQUIRE(pool->protect().value() != strength::none);
            const std::uint64_t before[] = {words[0], words[1]};
            const std::uint64_t faults[] = {from_all_sides.faults_of(0),
                                            from_all_sides.faults_of(1)};
            for (int spin = 0; spin != 200; ++spin)
                changed += words[0] != before[0] || words[1] != before[1] ? 1U : 0U;
            for (std::size_t w = 0; i < surely_under_fire && w != 2; ++w)
                while (from_all_sides.faults_of(w) == faults[w] && words[w] == before[w])
                    std::this_thread::yield();
            changed += words[0] != before[0] || words[1] != before[1] ? 1U : 0U;
            under_fire += before[0] != 0 && before[1] != 0 &&
                                  from_all_sides.faults_of(0) != faults[0] &&
                                  from_all_sides.faults_of(1) != faults[1]
                              ? 1
                              : 0;
            from_all_sides.cease();
        }
        BOOST_TEST(changed == 0u);
        BOOST_TEST(under_fire >= surely_under_fire);
    }
}

/// Write-rare, with the keys of this machine if it has any, or without.
pmalloc::handle written_rarely(bool by_key, const std::uint64_t*& word) {
    auto pool = made({.mode = pmalloc_mode::wr});
    word = pool->make<std::uint64_t>(0U).value();
    os::fail_nth(os::call::key_protect, by_key ? 0 : 1, ENOSYS);
    const strength got = pool->protect().value();
    os::fail_nth(os::call::key_protect, 0, 0);
    BOOST_TEST((by_key || got == strength::read_only));
    return pool;
}

BOOST_AUTO_TEST_CASE(a_word_is_published_whole) {
    for (const bool by_key : {true, false}) {
        const std::uint64_t* word = nullptr;
        const auto pool = written_rarely(by_key, word);
        std::atomic<bool> stop = false;
        std::atomic<std::uint64_t> changes = 0;
        std::uint64_t torn = 0;
        std::thread reading([&] {
            for (std::uint64_t last = 0; !stop;) {
                const std::uint64_t seen = __atomic_load_n(word, __ATOMIC_ACQUIRE);
                torn += seen >> 32 != (seen & 0xffffffff) ? 1U : 0U;
                changes += seen != last ? 1U : 0U;
                last = seen;
            }
        });
        // Until the reader has seen some come, which on one processor takes longer.
        for (std::uint64_t i = 1; i < 5'000 || (changes < 20 && i < 5'000'000); ++i)
            BOOST_TEST_REQUIRE(pool->publish(word, i << 32 | i).has_value());
        stop = true;
        reading.join();
        BOOST_TEST(torn == 0u);
        BOOST_TEST(changes >= 20u);
    }
}

/// Versions in the pool, each copied there and then published by its address.
BOOST_AUTO_TEST_CASE(who_sees_a_pointer_sees_what_was_written_before_it) {
    struct version {
        std::array<std::uint64_t, 8> words;
    };
    constexpr std::uint64_t versions = 4'000;
    for (const bool by_key : {true, false}) {
        const auto pool = made({.mode = pmalloc_mode::wr});
        const auto room = pool->make_array<version>(versions).value();
        const version* const* const newest = pool->make<const version*>(room.data()).value();
        os::fail_nth(os::call::key_protect, by_key ? 0 : 1, ENOSYS);
        BOOST_TEST(pool->protect().has_value());
        os::fail_nth(os::call::key_protect, 0, 0);
        std::atomic<bool> stop = false;
        std::atomic<std::uint64_t> changes = 0;
        std::uint64_t unwritten = 0;
        std::thread reading([&] {
            for (const version* last = room.data(); !stop;) {
                const version* const seen = __atomic_load_n(newest, __ATOMIC_ACQUIRE);
                for (const std::uint64_t& each : seen->words)
                    unwritten += __atomic_load_n(&each, __ATOMIC_RELAXED) !=
                                         static_cast<std::uint64_t>(seen - room.data())
                                     ? 1U
                                     : 0U;
                changes += seen != last ? 1U : 0U;
                last = seen;
            }
        });
        for (std::uint64_t i = 1; i != versions; ++i) {
            version next{};
            next.words.fill(i);
            BOOST_TEST_REQUIRE(pool->assign(&room[i], next).has_value());
            BOOST_TEST_REQUIRE(pool->publish(newest, &room[i]).has_value());
            while (i % 400 == 0 && changes < i / 400) // on one processor it sees few by itself
                std::this_thread::yield();
        }
        stop = true;
        reading.join();
        BOOST_TEST(unwritten == 0u);
        BOOST_TEST(changes >= versions / 400 - 1);
    }
}

BOOST_AUTO_TEST_CASE(threads_add_without_losing) {
    for (const bool by_key : {true, false}) {
        const std::uint64_t* sum = nullptr;
        const auto pool = written_rarely(by_key, sum);
        std::vector<std::thread> adding;
        for (int t = 0; t != 4; ++t)
            adding.emplace_back([&] {
                for (int i = 0; i != 2'000; ++i)
                    (void)pool->add(sum, 3);
            });
        for (auto& each : adding)
            each.join();
        BOOST_TEST(*sum == 24'000u);
    }
}

BOOST_AUTO_TEST_SUITE_END()
