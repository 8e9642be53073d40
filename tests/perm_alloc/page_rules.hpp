// SPDX-License-Identifier: MIT
/// @file
/// @brief Rules about writable and executable memory that a process can put itself under, and a
/// look at whether they hold.
#pragma once

#include <palloc/core/range.hpp>

#if defined(_WIN32)
#include <cstdint>

#include "support/windows.hpp"
#else
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

namespace palloc::test {

#if defined(_WIN32)

/// @brief Reads the mappings of this process again and again without allocating.
class mapping_reader {
  public:
    /// @brief Whether some page is writable and executable.
    [[nodiscard]] bool any_writes_and_executes() {
        MEMORY_BASIC_INFORMATION there{};
        for (std::uintptr_t at = 0;
             ::VirtualQuery(reinterpret_cast<void*>(at), &there, sizeof there) != 0;
             at = reinterpret_cast<std::uintptr_t>(there.BaseAddress) + there.RegionSize)
            if (there.State == MEM_COMMIT && there.Type != MEM_IMAGE &&
                (there.Protect & (PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)) != 0)
                return true;
        return false;
    }
};

#else

/// @brief A line of /proc/self/maps.
struct mapping_line {
    range where;
    std::array<char, 4> may{}; ///< "rwxs"
    [[nodiscard]] bool writes() const { return may[1] == 'w'; }
    [[nodiscard]] bool executes() const { return may[2] == 'x'; }
};

/// @brief Reads the mappings of this process again and again without allocating.
class mapping_reader {
  public:
    /// @brief Calls `f(mapping_line, name)` for each.
    template <class F>
    void each(F&& f) {
        const int file = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
        std::size_t filled = 0;
        for (;;) {
            const ssize_t more = ::read(file, text_.data() + filled, text_.size() - 1 - filled);
            if (more <= 0)
                break;
            filled += static_cast<std::size_t>(more);
            std::size_t used = 0;
            const std::string_view all(text_.data(), filled);
            for (std::size_t end; (end = all.find('\n', used)) != all.npos; used = end + 1)
                line(all.substr(used, end - used), f);
            std::copy(text_.begin() + static_cast<std::ptrdiff_t>(used),
                      text_.begin() + static_cast<std::ptrdiff_t>(filled), text_.begin());
            filled -= used;
        }
        ::close(file);
    }
    /// @brief Whether some mapping is writable and executable.
    [[nodiscard]] bool any_writes_and_executes() {
        bool any = false;
        each([&](const mapping_line& it, std::string_view) {
            any = any || (it.writes() && it.executes());
        });
        return any;
    }

  private:
    template <class F>
    static void line(std::string_view text, F&& f) {
        char* rest = nullptr;
        const std::uint64_t base = std::strtoull(text.data(), &rest, 16);
        const std::uint64_t end = std::strtoull(rest + 1, &rest, 16);
        mapping_line it{{base, end - base}, {rest[1], rest[2], rest[3], rest[4]}};
        const std::size_t name =
            text.find_first_of("/[", static_cast<std::size_t>(rest - text.data()));
        f(it, name == text.npos ? std::string_view{} : text.substr(name));
    }

    std::vector<char> text_ = std::vector<char>(std::size_t{1} << 16);
};

/// @brief Installs a filter for system calls on this process, for good.
template <std::size_t N>
[[nodiscard]] bool filter_system_calls(const std::array<sock_filter, N>& program) {
    sock_fprog all{static_cast<unsigned short>(N), const_cast<sock_filter*>(program.data())};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all) == 0;
}

namespace rule {

constexpr sock_filter load(unsigned offset) {
    return BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset);
}
constexpr unsigned number = offsetof(seccomp_data, nr);
constexpr unsigned third_argument = offsetof(seccomp_data, args) + 2 * sizeof(std::uint64_t);
constexpr unsigned fourth_argument = offsetof(seccomp_data, args) + 3 * sizeof(std::uint64_t);

} // namespace rule

/// @brief From now on, asking for memory that is writable and executable kills the process.
[[nodiscard]] inline bool die_by_writable_code() {
    constexpr unsigned both = PROT_WRITE | PROT_EXEC;
    const std::array program{
        rule::load(rule::number),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 3, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 2, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pkey_mprotect, 1, 0),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        rule::load(rule::third_argument),
        sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, both),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, both, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    return filter_system_calls(program);
}

/// @brief What SELinux does to a domain without execmem: no anonymous memory is ever executable,
/// and none becomes so.
[[nodiscard]] inline bool deny_execmem() {
    const std::array program{
        rule::load(rule::number),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 3, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 6, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pkey_mprotect, 5, 0),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        rule::load(rule::fourth_argument), // of mmap: an anonymous one?
        sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, MAP_ANONYMOUS),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MAP_ANONYMOUS, 1, 0),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        rule::load(rule::third_argument),
        sock_filter BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_EXEC),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_EXEC, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 13 /* EACCES */),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    return filter_system_calls(program);
}

/// @brief From now on there are no files in memory.
[[nodiscard]] inline bool deny_memory_files() {
    const std::array program{
        rule::load(rule::number),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_memfd_create, 0, 1),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 38 /* ENOSYS */),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    return filter_system_calls(program);
}

/// @brief From now on the kernel makes nothing executable that was not so from birth.
[[nodiscard]] inline bool deny_write_then_execute() {
    constexpr int set_mdwe = 65; // PR_SET_MDWE, Linux 6.3
    return ::prctl(set_mdwe, 1, 0, 0, 0) == 0;
}

#endif

} // namespace palloc::test
