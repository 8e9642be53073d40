// SPDX-License-Identifier: MIT
/// @file
/// @brief All pmalloc pools of the process: by name, and by an address that they own.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>
#include <palloc/pmalloc/options.hpp>
#include <palloc/registry.hpp>

#include <optional>
#include <string_view>

namespace palloc::inline v0 {

class any_pmalloc;

/// @brief The list of all pools. Its entries lie in ordinary memory, so it is sealed: a store into
/// it hides pools, but shows none under another's name and calls none that is not listed.
[[nodiscard]] inline registry<any_pmalloc, sealed_by_key>& pmalloc_registry() noexcept {
    return process_registry<any_pmalloc, sealed_by_key>;
}

/// @brief What can be asked of any pmalloc pool, whatever its policies. Nothing here writes, so a
/// signal handler may ask.
class any_pmalloc {
  public:
    any_pmalloc(const any_pmalloc&) = delete;
    any_pmalloc& operator=(const any_pmalloc&) = delete;

    [[nodiscard]] virtual std::string_view name() const noexcept = 0;
    /// @brief Whether the byte lies in an area.
    [[nodiscard]] virtual bool owns(address place) const noexcept = 0;
    /// @brief Whether the range lies in an area. O(areas) where it does not begin in one.
    [[nodiscard]] virtual ownership owns(range part) const noexcept = 0;
    /// @brief Which block the byte lies in, if it lies in an area. O(granules / 64).
    [[nodiscard]] virtual std::optional<pmalloc_place> locate(address place) const noexcept = 0;

    /// @brief The pool of that name, or null.
    [[nodiscard]] static any_pmalloc* find(std::string_view name) noexcept {
        return pmalloc_registry().find(nullptr, name);
    }
    /// @brief The pool that owns the byte, or null.
    [[nodiscard]] static any_pmalloc* find_containing(address place) noexcept {
        return pmalloc_registry().find_containing(place);
    }
    /// @brief Whether nothing was stored into the list of pools but by the library. What was
    /// overwritten is not followed: pools that are as old as that, or older, are not found, and
    /// `create` fails. O(pools)
    [[nodiscard]] static bool list_is_intact() noexcept { return pmalloc_registry().is_intact(); }
    /// @brief Whether the range lies in an area of any pool. The pools cannot end meanwhile.
    [[nodiscard]] static ownership owned_by_any(range part) noexcept {
        ownership found = ownership::no;
        pmalloc_registry().for_each([&](const any_pmalloc& each) {
            if (found == ownership::no)
                found = each.owns(part);
        });
        return found;
    }

  protected:
    any_pmalloc() noexcept = default;
    ~any_pmalloc() = default;
};

} // namespace palloc::inline v0
