// SPDX-License-Identifier: MIT
/// @file
/// @brief Functions as bytes, for the machine that the tests run on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/skip.hpp"

namespace palloc::test {

#if defined(__x86_64__)
/// @brief int f() { return value; } with the value in an aligned word: at offset 4 of 16 bytes.
[[nodiscard]] inline std::array<std::byte, 16> returns(std::int32_t value) {
    std::array<std::byte, 16> code{};
    const unsigned char text[] = {0x0f, 0x1f, 0x00,              // nop
                                  0xb8, 0,    0,    0, 0, 0xc3}; // mov eax, value; ret
    std::memcpy(code.data(), text, sizeof text);
    std::memcpy(code.data() + 4, &value, 4);
    return code;
}
inline constexpr std::size_t value_offset = 4;
#else
[[nodiscard]] inline std::array<std::byte, 16> returns(std::int32_t) {
    skip("no machine code for this processor");
}
inline constexpr std::size_t value_offset = 4;
#endif

} // namespace palloc::test
