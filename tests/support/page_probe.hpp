// SPDX-License-Identifier: MIT
/// @file
/// @brief What may be done at an address, asked of the kernel instead of catching signals.
#pragma once

#include <palloc/core/range.hpp>

#include <array>
#include <cstdint>

#if defined(_WIN32)
#include "windows.hpp"
#else
#include <unistd.h>
#endif

namespace palloc::test {

#if defined(_WIN32)

/// @brief Has the system copy a byte within the process: it answers instead of faulting. What it
/// may do that a load or store may not, a debugger's way, is ruled out before.
class page_probe {
  public:
    [[nodiscard]] bool readable(address at) const {
        char byte{};
        return (allowed(at) & loads) != 0 &&
               ::ReadProcessMemory(::GetCurrentProcess(), reinterpret_cast<const void*>(at), &byte,
                                   1, nullptr) != 0;
    }

    /// @brief Stores a zero where it can.
    [[nodiscard]] bool writable(address at) const {
        const char byte{};
        return (allowed(at) & stores) != 0 &&
               ::WriteProcessMemory(::GetCurrentProcess(), reinterpret_cast<void*>(at), &byte, 1,
                                    nullptr) != 0;
    }

  private:
    static constexpr DWORD stores = PAGE_READWRITE | PAGE_EXECUTE_READWRITE | PAGE_WRITECOPY;
    static constexpr DWORD loads = stores | PAGE_READONLY | PAGE_EXECUTE_READ;

    [[nodiscard]] static DWORD allowed(address at) {
        MEMORY_BASIC_INFORMATION there{};
        const bool is_there =
            ::VirtualQuery(reinterpret_cast<const void*>(at), &there, sizeof there) != 0 &&
            there.State == MEM_COMMIT;
        return is_there ? there.Protect : 0;
    }
};

#else

/// @brief Moves a byte through a pipe: the kernel answers EFAULT where a load or store would fault.
class page_probe {
  public:
    page_probe() { (void)!::pipe(ends_.data()); }
    ~page_probe() {
        ::close(ends_[0]);
        ::close(ends_[1]);
    }
    page_probe(const page_probe&) = delete;
    page_probe& operator=(const page_probe&) = delete;

    [[nodiscard]] bool readable(address at) const {
        char byte{};
        return ::write(ends_[1], reinterpret_cast<const void*>(at), 1) == 1 &&
               ::read(ends_[0], &byte, 1) == 1;
    }

    /// @brief Stores a zero where it can.
    [[nodiscard]] bool writable(address at) const {
        char byte{};
        if (::write(ends_[1], &byte, 1) != 1)
            return false;
        if (::read(ends_[0], reinterpret_cast<void*>(at), 1) == 1)
            return true;
        (void)!::read(ends_[0], &byte, 1);
        return false;
    }

  private:
    std::array<int, 2> ends_{-1, -1};
};

#endif

} // namespace palloc::test
