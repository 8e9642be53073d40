// SPDX-License-Identifier: MIT
/// @file
/// @brief A resource that allocates nothing: what a replay over it takes is the harness's own cost.
///
/// Each thread gets places in one small buffer of its own, over and over. Blocks overlap, so the
/// replay finds them damaged; nobody asks.
#pragma once

#include <palloc/core/layout.hpp>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>

#include "mapped_array.hpp"
#include "trace.hpp"

namespace palloc::bench {

class null_resource final : public std::pmr::memory_resource {
  public:
    explicit null_resource(const trace& program)
        : stride_(window_bytes + program.largest_alignment + program.largest_bytes),
          buffer_(stride_ * (program.threads() + 1), residence::at_once) {}

  private:
    static constexpr std::size_t window_bytes = 4096;
    static constexpr std::size_t step_bytes = 64;

    void* do_allocate(std::size_t, std::size_t alignment) override {
        thread_local std::byte* mine = nullptr;
        thread_local std::size_t at = 0;
        if (mine == nullptr)
            mine = buffer_.data() + stride_ * threads_.fetch_add(1);
        at = (at + step_bytes) % window_bytes;
        const auto place = reinterpret_cast<std::uintptr_t>(mine + at);
        return reinterpret_cast<void*>(align_up(place, alignment));
    }
    void do_deallocate(void*, std::size_t, std::size_t) override {}
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::size_t stride_;
    mapped_array<std::byte> buffer_;
    std::atomic<std::size_t> threads_ = 0;
};

} // namespace palloc::bench
