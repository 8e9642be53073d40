// SPDX-License-Identifier: MIT
/// @file
/// @brief Functions as bytes, for the machine that the tests run on.
#pragma once

#include <palloc/core/process.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>

#include "support/skip.hpp"

namespace palloc::test {

using code_bytes = std::array<std::byte, 16>;

// `value_offset`   where the code of `returns` has its value, aligned so that a store is one
// `encoded(v)`     what has to be there to make it return v
// `low_half(v)`, `high_half(v)`, at `high_offset`   the same for 16 bits of it
// `counting_code`  a function that returns 1, but k where `counts_to(k)` is at `counter_offset`;
//                  which may be changed while it is executed; 1 <= k < 256
#if defined(__x86_64__) || defined(__i386__)

inline constexpr std::size_t value_offset = 4;
inline constexpr std::size_t high_offset = value_offset + 2;
inline constexpr std::size_t counter_offset = value_offset;

[[nodiscard]] constexpr std::uint32_t encoded(std::int32_t value) {
    return static_cast<std::uint32_t>(value);
}
[[nodiscard]] constexpr std::uint16_t low_half(std::uint16_t value) {
    return value;
}
[[nodiscard]] constexpr std::uint16_t high_half(std::uint16_t value) {
    return value;
}
/// @brief int f() { return value; }
[[nodiscard]] inline code_bytes returns(std::int32_t value) {
    code_bytes code{};
    const unsigned char text[] = {0x0f, 0x1f, 0x00,              // nop
                                  0xb8, 0,    0,    0, 0, 0xc3}; // mov eax, value; ret
    std::memcpy(code.data(), text, sizeof text);
    std::memcpy(code.data() + value_offset, &value, sizeof value);
    return code;
}
/// @brief The same byte four times, so that half a store would be seen.
[[nodiscard]] constexpr std::uint32_t counts_to(std::uint32_t k) {
    return k * 0x01010101U;
}
[[nodiscard]] constexpr std::uint32_t counted(std::uint32_t k) {
    return counts_to(k);
}
[[nodiscard]] inline std::vector<std::byte> counting_code() {
    const auto code = returns(static_cast<std::int32_t>(counted(1)));
    return {code.begin(), code.end()};
}

#elif defined(__aarch64__)

inline constexpr std::size_t value_offset = 0;
inline constexpr std::size_t high_offset = 4;
inline constexpr std::size_t counter_offset = 0;
inline constexpr std::uint32_t ret = 0xd65f03c0;

[[nodiscard]] constexpr std::uint32_t low_half(std::uint16_t value) {
    return 0x52800000U | std::uint32_t{value} << 5; // movz w0, value
}
[[nodiscard]] constexpr std::uint32_t high_half(std::uint16_t value) {
    return 0x72a00000U | std::uint32_t{value} << 5; // movk w0, value, lsl 16
}
[[nodiscard]] constexpr std::uint64_t encoded(std::int32_t value) {
    const auto bits = static_cast<std::uint32_t>(value);
    return std::uint64_t{high_half(static_cast<std::uint16_t>(bits >> 16))} << 32 |
           low_half(static_cast<std::uint16_t>(bits));
}
/// @brief int f() { return value; }
[[nodiscard]] inline code_bytes returns(std::int32_t value) {
    code_bytes code{};
    const std::uint64_t moves = encoded(value);
    std::memcpy(code.data(), &moves, sizeof moves);
    std::memcpy(code.data() + 8, &ret, sizeof ret);
    return code;
}
/// @brief A branch to the k-th of 255 pairs of instructions: branches are what may be replaced.
[[nodiscard]] constexpr std::uint32_t counts_to(std::uint32_t k) {
    return 0x14000000U | (2 * k - 1);
}
[[nodiscard]] constexpr std::uint32_t counted(std::uint32_t k) {
    return k;
}
[[nodiscard]] inline std::vector<std::byte> counting_code() {
    std::vector<std::uint32_t> text{counts_to(1)};
    for (std::uint16_t k = 1; k != 256; ++k)
        text.insert(text.end(), {low_half(k), ret});
    std::vector<std::byte> code(text.size() * 4);
    std::memcpy(code.data(), text.data(), code.size());
    return code;
}

#else

inline constexpr std::size_t value_offset = 0;
inline constexpr std::size_t high_offset = 2;
inline constexpr std::size_t counter_offset = 0;

[[nodiscard]] inline code_bytes returns(std::int32_t) {
    skip("no machine code for this processor");
}
[[nodiscard]] inline std::vector<std::byte> counting_code() {
    skip("no machine code for this processor");
}
[[nodiscard]] constexpr std::uint32_t encoded(std::int32_t value) {
    return static_cast<std::uint32_t>(value);
}
[[nodiscard]] constexpr std::uint16_t low_half(std::uint16_t value) {
    return value;
}
[[nodiscard]] constexpr std::uint16_t high_half(std::uint16_t value) {
    return value;
}
[[nodiscard]] constexpr std::uint32_t counts_to(std::uint32_t k) {
    return k;
}
[[nodiscard]] constexpr std::uint32_t counted(std::uint32_t k) {
    return k;
}

#endif

/// @brief Whether one of the answers of `counting_code`.
[[nodiscard]] constexpr bool is_counted(std::uint32_t seen) {
    const std::uint32_t k = seen & 0xffU; // of all answers the lowest byte
    return k != 0 && counted(k) == seen;
}

/// @brief Whether code that is replaced through another view is what is executed after a flush, as
/// on a processor. An emulator that keeps its translation is none.
[[nodiscard]] inline bool executes_what_another_view_stores() {
    static const bool answer = [] {
        constexpr std::size_t page = 4096;
        const int file = ::memfd_create("code", 0);
        if (file < 0 || ::ftruncate(file, page) != 0)
            return false;
        void* const stored = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        void* const run = ::mmap(nullptr, page, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
        ::close(file);
        bool good = stored != MAP_FAILED && run != MAP_FAILED;
        for (int value = 1; good && value != 4; ++value) {
            std::memcpy(stored, returns(value).data(), sizeof(code_bytes));
            flush_instructions({address_of(run), sizeof(code_bytes)});
            good = reinterpret_cast<int (*)()>(run)() == value;
        }
        ::munmap(stored, page);
        ::munmap(run, page);
        return good;
    }();
    return answer;
}

/// @brief Skips the case where that is so.
inline void needs_code_of_other_views() {
    if (!executes_what_another_view_stores())
        skip("this emulator goes on executing what another view has replaced");
}

} // namespace palloc::test
