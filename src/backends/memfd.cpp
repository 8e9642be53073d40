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

#include "files.hpp"
#include "fork.hpp"
#include "os.hpp"
#include "pages.hpp"
#include "place.hpp"
#include "protection.hpp"

namespace palloc::inline v0 {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;

result<std::uint64_t> file_bytes(const map_request& wanted) noexcept {
    auto bytes = os::whole_pages(wanted);
    if (bytes && *bytes > std::uint64_t{std::numeric_limits<off_t>::max()})
        return fail(errc::too_large);
    return bytes;
}

/// @brief A file that nobody can execute by its name; kernels before 6.3 do not know how to say so.
result<int> make_file(const char* name) noexcept {
    constexpr unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    auto file = os::memory_file(name, flags | os::memory_file_noexec_seal);
    if (!file && file.error().os_code == EINVAL)
        file = os::memory_file(name, flags);
    return file;
}

/// @brief The same file, open for reading only: what is mapped from it is no obstacle to a seal.
result<int> open_reader(int file) noexcept {
    constexpr std::string_view folder = "/proc/self/fd/";
    std::array<char, folder.size() + 12> path{};
    char* const number = std::copy(folder.begin(), folder.end(), path.begin());
    std::to_chars(number, path.end() - 1, file);
    return os::open(path.data(), O_RDONLY);
}

result<void> move_over(os::scoped_view& view, range place) noexcept {
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
    const auto bytes = file_bytes(wanted);
    if (!bytes)
        return tl::unexpected(bytes.error());
    const auto generation = os::process_generation();
    if (!generation)
        return tl::unexpected(generation.error());
    const auto made = make_file(options_.name);
    if (!made)
        return tl::unexpected(made.error());
    os::scoped_file file(*made);
    if (const auto sized = os::set_size(file.get(), *bytes); !sized)
        return tl::unexpected(sized.error());
    const bool shared = child == fork_treatment::shared;
    const auto placed = os::map_placed(
        wanted,
        {.protection = shared ? read_write : PROT_NONE, .flags = MAP_SHARED, .file = file.get()});
    if (!placed)
        return tl::unexpected(placed.error());
    os::scoped_view view(*placed);
    if (!shared)
        if (const auto ours = os::give_access_here_only(view.get(), read_write); !ours)
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
    for (int* const file : {&it.file_, &it.reader_})
        if (*file >= 0)
            (void)os::close(std::exchange(*file, -1)); // of a file in memory: nothing can be lost
    return {};
}

result<void> memfd::protect(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    return os::protect(part, os::protection_of(allowed));
}

result<void> memfd::discard(region& it, range part) noexcept {
    if (!it.where_.contains(part))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_)
        return fail(errc::os_failure, EPERM);
    const range pages = os::pages_inside(part);
    if (pages.bytes == 0)
        return {};
    return os::reserve_file(it.file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                            pages.base - it.where_.base, pages.bytes);
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
    os::scoped_view view({*base, it.where_.bytes});
    if (const auto ours = os::give_access_here_only(view.get(), read_write); !ours)
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

/// @brief The kernel is told twice: what the file does not have yet it makes for less than what a
/// view lacks (a third of it, measured).
void memfd::populate(region& it, range part) noexcept {
    constexpr int populate_write = 23; // MADV_POPULATE_WRITE, 5.14
    if (it.alias_ == 0 || it.sealed_ || !os::are_pages_of(it.where_, part) ||
        !os::is_generation(it.generation_))
        return;
    const std::uint64_t offset = part.base - it.where_.base;
    if (os::reserve_file(it.file_, FALLOC_FL_KEEP_SIZE, offset, part.bytes))
        (void)os::advise({it.alias_ + offset, part.bytes}, populate_write);
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
    const auto placed =
        writable(allowed) ? place_writable(it, it.where_) : place_reading(it, it.where_, allowed);
    if (placed)
        it.view_ = allowed;
    return placed;
}

result<void> memfd::replace_view(region& it, range part, permissions allowed) noexcept {
    if (!os::are_pages_of(it.where_, part))
        return fail(errc::bad_argument);
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.sealed_)
        return protect(it, part, allowed);
    const auto placed =
        writable(allowed) ? place_writable(it, part) : place_reading(it, part, allowed);
    if (placed && writable(allowed)) // a child has some of it at most
        it.view_ = allowed;
    return placed;
}

result<void> memfd::forbid_other_writers(region& it) noexcept {
    constexpr int future_write = 0x10; // F_SEAL_FUTURE_WRITE, 5.1
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    auto done = os::add_seals(it.file_, future_write | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (!done && done.error().os_code == EINVAL)
        return fail(errc::not_supported, EINVAL);
    return done;
}

result<void> memfd::resize(region& it, std::uint64_t bytes, bool may_move) noexcept {
    if (!os::is_generation(it.generation_))
        return fail(errc::not_supported);
    if (it.alias_ != 0 || it.where_.bytes == 0)
        return fail(errc::bad_argument);
    const auto wanted = file_bytes({.bytes = bytes});
    if (!wanted)
        return tl::unexpected(wanted.error());
    if (it.sealed_)
        return fail(errc::os_failure, EPERM);
    const std::uint64_t before = it.where_.bytes;
    if (*wanted == before)
        return {};
    if (*wanted < before)
        return shorten(it, *wanted);
    if (const auto sized = os::set_size(it.file_, *wanted); !sized)
        return sized;
    const auto placed = os::remap(it.where_, *wanted, may_move ? MREMAP_MAYMOVE : 0);
    if (!placed) {
        (void)os::truncate(it.file_, before);
        return !may_move && placed.error().os_code == ENOMEM ? fail(errc::no_room)
                                                             : tl::unexpected(placed.error());
    }
    it.where_ = {*placed, *wanted};
    return {};
}

/// @brief The view first: it can be made longer again, which what the file loses cannot. Whether
/// the file may be shortened is asked before.
result<void> memfd::shorten(region& it, std::uint64_t bytes) noexcept {
    const auto seals = os::seals(it.file_);
    if (!seals)
        return tl::unexpected(seals.error());
    if ((*seals & F_SEAL_SHRINK) != 0)
        return fail(errc::os_failure, EPERM);
    const range before = it.where_;
    if (const auto placed = os::remap(before, bytes, 0); !placed)
        return tl::unexpected(placed.error());
    it.where_.bytes = bytes;
    auto cut = os::truncate(it.file_, bytes);
    if (!cut && os::remap(it.where_, before.bytes, 0))
        it.where_ = before;
    return cut;
}

/// @brief One call to the system puts the new view where the old one was: nothing to undo. Views of
/// parts come from one descriptor, because only then the kernel joins neighbours.
result<void> memfd::place_reading(region& it, range part, permissions allowed) noexcept {
    const bool had_reader = it.reader_ >= 0;
    if (!had_reader) {
        const auto reopened = open_reader(it.file_);
        if (!reopened)
            return tl::unexpected(reopened.error());
        it.reader_ = *reopened;
    }
    const bool absent = options_.in_child == fork_treatment::absent;
    const auto base = os::map(absent ? 0 : part.base, part.bytes, os::protection_of(allowed),
                              MAP_SHARED | (absent ? 0 : MAP_FIXED), it.reader_,
                              static_cast<off_t>(part.base - it.where_.base));
    if (part == it.where_ && !had_reader)
        (void)os::close(std::exchange(it.reader_, -1)); // it was only read: nothing is lost
    if (!base)
        return tl::unexpected(base.error());
    if (!absent)
        return {};
    os::scoped_view view({*base, part.bytes});
    return os::advise(view.get(), MADV_DONTFORK).and_then([&] { return move_over(view, part); });
}

/// @brief The new view is made ready elsewhere, so that no child has it, and moved over the old
/// one. The alias is such a view: it only has to be shown once more.
result<void> memfd::place_writable(const region& it, range part) noexcept {
    const std::uint64_t offset = part.base - it.where_.base;
    if (it.alias_ != 0)
        return os::remap({it.alias_ + offset, 0}, part.bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                         part.base)
            .map([](address) noexcept {});
    const bool shared = options_.in_child == fork_treatment::shared;
    const auto base = os::map(0, part.bytes, shared ? read_write : PROT_NONE, MAP_SHARED, it.file_,
                              static_cast<off_t>(offset));
    if (!base)
        return tl::unexpected(base.error());
    os::scoped_view view({*base, part.bytes});
    if (!shared)
        if (const auto ours = os::give_access_here_only(view.get(), read_write); !ours)
            return ours;
    return move_over(view, part);
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
