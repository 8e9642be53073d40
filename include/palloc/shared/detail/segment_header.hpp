// SPDX-License-Identifier: MIT
/// @file
/// @brief The first bytes of a segment, how they are made, and whether they are right.
#pragma once

#include <palloc/backings/detail/shared_file.hpp>
#include <palloc/bitmaps/claimed.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/shared/segment_report.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <type_traits>

namespace palloc::inline v0::detail {

/// The first bytes of a segment. Written once, but for what is atomic.
struct segment_header {
    static constexpr std::uint64_t right_mark = 0x0a1a0d63'6f6c6c61; // and in the right byte order
    static constexpr std::uint32_t right_version = 1;
    static constexpr std::size_t roots = 16;
    static constexpr std::uint64_t own_at = std::uint64_t{64} << 10;

    std::uint64_t mark;
    std::uint32_t version;
    std::uint32_t granule_bytes;
    std::uint64_t granules;
    std::uint64_t data_at;
    std::uint64_t file_bytes;
    std::uint64_t checksum;
    std::array<std::uint64_t, roots> root;
    struct claimant_state {
        std::uint32_t attached; ///< not 0 from before its first claim to after its last release
        std::uint32_t process;  ///< for people
    };
    std::array<claimant_state, 128> claimant;

    /// FNV-1a over what precedes it.
    [[nodiscard]] std::uint64_t sum() const noexcept {
        std::uint64_t hash = 0xcbf29ce484222325;
        for (const std::uint64_t each :
             {std::uint64_t{version}, std::uint64_t{granule_bytes}, granules, data_at, file_bytes})
            hash = (hash ^ each) * 0x100000001b3;
        return hash;
    }
};
static_assert(std::is_trivially_copyable_v<segment_header> && sizeof(segment_header) < 4096);
static_assert(claimed::private_bytes == segment_header::own_at);

/// @brief Offsets that are multiples of powers of two up to this are addresses that are, too.
inline constexpr std::uint64_t segment_alignment = std::uint64_t{64} << 10;

/// @brief Says what lies where in a segment of that shape.
[[nodiscard]] inline result<void> lay_out(const segment_shape& shape,
                                          segment_header& into) noexcept {
    constexpr std::uint64_t most = std::uint64_t{1} << 46;
    if (shape.granule_bytes == 0)
        return fail(errc::bad_argument);
    if (shape.bytes == 0)
        return fail(errc::zero_size);
    const std::uint64_t granules =
        shape.bytes / shape.granule_bytes + (shape.bytes % shape.granule_bytes != 0);
    if (shape.bytes > most || granules > std::numeric_limits<std::size_t>::max() / 4)
        return fail(errc::too_large);
    into = {};
    into.version = segment_header::right_version;
    into.granule_bytes = shape.granule_bytes;
    into.granules = granules;
    into.data_at = align_up(segment_header::own_at +
                                claimed::storage_bytes(static_cast<std::size_t>(granules)),
                            segment_alignment);
    into.file_bytes = align_up(into.data_at + granules * shape.granule_bytes, segment_alignment);
    if (into.file_bytes > std::numeric_limits<std::size_t>::max() / 2)
        return fail(errc::too_large);
    into.checksum = into.sum();
    return {};
}

/// @brief What is in a file; `found` is its header.
[[nodiscard]] inline result<segment_report> examine(const shared_file& file, segment_header& found,
                                                    std::uint32_t granule_bytes) noexcept {
    using verdict = segment_report::verdict;
    const auto there = file.bytes();
    if (!there)
        return tl::unexpected(there.error());
    const auto got = file.read(std::as_writable_bytes(std::span(&found, 1)));
    if (!got)
        return tl::unexpected(got.error());
    if (*there == 0 || (found.mark == 0 && *got == sizeof(segment_header)))
        return segment_report{.what = verdict::not_ready};
    if (*got >= sizeof(found.mark) && found.mark != segment_header::right_mark)
        return segment_report{verdict::foreign, found.mark, segment_header::right_mark};
    if (*got < sizeof(segment_header))
        return segment_report{verdict::truncated, *there, sizeof(segment_header)};
    if (found.version != segment_header::right_version)
        return segment_report{verdict::other_version, found.version, segment_header::right_version};
    segment_header wanted{};
    if (found.checksum != found.sum() ||
        !lay_out(
            {.bytes = found.granules * found.granule_bytes, .granule_bytes = found.granule_bytes},
            wanted) ||
        wanted.sum() != found.sum())
        return segment_report{verdict::damaged, found.checksum, found.sum()};
    if (*there < found.file_bytes)
        return segment_report{verdict::truncated, *there, found.file_bytes};
    if (found.granule_bytes != granule_bytes)
        return segment_report{verdict::other_granule, found.granule_bytes, granule_bytes};
    return segment_report{};
}

/// @brief Makes a segment of a file. The mark comes last: without it there is nothing.
[[nodiscard]] inline result<void> initialise(shared_file& file, const segment_shape& shape,
                                             segment_header& made) noexcept {
    if (const auto laid = lay_out(shape, made); !laid)
        return laid;
    const auto whole =
        file.make_zero(made.file_bytes, shape.reserves_memory ? made.file_bytes : made.data_at);
    if (!whole)
        return whole;
    if (const auto most = file.write(std::as_bytes(std::span(&made, 1))); !most)
        return most;
    made.mark = segment_header::right_mark;
    return file.write(std::as_bytes(std::span(&made.mark, 1)));
}

} // namespace palloc::inline v0::detail
