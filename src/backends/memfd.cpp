// SPDX-License-Identifier: MIT
#include <palloc/backings/memfd.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fcntl.h>
#include <limits>
#include <string_view>
#include <utility>

#include <sys/mman.h>
#include <sys/resource.h>

#include "fork.hpp"
#include "os.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;

/// @brief A descriptor that is closed at the end of a scope, unless it is released.
class scoped_file {
  public:
    explicit scoped_file(int file) noexcept : file_(file) {}
    ~scoped_file() {
        if (file_ >= 0)
            (void)os::close(file_); // of a file in memory: nothing can be lost
    }
    scoped_file(const scoped_file&) = delete;
    scoped_file& operator=(const scoped_file&) = delete;

    [[nodiscard]] int get() const noexcept { return file_; }
    int release() noexcept { return std::exchange(file_, -1); }

  private:
    int file_;
};

/// @brief A mapping that is unmapped at the end of a scope, unless it is released.
class scoped_view {
  public:
    explicit scoped_view(range where) noexcept : where_(where) {}
    ~scoped_view() {
        if (where_.bytes != 0)
            (void)os::unmap(where_);
    }
    scoped_view(const scoped_view&) = delete;
    scoped_view& operator=(const scoped_view&) = delete;

    [[nodiscard]] range get() const noexcept { return where_; }
    range release() noexcept { return std::exchange(where_, {}); }

  private:
    range where_;
};

/// @brief A file that nobody can execute by its name; kernels before 6.3 do not know how to say so.
result<int> make_file(const char* name) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    auto file = os::memory_file(name, flags | os::memory_file_noexec_seal);
    if (!file && file.error().os_code == EINVAL)
        file = os::memory_file(name, flags);
    return file;
}

/// @brief Asks before the kernel would kill.
result<void> set_size(int file, std::uint64_t bytes) noexcept {
    const auto largest = os::limit(RLIMIT_FSIZE);
    if (!largest)
        return tl::unexpected(largest.error());
    if (bytes > largest->rlim_cur)
        return fail(errc::os_failure, EFBIG);
    return os::truncate(file, bytes);
}

/// @brief The same file, open for reading only: what is mapped from it is no obstacle to a seal.
result<int> open_reader(int file) noexcept {
    constexpr std::string_view folder = "/proc/self/fd/";
    std::array<char, folder.size() + 12> path{};
    char* const number = std::copy(folder.begin(), folder.end(), path.begin());
    std::to_chars(number, path.end() - 1, file);
    return os::open(path.data(), O_RDONLY);
}

/// @brief Sees to it that no child has a view, before the view can be written.
result<void> make_writable_here_only(range view) noexcept {
    return os::advise(view, MADV_DONTFORK).and_then([&] { return os::protect(view, read_write); });
}

result<void> move_over(scoped_view& view, range place) noexcept {
    return os::remap(view.get(), place.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, place.base)
        .map([&](address) noexcept { view.release(); });
}

} // namespace

std::size_t memfd::page_bytes() const noexcept {
    return os::page_bytes();
}

result<memfd::region> memfd::map(const map_request& wanted) noexcept {
    const fork_treatment child = options_.in_child;
    if (wanted.node != any_node || child == fork_treatment::copied ||
        child == fork_treatment::wiped)
        return fail(errc::not_supported);
    const auto bytes = os::whole_pages(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    if (*bytes > std::uint64_t{std::numeric_limits<off_t>::max()})
        return fail(errc::too_large);
    const auto generation = os::process_generation();
    if (!generation)
        return tl::unexpected(generation.error());
    const auto made = make_file(options_.name);
    if (!made)
        return tl::unexpected(made.error());
    scoped_file file(*made);
    if (const auto sized = set_size(file.get(), *bytes); !sized)
        return tl::unexpected(sized.error());
    const bool shared = child == fork_treatment::shared;
    const auto placed = os::map_placed(
        wanted,
        {.protection = shared ? read_write : PROT_NONE, .flags = MAP_SHARED, .file = file.get()});
    if (!placed)
        return tl::unexpected(placed.error());
    scoped_view view(*placed);
    if (!shared)
        if (const auto ours = make_writable_here_only(view.get()); !ours)
            return tl::unexpected(ours.error());
    return region(view.release(), file.release(), *generation);
}

result<void> memfd::unmap(region& it) noexcept {
    const bool ours = os::is_generation(it.generation_);
    if (!ours)
        it.alias_ = 0;
    if (it.alias_ != 0) {
        if (const auto gone = os::unmap({it.alias_, it.where_.bytes}); !gone)
            return gone;
        it.alias_ = 0;
    }
    const bool is_here = ours || options_.in_child == fork_treatment::shared ||
                         (options_.in_child == fork_treatment::read_only && !writable(it.view_));
    if (is_here && it.where_.bytes != 0)
        if (const auto gone = os::unmap(it.where_); !gone)
            return gone;
    it.where_ = {};
    if (it.file_ >= 0)
        (void)os::close(std::exchange(it.file_, -1)); // of a file in memory: nothing can be lost
    return {};
}

result<void> memfd::protect(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::protect(part, os::protection_of(allowed));
}

result<address> memfd::open_alias(region& it) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.alias_ != 0)
        return fail(errc::bad_argument);
    if (it.sealed_)
        return fail(errc::os_failure, EPERM);
    const auto base = os::map(0, it.where_.bytes, PROT_NONE, MAP_SHARED, it.file_);
    if (!base)
        return base;
    scoped_view view({*base, it.where_.bytes});
    if (const auto ours = make_writable_here_only(view.get()); !ours)
        return tl::unexpected(ours.error());
    return it.alias_ = view.release().base;
}

result<void> memfd::close_alias(region& it) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.alias_ == 0)
        return fail(errc::bad_argument);
    auto gone = os::unmap({it.alias_, it.where_.bytes});
    if (gone)
        it.alias_ = 0;
    return gone;
}

result<void> memfd::replace_view(region& it, permissions allowed) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_) {
        if (writable(allowed))
            return fail(errc::os_failure, EPERM);
        return os::protect(it.where_, os::protection_of(allowed)).map([&]() noexcept {
            it.view_ = allowed;
        });
    }
    const auto placed = writable(allowed) ? place_writable(it) : place_reading(it, allowed);
    if (placed)
        it.view_ = allowed;
    return placed;
}

/// @brief One call to the system puts the new view where the old one was: nothing to undo.
result<void> memfd::place_reading(const region& it, permissions allowed) noexcept {
    const auto reopened = open_reader(it.file_);
    if (!reopened)
        return tl::unexpected(reopened.error());
    const scoped_file reader(*reopened);
    const bool absent = options_.in_child == fork_treatment::absent;
    const range where = it.where_;
    const auto base = os::map(absent ? 0 : where.base, where.bytes, os::protection_of(allowed),
                              MAP_SHARED | (absent ? 0 : MAP_FIXED), reader.get());
    if (!base)
        return tl::unexpected(base.error());
    if (!absent)
        return {};
    scoped_view view({*base, where.bytes});
    return os::advise(view.get(), MADV_DONTFORK).and_then([&] { return move_over(view, where); });
}

/// @brief The new view is made ready elsewhere, so that no child has it, and moved over the old
/// one.
result<void> memfd::place_writable(const region& it) noexcept {
    const bool shared = options_.in_child == fork_treatment::shared;
    const auto base =
        os::map(0, it.where_.bytes, shared ? read_write : PROT_NONE, MAP_SHARED, it.file_);
    if (!base)
        return tl::unexpected(base.error());
    scoped_view view({*base, it.where_.bytes});
    if (!shared)
        if (const auto ours = make_writable_here_only(view.get()); !ours)
            return ours;
    return move_over(view, it.where_);
}

result<void> memfd::seal(region& it) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_)
        return {};
    const auto sealed =
        os::add_seals(it.file_, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (!sealed)
        return sealed;
    it.sealed_ = true;
    (void)os::close(std::exchange(it.file_, -1));
    return {};
}

} // namespace palloc::inline v0
