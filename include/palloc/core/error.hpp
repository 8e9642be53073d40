// SPDX-License-Identifier: MIT
/// @file
/// @brief Errors as values: what was wrong, in eight bytes, without allocation.
#pragma once

#include <palloc/core/version.hpp>

#include <tl/expected.hpp>

#include <cstdint>
#include <string_view>
#include <type_traits>

namespace palloc::inline v0 {

/// @brief What was wrong. Stable: values are appended, never renumbered.
enum class errc : std::uint8_t {
    out_of_memory = 1, ///< no free run long enough, and the pool may not or can not grow
    zero_size,         ///< a request for, or a release of, nothing
    too_large,         ///< the size overflows, or no chunk could ever hold it
    bad_alignment,     ///< not a power of two, or more than the backing can give
    bad_argument,      ///< any other argument outside its stated domain
    over_limit,        ///< the cap of the pool or of a `limited` backing
    is_protected,      ///< the place is protected, or the pool protects once and has done so
    not_ours,          ///< no chunk of the pool contains the address
    not_a_block,       ///< inside a chunk, but no block begins there
    double_free,       ///< some of the granules are free already
    wrong_size,        ///< a block begins there, of another size
    past_the_end,      ///< the range begins in a chunk and runs out of it
    outstanding,       ///< blocks are still live
    overlap,           ///< the chunk would overlap one that the pool has
    bad_placement,     ///< the algorithm answered with a place that is busy, misaligned or outside
    no_room,           ///< the neighbour is busy, so the block cannot grow in place
    not_supported,     ///< this machine, kernel or backing cannot do it
    os_failure,        ///< a system call failed; `os_code` says how
    corrupted,         ///< a list in ordinary memory was overwritten; it is not followed
};

/// @brief The name of `code`, as it is spelled in the source.
[[nodiscard]] constexpr std::string_view to_string(errc code) noexcept {
    switch (code) {
    case errc::out_of_memory:
        return "out_of_memory";
    case errc::zero_size:
        return "zero_size";
    case errc::too_large:
        return "too_large";
    case errc::bad_alignment:
        return "bad_alignment";
    case errc::bad_argument:
        return "bad_argument";
    case errc::over_limit:
        return "over_limit";
    case errc::is_protected:
        return "is_protected";
    case errc::not_ours:
        return "not_ours";
    case errc::not_a_block:
        return "not_a_block";
    case errc::double_free:
        return "double_free";
    case errc::wrong_size:
        return "wrong_size";
    case errc::past_the_end:
        return "past_the_end";
    case errc::outstanding:
        return "outstanding";
    case errc::overlap:
        return "overlap";
    case errc::bad_placement:
        return "bad_placement";
    case errc::no_room:
        return "no_room";
    case errc::not_supported:
        return "not_supported";
    case errc::os_failure:
        return "os_failure";
    case errc::corrupted:
        return "corrupted";
    }
    return "unknown";
}

/// @brief An error: the code, and the operating system's own where a system call failed.
struct error {
    errc code;
    std::int32_t os_code = 0;

    friend constexpr bool operator==(error, error) = default;
};
static_assert(sizeof(error) == 8 && std::is_trivially_copyable_v<error>);

/// @brief A `T`, or the error that stands in its place.
template <class T>
using result = tl::expected<T, error>;

/// @brief The one place that makes failures: set a breakpoint here to see them all.
[[nodiscard]] constexpr tl::unexpected<error> fail(errc code, std::int32_t os_code = 0) noexcept {
    return tl::unexpected<error>(error{code, os_code});
}

} // namespace palloc::inline v0
