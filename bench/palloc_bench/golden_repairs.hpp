// SPDX-License-Identifier: MIT
/// @file
/// @brief The differences from the kernel that genalloc's repairs make in golden traces.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace palloc::bench {

enum class golden_repair : std::uint8_t {
    wrapping_range,
    no_physical_address,
    no_alignment,
    overlapping_chunk,
    empty_chunk,
    absent_chunk,
};

struct declared_repair {
    golden_repair which;
    std::string_view name;
    std::string_view differs; ///< the answer that may be another than the kernel's
};

/// @brief Whatever else differs is a mismatch. docs/genalloc.md shows this list.
inline constexpr std::array declared_repairs{
    declared_repair{golden_repair::wrapping_range, "wrapping range",
                    "`has_addr` of a range that wraps past 2^64, or of nothing"},
    declared_repair{golden_repair::no_physical_address, "no physical address",
                    "`virt_to_phys` in a chunk that was added without one: `not_supported`"},
    declared_repair{golden_repair::no_alignment, "no alignment",
                    "an allocation aligned to 0 or to no power of two: `bad_alignment`"},
    declared_repair{golden_repair::overlapping_chunk, "overlapping chunk",
                    "a chunk that overlaps one that is there: `overlap`"},
    declared_repair{golden_repair::empty_chunk, "empty chunk", "a chunk of 0 bytes: `zero_size`"},
    declared_repair{golden_repair::absent_chunk, "absent chunk",
                    "what the kernel does in a chunk that was refused so: its blocks, their frees, "
                    "its share of the totals, addresses in it"},
};

[[nodiscard]] constexpr std::size_t index_of(golden_repair which) noexcept {
    return static_cast<std::size_t>(which);
}

static_assert([] {
    for (std::size_t i = 0; i != declared_repairs.size(); ++i)
        if (index_of(declared_repairs[i].which) != i)
            return false;
    return declared_repairs.size() == index_of(golden_repair::absent_chunk) + 1;
}());

} // namespace palloc::bench
