// SPDX-License-Identifier: MIT
/// @file
/// @brief A scope in which protected memory may be written.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <span>
#include <utility>

namespace palloc::inline v0 {

/// @brief Writable addresses of a part of protected memory, until it is closed or ends.
///
/// The addresses may be others than those that the memory is read at. What is opened for one thread
/// only is to be closed by that thread.
class write_window {
  public:
    /// @brief Ends what opening began. `backing` and `region` are those that it was opened on.
    using closer = result<void> (*)(void* backing, void* region, range writable) noexcept;

    /// @brief Nothing may be written.
    write_window() noexcept = default;
    /// @brief Memory that may be written anyway; there is nothing to close.
    explicit write_window(range writable) noexcept : writable_(writable) {}
    write_window(range writable, closer closing, void* backing, void* region) noexcept
        : writable_(writable), close_(closing), backing_(backing), region_(region) {}

    write_window(write_window&& other) noexcept { swap(other); }
    write_window& operator=(write_window&& other) noexcept {
        write_window(std::move(other)).swap(*this);
        return *this;
    }
    write_window(const write_window&) = delete;
    write_window& operator=(const write_window&) = delete;
    ~write_window() { (void)close(); }

    /// @brief Where the part may be written.
    [[nodiscard]] range writable() const noexcept { return writable_; }
    /// @brief The same as bytes, where the memory may be touched.
    [[nodiscard]] std::span<std::byte> bytes() const noexcept {
        return {reinterpret_cast<std::byte*>(writable_.base),
                static_cast<std::size_t>(writable_.bytes)};
    }

    /// @brief Closes now; the window is empty afterwards.
    /// @par Errors  the backing's: the window stays open, and its end will try again
    result<void> close() noexcept {
        if (close_ != nullptr)
            if (auto closed = close_(backing_, region_, writable_); !closed)
                return closed;
        close_ = nullptr;
        writable_ = {};
        return {};
    }

    void swap(write_window& other) noexcept {
        std::swap(writable_, other.writable_);
        std::swap(close_, other.close_);
        std::swap(backing_, other.backing_);
        std::swap(region_, other.region_);
    }

  private:
    range writable_{};
    closer close_ = nullptr;
    void* backing_ = nullptr;
    void* region_ = nullptr;
};

} // namespace palloc::inline v0
