// SPDX-License-Identifier: MIT
/// @file
/// @brief What is attacked: a protected area full of a known pattern, and how it looks afterwards.
#pragma once

#include <palloc/core/range.hpp>

#include <csetjmp>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <unistd.h>

#include <sys/mman.h>

#include "key_rights.hpp"
#include "support/page_probe.hpp"

namespace palloc::test {

/// @brief What an attack came to, mildest first.
enum class verdict : char {
    not_there = '-', ///< there is nothing for the attack to take hold of
    held = '.',
    refused = 'E',    ///< the protection could not be set while the attack was primed, and said so
    gone = 'G',       ///< unreadable, unmapped or moved
    rearranged = 'R', ///< pages changed places
    wiped = 'Z',      ///< zeros
    written = 'W',    ///< the attacker's bytes
};

/// @brief How bad that is.
[[nodiscard]] constexpr int badness(verdict v) {
    switch (v) {
    case verdict::not_there:
    case verdict::held:
    case verdict::refused:
        return 0;
    case verdict::gone:
        return 1;
    default:
        return 2;
    }
}
[[nodiscard]] constexpr bool alters_content(verdict v) {
    return badness(v) == 2;
}

inline constexpr std::uint64_t page = 4096;

/// @brief The area.
struct victim {
    range where{};

    [[nodiscard]] unsigned char* bytes() const {
        return reinterpret_cast<unsigned char*>(where.base);
    }
    /// @brief A page in the middle, where attacks aim.
    [[nodiscard]] unsigned char* target() const { return bytes() + 2 * page; }

    /// @brief Never zero, and different on each page.
    [[nodiscard]] static unsigned char expected(std::uint64_t i) {
        return static_cast<unsigned char>(1 + (i + i / page * 7) % 251);
    }
    void fill() const {
        for (std::uint64_t i = 0; i != where.bytes; ++i)
            bytes()[i] = expected(i);
    }
    [[nodiscard]] verdict look() const {
        const page_probe probe;
        for (std::uint64_t at = 0; at != where.bytes; at += page)
            if (!probe.readable(where.base + at))
                return verdict::gone;
        bool differs = false;
        bool all_known = true;
        bool zero = false;
        for (std::uint64_t i = 0; i != where.bytes; ++i)
            if (bytes()[i] != expected(i)) {
                differs = true;
                zero = zero || bytes()[i] == 0;
                bool known = false;
                for (std::uint64_t other = 0; other != where.bytes / page; ++other)
                    known = known || bytes()[i] == expected(other * page + i % page);
                all_known = all_known && known;
            }
        return !differs ? verdict::held
               : zero   ? verdict::wiped
                        : (all_known ? verdict::rearranged : verdict::written);
    }
};

inline thread_local sigjmp_buf back_from_fault;

/// @brief Answers false where a handler jumps back.
[[gnu::noinline]] inline bool arrives(const std::function<void()>& act) {
    if (sigsetjmp(back_from_fault, 1) != 0)
        return false;
    act();
    return true;
}

/// @brief Does something that may fault. Answers whether it did not.
inline bool survive(const std::function<void()>& act) {
    struct sigaction catching{};
    catching.sa_handler = [](int) { siglongjmp(back_from_fault, 1); };
    struct sigaction old_segv{};
    struct sigaction old_bus{};
    ::sigaction(SIGSEGV, &catching, &old_segv);
    ::sigaction(SIGBUS, &catching, &old_bus);
    const key_rights before;
    const bool arrived = arrives(act);
    if (!arrived)
        before.restore();
    ::sigaction(SIGSEGV, &old_segv, nullptr);
    ::sigaction(SIGBUS, &old_bus, nullptr);
    return arrived;
}

inline constexpr unsigned char hostile_byte = 0xfe;

/// @brief Stores the attacker's byte, wherever.
inline void store_at(void* place) {
    survive([&] { *static_cast<volatile unsigned char*>(place) = hostile_byte; });
}

} // namespace palloc::test
