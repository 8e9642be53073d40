// SPDX-License-Identifier: MIT
#include <palloc/backings/secret.hpp>

#include <array>
#include <cerrno>
#include <charconv>
#include <limits>
#include <string_view>

#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "files.hpp"
#include "fork.hpp"
#include "os.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
namespace {

/// @brief The number behind a label in /proc/self/status.
std::uint64_t number_after(std::string_view text, std::string_view label, int radix) noexcept {
    std::uint64_t value = 0;
    if (const std::size_t at = text.find(label); at != text.npos) {
        text.remove_prefix(at + label.size());
        text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
        std::from_chars(text.data(), text.data() + text.size(), value, radix);
    }
    return value;
}

/// @brief Whether this process lives in the first user namespace: what it may do in another one is
/// nothing to the limit on locked memory.
result<bool> is_in_first_namespace() noexcept {
    constexpr ino_t first = 0xEFFFFFFD; // PROC_USER_INIT_INO
    const auto file = os::open("/proc/self/ns/user");
    if (!file) // a kernel without such namespaces
        return file.error().os_code == ENOENT ? result<bool>(true) : tl::unexpected(file.error());
    const auto status = os::status(*file);
    (void)os::close(*file);
    return status.map([](const struct stat& seen) noexcept { return seen.st_ino == first; });
}

} // namespace

std::size_t secret::page_bytes() const noexcept {
    return os::page_bytes();
}

result<std::uint64_t> secret::lockable_bytes() const noexcept {
    const auto limit = os::limit(RLIMIT_MEMLOCK);
    if (!limit)
        return tl::unexpected(limit.error());
    const auto file = os::open("/proc/self/status");
    if (!file)
        return tl::unexpected(file.error());
    std::array<char, 4096> text{};
    const auto filled = os::read(*file, text);
    (void)os::close(*file);
    if (!filled)
        return tl::unexpected(filled.error());
    const std::string_view status(text.data(), *filled);
    bool is_unlimited = limit->rlim_cur == RLIM_INFINITY;
    if (!is_unlimited && (number_after(status, "\nCapEff:", 16) >> CAP_IPC_LOCK & 1) != 0) {
        const auto counts = is_in_first_namespace();
        if (!counts)
            return tl::unexpected(counts.error());
        is_unlimited = *counts;
    }
    if (is_unlimited)
        return ~std::uint64_t{0};
    const std::uint64_t locked = number_after(status, "\nVmLck:", 10) * 1024;
    return limit->rlim_cur > locked ? limit->rlim_cur - locked : 0;
}

result<secret::region> secret::map(const map_request& wanted) noexcept {
    const bool absent = options_.in_child == fork_treatment::absent;
    if (wanted.node != any_node || (!absent && options_.in_child != fork_treatment::shared))
        return fail(errc::not_supported);
    const auto bytes = os::whole_pages(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    if (*bytes > std::uint64_t{std::numeric_limits<off_t>::max()})
        return fail(errc::too_large);
    std::uint64_t generation = 0;
    if (absent) {
        const auto number = os::process_generation();
        if (!number)
            return tl::unexpected(number.error());
        generation = *number;
    }
    const auto made = os::secret_file();
    if (!made)
        return tl::unexpected(made.error().os_code == ENOSYS ? error{errc::not_supported, ENOSYS}
                                                             : made.error());
    const os::scoped_file file(*made);
    if (const auto sized = os::set_size(file.get(), *bytes); !sized)
        return tl::unexpected(sized.error());
    constexpr int read_write = PROT_READ | PROT_WRITE;
    const auto where = os::map_placed(
        wanted,
        {.protection = absent ? PROT_NONE : read_write, .flags = MAP_SHARED, .file = file.get()});
    if (!where)
        return tl::unexpected(where.error().os_code == EAGAIN ? error{errc::over_limit, EAGAIN}
                                                              : where.error());
    os::scoped_view view(*where);
    if (absent)
        if (const auto ours = os::give_access_here_only(view.get(), read_write); !ours)
            return tl::unexpected(ours.error());
    return region(view.release(), generation);
}

result<void> secret::unmap(region& it) noexcept {
    if (it.generation_ == 0 || os::is_generation(it.generation_))
        if (const auto gone = os::unmap(it.where_); !gone)
            return gone;
    it.where_ = {};
    return {};
}

result<void> secret::protect(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part))
        return fail(errc::bad_argument);
    if (executable(allowed) || (it.generation_ != 0 && !os::is_generation(it.generation_)))
        return fail(errc::not_supported);
    return os::protect(part, os::protection_of(allowed));
}

} // namespace palloc::inline v0
