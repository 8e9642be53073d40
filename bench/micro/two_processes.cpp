// SPDX-License-Identifier: MIT
// Do two processes on a pool that they share do as much as two threads of one process?
//
// 16 MiB in shared memory, sizes uniform between 64 and 4096 bytes; each process, or thread,
// replaces its own half of the blocks. The time is wall time by pairs of either; the harness's own
// part is in it. The same pool, algorithm and loop on both sides: what is compared is that the
// claimants are two, each with its own mapping.
#include <palloc/shared.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/mman.h>
#include <sys/wait.h>

#include "question.hpp"
#include "side_by_side.hpp"
#include "worn_heap.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::uint64_t pool_bytes = 16 << 20;
constexpr std::size_t both = pair_of_threads::size;

std::string name(unsigned percent, std::string_view of_whom) {
    return fmt::format("processes/spread/{}%/2_{}", percent, of_whom);
}

[[nodiscard]] shared_segment fresh_segment() {
    auto made = shared_segment::nameless({.bytes = pool_bytes, .granule_bytes = granule_bytes});
    if (!made)
        throw std::runtime_error("no shared memory");
    return std::move(*made);
}

using pool_type = shared_pool<granule_bytes>;

/// What one of the two has: in a process of its own all but the segment's memory is its own.
struct party {
    party(pool_type& pool, unsigned percent, std::size_t i)
        : work(pool, share_of(pool_bytes, percent) / both, 2 + i) {}
    churn<pool_type> work;
};

/// Two threads of this process.
class two_threads {
  public:
    explicit two_threads(unsigned percent) {
        for (std::size_t i = 0; i != both; ++i)
            parties_.push_back(std::make_unique<party>(pool_, percent, i));
        both_threads().run(both, [&](std::size_t i) { parties_[i]->work.wear(); });
    }
    [[nodiscard]] lap run() {
        return run_lap(both, [&](std::size_t i) { parties_[i]->work.pair<no_clock>(); });
    }

  private:
    shared_segment segment_ = fresh_segment();
    pool_type pool_{segment_};
    std::vector<std::unique_ptr<party>> parties_;
};

/// Two processes, which do what they are told through a pipe, and end with it.
class two_processes {
  public:
    explicit two_processes(unsigned percent) {
        void* const memory = ::mmap(nullptr, sizeof(board), PROT_READ | PROT_WRITE,
                                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED)
            throw std::runtime_error("no memory");
        board_ = ::new (memory) board{};
        for (std::size_t i = 0; i != both; ++i)
            employ(percent, i);
        tell_all(); // to wear the pool
    }
    two_processes(const two_processes&) = delete;
    two_processes& operator=(const two_processes&) = delete;
    ~two_processes() {
        for (member& each : members_) {
            // Said in words: the pipe's end may be open in processes that were made later.
            (void)!::write(each.orders, &stop, 1);
            ::close(each.orders);
            ::close(each.answers);
            ::waitpid(each.process, nullptr, 0);
        }
        ::munmap(board_, sizeof(board));
    }

    [[nodiscard]] lap run() {
        board_->ready = 0;
        tell_all();
        return together(board_->laps);
    }

  private:
    static constexpr char stop = 's';

    struct board {
        std::atomic<std::size_t> ready;
        std::array<lap, both> laps;
    };
    struct member {
        pid_t process = -1;
        int orders = -1;
        int answers = -1;
    };

    void employ(unsigned percent, std::size_t i) {
        int orders[2];
        int answers[2];
        if (::pipe2(orders, O_CLOEXEC) != 0 || ::pipe2(answers, O_CLOEXEC) != 0)
            throw std::runtime_error("no pipe");
        const pid_t child = ::fork();
        if (child < 0)
            throw std::runtime_error("no process");
        if (child == 0) {
            ::close(orders[1]);
            for (const member& other : members_) // else it would not end when the parent does
                ::close(other.orders);
            serve(percent, i, orders[0], answers[1]);
        }
        ::close(orders[0]);
        ::close(answers[1]);
        members_[i] = {child, orders[1], answers[0]};
    }

    [[noreturn]] void serve(unsigned percent, std::size_t i, int orders, int answers) {
        settle_on_processor(i);
        auto segment = shared_segment::attach(segment_.descriptor(), granule_bytes);
        if (!segment)
            ::_exit(1);
        pool_type pool(*segment);
        party own(pool, percent, i);
        char order = 0;
        for (bool worn = false; ::read(orders, &order, 1) == 1 && order != stop; worn = true) {
            if (worn)
                board_->laps[i] = own_lap(board_->ready, both, [&] { own.work.pair<no_clock>(); });
            else
                own.work.wear();
            if (::write(answers, &order, 1) != 1)
                break;
        }
        ::_exit(0);
    }

    void tell_all() {
        char order = 'g';
        for (const member& each : members_)
            if (::write(each.orders, &order, 1) != 1)
                throw std::runtime_error("a process is gone");
        for (const member& each : members_)
            if (::read(each.answers, &order, 1) != 1)
                throw std::runtime_error("a process is gone");
    }

    shared_segment segment_ = fresh_segment();
    board* board_ = nullptr;
    std::array<member, both> members_;
};

template <class Pair>
experiment replacing(unsigned percent, std::string_view of_whom) {
    const auto pair =
        std::make_shared<lazily<Pair>>([percent] { return std::make_unique<Pair>(percent); });
    return {.name = name(percent, of_whom),
            .measure =
                [pair](benchmark::State& state) {
                    for (auto _ : state) {
                        const lap all = sum_of_laps([&] { return pair->get().run(); });
                        state.SetIterationTime(all.seconds / static_cast<double>(all.steps));
                        state.counters["on_cpu%"] = 100 * all.on_processor;
                    }
                },
            .times_itself = true,
            .iterations = 1};
}

} // namespace

question ask_two_processes() {
    (void)both_threads(); // before other experiments' threads: these are to be numbers 0 and 1
    question all;
    for (const unsigned percent : {0U, 50U, 90U}) {
        all.experiments.push_back(replacing<two_threads>(percent, "threads"));
        all.experiments.push_back(replacing<two_processes>(percent, "processes"));
        all.bars.push_back(
            {.text = fmt::format("{} % held: throughput of two processes / of two threads of one",
                                 percent),
             .wanted = demand::at_least,
             .limit = 0.9,
             .value = {name(percent, "threads")},
             .per = reading{name(percent, "processes")}});
        all.bars.push_back(
            {.text = fmt::format("{} % held: throughput of two processes / of two threads over "
                                 "`atomic`",
                                 percent),
             .value = {fmt::format("shared/spread/{}%/2_threads", percent)},
             .per = reading{name(percent, "processes")}});
    }
    return all;
}

} // namespace palloc::bench::micro
