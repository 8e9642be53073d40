// SPDX-License-Identifier: MIT
/// @file
/// @brief A flattened device tree, read through libfdt. Without that library everything answers
/// `not_supported`.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace palloc::inline v0::detail {

/// @brief A view of a tree's bytes, which outlive it. Nodes are offsets into them.
/// @par Thread safety  any thread
class flattened_tree {
  public:
    using node = int;

    /// @par Errors  `bad_alignment`: not at a multiple of 8 bytes; `bad_argument`: no tree, or a
    /// damaged one; `past_the_end`: it is longer than the bytes; `not_supported` without libfdt
    [[nodiscard]] static result<flattened_tree> over(std::span<const std::byte> bytes) noexcept;

    /// @brief The node of a path, or of an alias.
    /// @par Errors  `bad_argument`: there is none
    [[nodiscard]] result<node> at(const char* path) const noexcept;
    /// @par Errors  `bad_argument`: there is none
    [[nodiscard]] result<node> with_phandle(std::uint32_t phandle) const noexcept;
    /// @par Errors  `bad_argument`: it is the root
    [[nodiscard]] result<node> parent(node of) const noexcept;
    /// @brief Without the address behind an @.
    [[nodiscard]] std::string_view name(node of) const noexcept;
    [[nodiscard]] std::optional<std::string_view> text(node of,
                                                       const char* property) const noexcept;
    [[nodiscard]] bool has(node of, const char* property) const noexcept;
    [[nodiscard]] bool is_compatible(node with, const char* what) const noexcept;
    /// @brief The index-th cell of a property.
    /// @par Errors  `bad_argument`: no such property, or not of whole cells; `past_the_end`
    [[nodiscard]] result<std::uint32_t> cell(node of, const char* property,
                                             std::size_t index) const noexcept;
    /// @brief The index-th range of `reg`, as the root sees it: through the `ranges` of every bus.
    /// @par Errors  `bad_argument`: no or a wrong `reg`; `past_the_end`; `not_ours`: a bus on the
    /// way does not translate it
    [[nodiscard]] result<range> reg(node of, std::size_t index) const noexcept;

    /// @brief What is one for each node, and no other's.
    [[nodiscard]] const void* identity(node of) const noexcept {
        return static_cast<const std::byte*>(bytes_) + of;
    }

  private:
    explicit flattened_tree(const void* bytes) noexcept : bytes_(bytes) {}

    const void* bytes_;
};

} // namespace palloc::inline v0::detail
