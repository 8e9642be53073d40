// SPDX-License-Identifier: MIT
/// @file
/// @brief What this thread may do under each protection key, as the processor has it.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace palloc::test {

/// @brief Whether the processor has protection keys, and the kernel has switched them on.
inline bool has_keys() {
#if defined(__x86_64__)
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c & (1U << 4)) != 0; // OSPKE
#else
    return false;
#endif
}

/// @brief Those of the moment it is made.
class key_rights {
  public:
    key_rights() {
#if defined(__x86_64__)
        std::uint32_t unused = 0;
        if (are_there_)
            asm volatile(".byte 0x0f,0x01,0xee" : "=a"(rights_), "=d"(unused) : "c"(0)); // RDPKRU
#endif
    }
    /// @brief Gives the thread these again: a signal handler that is left by a jump leaves its own.
    void restore() const { set(rights_); }
    /// @brief Gives the thread all.
    static void open_all() { set(0); }

  private:
    static void set([[maybe_unused]] std::uint32_t rights) {
#if defined(__x86_64__)
        if (has_keys())
            asm volatile(".byte 0x0f,0x01,0xef" ::"a"(rights), "c"(0), "d"(0) : "memory"); // WRPKRU
#endif
    }

    bool are_there_ = has_keys();
    std::uint32_t rights_ = 0;
};

} // namespace palloc::test
