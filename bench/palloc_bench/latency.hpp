// SPDX-License-Identifier: MIT
/// @file
/// @brief How long single calls of an allocator take, by the processor's cycle counter.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "distrust.hpp"
#include "mapped_array.hpp"
#include "trace_summary.hpp"

namespace palloc::bench {

/// @brief Ticks of a counter that runs at a constant rate.
[[nodiscard]] inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
    // The fences keep the measured call between both readings.
    __builtin_ia32_lfence();
    const std::uint64_t now = __builtin_ia32_rdtsc();
    __builtin_ia32_lfence();
    return now;
#elif defined(__aarch64__)
    std::uint64_t now = 0;
    asm volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(now)::"memory");
    return now;
#else
#error "name this machine's cycle counter"
#endif
}

/// @brief Counts by size, two of which differ by at most a sixteenth.
class tick_histogram {
  public:
    void add(std::uint64_t value) noexcept {
        ++counts_[index_of(value)];
        largest_ = value > largest_ ? value : largest_;
        ++total_;
    }
    void add(const tick_histogram& other) noexcept {
        for (std::size_t i = 0; i != counts_.size(); ++i)
            counts_[i] += other.counts_[i];
        total_ += other.total_;
        largest_ = other.largest_ > largest_ ? other.largest_ : largest_;
    }
    /// @brief The value that the share `q` of all do not exceed, up to the histogram's coarseness.
    [[nodiscard]] std::uint64_t quantile(double q) const noexcept {
        const auto rank = static_cast<std::uint64_t>(q * static_cast<double>(total_));
        std::uint64_t seen = 0;
        for (std::size_t i = 0; i != counts_.size(); ++i)
            if ((seen += counts_[i]) > rank)
                return middle_of(i) < largest_ ? middle_of(i) : largest_;
        return largest_;
    }
    [[nodiscard]] std::uint64_t largest() const noexcept { return largest_; }
    [[nodiscard]] std::uint64_t total() const noexcept { return total_; }

  private:
    static constexpr unsigned fine_bits = 4;
    static constexpr std::size_t fine = 1 << fine_bits;

    static std::size_t index_of(std::uint64_t value) noexcept {
        if (value < fine)
            return static_cast<std::size_t>(value);
        const auto shift = static_cast<unsigned>(std::bit_width(value)) - 1 - fine_bits;
        return (shift + 1) * fine + static_cast<std::size_t>(value >> shift) - fine;
    }
    static std::uint64_t middle_of(std::size_t index) noexcept {
        if (index < fine)
            return index;
        const std::size_t shift = index / fine - 1;
        const std::uint64_t width = std::uint64_t{1} << shift;
        return (fine + index % fine) * width + (width - 1) / 2;
    }

    std::array<std::uint32_t, (64 - fine_bits + 1) * fine> counts_{};
    std::uint64_t largest_ = 0;
    std::uint64_t total_ = 0;
};

/// @brief Percentiles of one kind of call, in nanoseconds, the measuring itself subtracted.
struct latency_figures {
    std::uint64_t calls = 0;
    double p50 = 0;
    double p90 = 0;
    double p99 = 0;
    double p999 = 0;
    double max = 0;
};

struct size_class_cost {
    std::uint64_t calls = 0;
    double mean_ns = 0; ///< of an allocation
};

struct latency_report {
    latency_figures allocate;
    latency_figures release;
    std::array<size_class_cost, trace_summary::classes> by_size{};
};

/// @brief Passes every call on, and takes its time. For any number of threads.
class latency_resource final : public std::pmr::memory_resource {
  public:
    explicit latency_resource(std::pmr::memory_resource& timed, std::size_t threads)
        : timed_(&timed), records_(threads + 1, residence::at_once) {}

    /// @param overhead_ticks  of a call that does nothing
    [[nodiscard]] latency_report report(double overhead_ticks, double ns_a_tick) const noexcept;

    /// @brief The median over all calls.
    [[nodiscard]] std::uint64_t median_ticks() const noexcept;

  private:
    struct record {
        tick_histogram allocate;
        tick_histogram release;
        std::array<std::uint64_t, trace_summary::classes> calls;
        std::array<std::uint64_t, trace_summary::classes> sum_ticks;
    };

    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        record& mine = records_[own_record()];
        const std::uint64_t before = ticks();
        std::byte* const block = allocate_from(*timed_, bytes, alignment);
        const std::uint64_t took = ticks() - before;
        mine.allocate.add(took);
        const std::size_t size = size_class_of(bytes);
        ++mine.calls[size];
        mine.sum_ticks[size] += took;
        return block;
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        record& mine = records_[own_record()];
        const std::uint64_t before = ticks();
        timed_->deallocate(block, bytes, alignment);
        mine.release.add(ticks() - before);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    /// One resource is made in a process, so a thread's number stays right.
    std::size_t own_record() noexcept {
        thread_local const std::size_t mine = threads_.fetch_add(1);
        return mine < records_.size() ? mine : records_.size() - 1;
    }

    std::pmr::memory_resource* timed_;
    mapped_array<record> records_;
    std::atomic<std::size_t> threads_ = 0;
};

/// @brief How long a tick is, from the time that passes between two looks at both clocks.
[[nodiscard]] double ns_a_tick() noexcept;

} // namespace palloc::bench
