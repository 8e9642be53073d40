// SPDX-License-Identifier: MIT
// Threads, signal handlers and killed processes on one bitmap.
#include <palloc/bitmaps/atomic.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <pthread.h>
#include <signal.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>

#include "bitmaps/owned_bitmap.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;
using namespace palloc::test;

bool full() {
    const char* const wished = std::getenv("PALLOC_FULL");
    return wished != nullptr && *wished == '1';
}

/// Claims as the pool does: "none" is believed if no room was made while it was looked for.
std::optional<std::size_t> request(atomic& map, const placement& q) {
    auto before = map.settled();
    for (int attempt = 0; attempt != 64; ++attempt) {
        if (const auto found = map.claim_lowest(q))
            return found;
        const auto after = map.settled();
        if (before && before == after)
            break;
        before = after;
    }
    return std::nullopt;
}

/// Knows who owns each granule, and counts what was handed out twice.
class shadow {
  public:
    explicit shadow(std::size_t granules) : owners_(granules) {}

    void take(granule_run run, std::uint32_t owner) { change(run, 0, owner); }
    void give(granule_run run, std::uint32_t owner) { change(run, owner, 0); }
    [[nodiscard]] int errors() const { return errors_.load(); }

  private:
    void change(granule_run run, std::uint32_t from, std::uint32_t to) {
        for (std::size_t i = run.first; i != run.last(); ++i)
            if (owners_[i].exchange(to) != from)
                ++errors_;
    }

    std::vector<std::atomic<std::uint32_t>> owners_;
    std::atomic<int> errors_ = 0;
};

/// One of those that use a bitmap at the same time. Allocates nothing but in its constructor.
class user {
  public:
    user(atomic& map, shadow& owners, std::uint32_t name, std::size_t longest, std::size_t most)
        : map_(map), owners_(owners), random_(name), name_(name), longest_(longest), most_(most) {
        live_.reserve(most);
    }

    void step() {
        if (live_.size() == most_ || (!live_.empty() && random_.chance(45)))
            release(random_.below(live_.size()));
        else
            claim();
    }

    bool claim() {
        placement q{.count = 1 + random_.below(longest_), .limit = map_.size()};
        if (random_.chance(20))
            q.mask = (std::size_t{1} << random_.below(6)) - 1;
        if (random_.chance(30))
            q.from = random_.below(map_.size());
        return claim(q);
    }

    bool claim(const placement& q) {
        std::optional<std::size_t> found;
        if (random_.chance(70))
            found = map_.claim_lowest(q);
        else if (found = map_.find_fit(q); found && !map_.claim({*found, q.count}))
            found.reset();
        if (!found)
            return false;
        live_.push_back({*found, q.count});
        owners_.take(live_.back(), name_);
        return true;
    }

    void release(std::size_t i) {
        std::swap(live_[i], live_.back());
        owners_.give(live_.back(), name_);
        lost_ += map_.release(live_.back());
        live_.pop_back();
    }

    /// Granules that were free already when they were released.
    [[nodiscard]] std::size_t lost() const { return lost_; }
    [[nodiscard]] const std::vector<granule_run>& live() const { return live_; }

  private:
    atomic& map_;
    shadow& owners_;
    random_source random_;
    std::uint32_t name_;
    std::size_t longest_;
    std::size_t most_;
    std::size_t lost_ = 0;
    std::vector<granule_run> live_;
};

/// At rest the bitmap holds the live blocks and nothing else, and hides no place.
void check_at_rest(const atomic& map, const std::vector<const user*>& users) {
    std::vector<bool> live(map.size());
    std::size_t used = 0;
    for (const user* each : users) {
        BOOST_TEST(each->lost() == 0);
        for (const granule_run run : each->live()) {
            std::fill_n(live.begin() + static_cast<std::ptrdiff_t>(run.first), run.count, true);
            used += run.count;
        }
    }
    for (std::size_t i = 0; i != map.size(); ++i)
        BOOST_REQUIRE(map.test(i) == live[i]);
    BOOST_TEST(map.free_count() == map.size() - used);
    BOOST_TEST(map.settled().has_value());
    BOOST_TEST(finds_every_run(map));
}

BOOST_AUTO_TEST_CASE(threads_never_get_the_same_granule) {
    struct {
        std::size_t size, longest, most;
    } const kinds[] = {{130, 40, 3}, {1500, 200, 4}, {6000, 60, 60}, {6000, 1200, 5}};
    for (const auto& kind : kinds)
        for (int round = 0; round != (full() ? 200 : 3); ++round)
            BOOST_TEST_CONTEXT("PALLOC_SEED=" << seed() << ", size " << kind.size << ", round "
                                              << round) {
                owned_bitmap<atomic> it(kind.size);
                shadow owners(kind.size);
                std::vector<user> users;
                for (unsigned i = 1; i <= 4; ++i)
                    users.emplace_back(it.map, owners, i + 4 * static_cast<unsigned>(round),
                                       kind.longest, kind.most);
                std::vector<std::thread> threads;
                for (user& each : users)
                    threads.emplace_back([&each] {
                        for (int i = 0; i != 10'000; ++i)
                            each.step();
                    });
                for (std::thread& each : threads)
                    each.join();
                BOOST_TEST(owners.errors() == 0);
                check_at_rest(it.map, {&users[0], &users[1], &users[2], &users[3]});
            }
}

// ------------------------------------------------------------------ two threads, two blocks

/// Two threads that hold at most one block each, in a chunk that holds two: how often one fails.
std::size_t failures(std::size_t granules, std::size_t block, std::size_t attempts) {
    owned_bitmap<atomic> it(granules);
    std::atomic<std::size_t> failed = 0;
    const auto work = [&] {
        for (std::size_t i = 0; i != attempts / 2; ++i)
            if (const auto found = request(it.map, {.count = block, .limit = granules}))
                it.map.release({*found, block});
            else
                ++failed;
    };
    std::thread other(work);
    work();
    other.join();
    return failed;
}

BOOST_AUTO_TEST_CASE(who_holds_at_most_one_of_two_blocks_always_gets_one) {
    const std::size_t attempts = full() ? 10'000'000 : 1'000'000;
    BOOST_TEST(failures(2, 1, attempts) == 0);
    BOOST_TEST(failures(64, 32, attempts) == 0);
    BOOST_TEST(failures(128, 64, attempts) == 0);
}

// While a thread is stopped in a claim that it will give up, its granules are missing: the requests
// that come meanwhile end after so many looks, because it may be stopped for ever.
BOOST_AUTO_TEST_CASE(blocks_of_several_words_hardly_ever_fail) {
    const std::size_t attempts = full() ? 10'000'000 : 1'000'000;
    BOOST_TEST(failures(130, 65, attempts) <= attempts / 1000);
    BOOST_TEST(failures(200, 100, attempts) <= attempts / 1000);
}

// ------------------------------------------------------------------ stopped in the middle

/// What a signal handler works on.
struct {
    user* who = nullptr;
    std::atomic<int> runs = 0;
    std::atomic<int> failures = 0;
} interrupting;

void handle(int) {
    user& who = *interrupting.who;
    if (who.live().size() == 3)
        who.release(1);
    if (!who.claim({.count = 10, .limit = 4000}))
        ++interrupting.failures;
    ++interrupting.runs;
}

BOOST_AUTO_TEST_CASE(a_handler_is_served_wherever_it_interrupts) {
    owned_bitmap<atomic> it(4000);
    shadow owners(4000);
    user thread(it.map, owners, 1, 300, 4);
    user handler(it.map, owners, 2, 10, 3);
    interrupting.who = &handler;
    struct sigaction action{};
    action.sa_handler = handle;
    struct sigaction before{};
    BOOST_REQUIRE(sigaction(SIGUSR1, &action, &before) == 0);

    std::atomic<bool> done = false;
    std::thread sender([&done, target = pthread_self()] {
        while (!done)
            pthread_kill(target, SIGUSR1);
    });
    while (interrupting.runs < (full() ? 300'000 : 3'000))
        thread.step();
    done = true;
    sender.join();
    raise(SIGUSR1); // whatever was pending is behind us now
    sigaction(SIGUSR1, &before, nullptr);

    BOOST_TEST(interrupting.failures == 0);
    BOOST_TEST(owners.errors() == 0);
    check_at_rest(it.map, {&thread, &handler});
}

BOOST_AUTO_TEST_CASE(a_claim_stopped_half_way_keeps_only_what_it_took) {
    owned_bitmap<atomic> it(200);
    atomic stopped(it.storage.front().bytes, 200);
    BOOST_TEST(stopped.claim({64, 36})); // the first word of two that a claim of {0, 100} takes
    BOOST_TEST(it.map.claim_lowest({.count = 100, .limit = 200}).value() == 100);
    BOOST_TEST(it.map.claim_lowest({.count = 64, .limit = 200}).value() == 0);
    BOOST_TEST(!it.map.claim_lowest({.limit = 200}));
}

BOOST_AUTO_TEST_CASE(a_process_killed_at_work_keeps_only_what_it_held) {
    constexpr std::size_t size = 3000, longest = 150, most = 10;
    struct segment {
        alignas(storage_alignment) std::byte map[atomic::storage_bytes(size)];
        std::atomic<int> steps;
    };
    random_source random;
    for (int round = 0; round != (full() ? 5000 : 100); ++round) {
        void* const memory = mmap(nullptr, sizeof(segment), PROT_READ | PROT_WRITE,
                                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        BOOST_REQUIRE(memory != MAP_FAILED);
        auto& shared = *static_cast<segment*>(memory);
        atomic map(shared.map, size);
        const pid_t child = fork();
        if (child == 0) {
            atomic own(shared.map, size);
            shadow owners(size);
            user victim(own, owners, static_cast<std::uint32_t>(round), longest, most);
            for (;; ++shared.steps)
                victim.step();
        }
        BOOST_REQUIRE(child > 0);
        const auto enough = static_cast<int>(random.below(2000));
        while (shared.steps <= enough)
            std::this_thread::yield();
        kill(child, SIGKILL);
        BOOST_REQUIRE(waitpid(child, nullptr, 0) == child);

        std::vector<granule_run> taken;
        while (const auto found = map.claim_lowest({.limit = size}))
            taken.push_back({*found, 1});
        std::size_t hidden = size;
        for (std::size_t i = 0; i != size; ++i)
            hidden -= map.test(i);
        BOOST_TEST(hidden <= longest); // what the victim was just giving back
        BOOST_TEST(taken.size() >= size - most * longest - hidden);
        for (const granule_run run : taken)
            BOOST_REQUIRE(map.release(run) == 0);
        munmap(memory, sizeof(segment));
    }
}

} // namespace
