// SPDX-License-Identifier: MIT
/// @file
/// @brief Which block of which pool a fault was about, in words.
///
///     report_faults(describe_fault);
///     …  palloc: write to byte 12 of block 7 (104 bytes, sealed) of protected pool 'rules', from
///        thread 4711 at 0x55d0c0de, address 0x7f…
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/fault_report.hpp>
#include <palloc/pmalloc/any_pmalloc.hpp>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace palloc::inline v0 {

namespace detail {

/// @brief Puts text together without a heap.
class line_writer {
  public:
    explicit line_writer(std::span<char> into) noexcept : into_(into) {}

    line_writer& operator<<(std::string_view text) noexcept {
        const std::size_t room = into_.size() - used_;
        const std::size_t taken = std::min(room, text.size());
        std::copy_n(text.begin(), taken, into_.begin() + static_cast<std::ptrdiff_t>(used_));
        used_ += taken;
        return *this;
    }
    line_writer& number(std::uint64_t value, int base = 10) noexcept {
        const auto end =
            std::to_chars(into_.data() + used_, into_.data() + into_.size(), value, base);
        if (end.ec == std::errc{})
            used_ = static_cast<std::size_t>(end.ptr - into_.data());
        return *this;
    }
    [[nodiscard]] std::size_t length() const noexcept { return used_; }

  private:
    std::span<char> into_;
    std::size_t used_ = 0;
};

[[nodiscard]] constexpr std::string_view word_for(memory_fault::access kind) noexcept {
    switch (kind) {
    case memory_fault::access::read:
        return "read of";
    case memory_fault::access::write:
        return "write to";
    case memory_fault::access::fetch:
        return "jump to";
    case memory_fault::access::unknown:
        break;
    }
    return "access to";
}
[[nodiscard]] constexpr std::string_view word_for(strength achieved) noexcept {
    switch (achieved) {
    case strength::none:
        break;
    case strength::guarded:
        return "guarded";
    case strength::read_only:
        return "read-only";
    case strength::sealed:
        return "sealed";
    case strength::permanent:
        return "permanent";
    case strength::write_or_execute:
        return "write-or-execute";
    case strength::write_xor_execute:
        return "write-xor-execute";
    }
    return "writable";
}

} // namespace detail

/// @brief Describes a fault in any pmalloc pool: to be given to `report_faults`. Nothing to say of
/// other memory, or where a pool comes or goes at this moment.
[[nodiscard]] inline std::size_t describe_fault(const memory_fault& fault,
                                                std::span<char> text) noexcept {
    std::optional<pmalloc_place> place;
    (void)pmalloc_registry().for_each_if_quiet([&](const any_pmalloc& each) {
        if (!place)
            place = each.locate(fault.place);
    });
    if (!place)
        return 0;
    detail::line_writer line(text);
    line << "palloc: " << detail::word_for(fault.kind) << " byte ";
    line.number(place->offset);
    if (place->block_bytes != 0) {
        line << " of block ";
        line.number(place->block) << " (";
        line.number(place->block_bytes) << " bytes, " << detail::word_for(place->achieved) << ")";
    } else {
        line << " of an area (" << detail::word_for(place->achieved) << ", no block there)";
    }
    line << " of protected pool '" << place->pool << "', from thread ";
    line.number(static_cast<std::uint64_t>(fault.thread)) << " at 0x";
    line.number(fault.code, 16) << ", address 0x";
    line.number(fault.place, 16) << "\n";
    return line.length();
}

} // namespace palloc::inline v0
