// SPDX-License-Identifier: MIT
/// @file
/// @brief The main view of a section changed in place, whole or in units, or not at all.
#pragma once

#include <palloc/backings/section.hpp>

#include <array>
#include <cstddef>

#include "os.hpp"

namespace palloc::inline v0 {

/// @brief Units of a main view that are alike.
struct section::run {
    range where{};
    permissions allowed = permissions::none;
    bool is_writer = false;
};

/// @brief A change of the main view of one region. What of it fails is taken back.
class section::changing {
  public:
    explicit changing(region& it) noexcept : it_(it) {}

    /// @brief Makes the main view one view a unit, if it is not.
    [[nodiscard]] result<void> split() noexcept;
    /// @brief Places views that are missing since an earlier change failed.
    [[nodiscard]] result<void> find_lost() noexcept;
    /// @brief Shows units with other permissions.
    /// @param may_stay  whether a view that was mapped for writing may be closed to stores only
    [[nodiscard]] result<void> show(range part, permissions allowed, bool may_stay) noexcept;
    /// @brief Changes what units allow that no view will ever write.
    [[nodiscard]] result<void> allow(range part, permissions allowed) noexcept;
    /// @brief Whether a view of the main view was mapped for writing.
    [[nodiscard]] result<bool> has_writer() const noexcept;
    /// @brief Ends the main view, from its end on.
    [[nodiscard]] result<void> end() noexcept;

  private:
    static constexpr std::size_t most_runs = 64;

    [[nodiscard]] std::uint64_t piece_bytes() const noexcept {
        return it_.is_split_ ? os::granularity() : it_.where_.bytes;
    }
    [[nodiscard]] std::uint64_t offset_of(address place) const noexcept {
        return place - it_.where_.base;
    }
    template <class Act>
    [[nodiscard]] result<void> each_piece(range part, Act&& act) const noexcept;
    [[nodiscard]] result<run> piece_at(address place) const noexcept;
    [[nodiscard]] result<std::size_t> runs_of(range part,
                                              std::array<run, most_runs>& runs) const noexcept;

    [[nodiscard]] result<void> place(range piece, bool is_writer) const noexcept;
    [[nodiscard]] static result<void> remove(range piece) noexcept;
    [[nodiscard]] result<void> exchange(range piece, bool to_writer, const run& before) noexcept;
    [[nodiscard]] result<void> show_run(const run& now, permissions allowed,
                                        bool to_writer) noexcept;
    void take_back(range part, const run& before) noexcept;

    region& it_;
};

} // namespace palloc::inline v0
