// SPDX-License-Identifier: MIT
#include "replayer.hpp"

#include <algorithm>
#include <ctime>

#include "process_memory.hpp"

namespace palloc::bench {
namespace {

constexpr std::size_t operations_per_look_at_the_clock = 64;
constexpr unsigned spins_before_yielding = 32;

double cpu_time_ns() noexcept {
    std::timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

double ns_between(std::chrono::steady_clock::time_point from,
                  std::chrono::steady_clock::time_point to) noexcept {
    return std::chrono::duration<double, std::nano>(to - from).count();
}

void add(player_record& sum, const player_record& part) noexcept {
    sum.operations += part.operations;
    sum.refused += part.refused;
    sum.first_refused_at = std::min(sum.first_refused_at, part.first_refused_at);
    sum.faults += part.faults;
    sum.first_fault_at = std::min(sum.first_fault_at, part.first_fault_at);
}

} // namespace

replayer::replayer(const trace& program)
    : trace_(program), table_(program.slots, residence::at_once),
      turns_(program.threads() == 1 ? 0 : program.slots, residence::at_once),
      gate_(program.operation_count(), window_operations) {
    if (program.threads() == 1) {
        touch_stack();
        return;
    }
    workers_ = std::vector<worker>(program.threads());
    for (std::size_t i = 0; i != workers_.size(); ++i)
        workers_[i].thread = std::thread([this, i] {
            touch_stack();
            ready_.fetch_add(1);
            ready_.notify_one();
            started_.wait(false);
            if (!stopped_.load())
                play_lane(workers_[i], trace_.lanes[i]);
        });
    for (std::uint32_t ready = 0; (ready = ready_.load()) != workers_.size();)
        ready_.wait(ready);
}

replayer::~replayer() {
    if (!started_.load())
        stop();
    started_.store(true);
    started_.notify_all();
    for (worker& each : workers_)
        if (each.thread.joinable())
            each.thread.join();
}

replay_outcome replayer::run(std::pmr::memory_resource& resource, std::chrono::nanoseconds budget,
                             const std::function<void()>& at_peak) {
    replay_outcome outcome;
    resource_ = &resource;
    player me(resource, table_.data());
    const double cpu_before = cpu_time_ns();
    const clock::time_point begin = clock::now();
    deadline_ = begin + budget;
    if (workers_.empty()) {
        play_alone(me, 0, trace_.peak_at);
        const clock::time_point pause = clock::now();
        const double cpu_pause = cpu_time_ns();
        if (at_peak)
            at_peak();
        const clock::time_point resume = clock::now();
        const double cpu_resume = cpu_time_ns();
        deadline_ += resume - pause;
        play_alone(me, trace_.peak_at, trace_.operation_count());
        outcome.wall_ns = ns_between(begin, pause) + ns_between(resume, clock::now());
        outcome.cpu_ns = cpu_pause - cpu_before + cpu_time_ns() - cpu_resume;
    } else {
        started_.store(true);
        started_.notify_all();
        clock::time_point end = begin;
        for (worker& each : workers_) {
            each.thread.join();
            end = std::max(end, each.finished);
        }
        outcome.wall_ns = ns_between(begin, end);
        outcome.cpu_ns = cpu_time_ns() - cpu_before;
        if (at_peak)
            at_peak();
    }
    for (std::uint32_t slot = 0; slot != table_.size(); ++slot)
        me.clear(slot);
    outcome.record = me.record();
    for (const worker& each : workers_)
        add(outcome.record, each.record);
    outcome.complete = outcome.record.operations == trace_.operation_count();
    return outcome;
}

void replayer::play_alone(player& me, std::size_t from, std::size_t to) noexcept {
    const operation* const operations = trace_.lanes.front().operations.data();
    live_block* const table = table_.data();
    while (from != to && !stopped_.load(std::memory_order_relaxed)) {
        const std::size_t next = std::min(from + operations_per_look_at_the_clock, to);
        for (; from != next; ++from) {
            __builtin_prefetch(&table[operations[from + lookahead].slot], 1);
            me.play(operations[from]);
        }
        if (out_of_time())
            stop();
    }
}

void replayer::play_lane(worker& self, const lane& work) noexcept {
    player me(*resource_, table_.data());
    std::size_t from = 0;
    for (const segment& part : work.segments) {
        gate_.enter(part.window);
        if (!play_segment(me, work, from, part.end))
            break;
        gate_.leave(part.window, static_cast<std::uint32_t>(part.end - from));
        from = part.end;
    }
    self.finished = clock::now();
    self.record = me.record();
}

bool replayer::play_segment(player& me, const lane& work, std::size_t from,
                            std::size_t to) noexcept {
    const operation* const operations = work.operations.data();
    for (; from != to; ++from) {
        const operation& op = operations[from];
        __builtin_prefetch(&table_[operations[from + lookahead].slot], 1);
        std::uint32_t& turn = turns_[op.slot];
        if (!await_turn(turn, op.turn))
            return false;
        me.play(op);
        std::atomic_ref(turn).store(op.turn + 1, std::memory_order_release);
        if (from % operations_per_look_at_the_clock == 0 && out_of_time())
            stop();
    }
    return true;
}

bool replayer::await_turn(std::uint32_t& turn, std::uint32_t wanted) const noexcept {
    const std::atomic_ref now(turn);
    for (unsigned tries = 0; now.load(std::memory_order_acquire) != wanted; ++tries) {
        if (stopped_.load(std::memory_order_relaxed))
            return false;
        if (tries >= spins_before_yielding)
            std::this_thread::yield();
    }
    return !stopped_.load(std::memory_order_relaxed);
}

void replayer::stop() noexcept {
    stopped_.store(true);
    gate_.open();
}

} // namespace palloc::bench
