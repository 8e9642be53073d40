// SPDX-License-Identifier: MIT
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/metadata/guarded_metadata.hpp>

#include <algorithm>
#include <cstring>
#include <new>

#include "seam.hpp"
#include "storage.hpp"

namespace palloc::inline v0 {
namespace {

constexpr std::size_t arena_bytes = std::size_t{64} << 10;
constexpr std::size_t header_bytes = storage_alignment;

range pages_of(const void* at, std::size_t bytes) noexcept {
    return {address_of(at), bytes};
}

} // namespace

guarded_metadata::~guarded_metadata() {
    for (arena* each = std::exchange(newest_, nullptr); each != nullptr;) {
        arena* const older = each->older;
        const range pages = pages_of(each, each->bytes);
        if (!os::unmap_storage(pages)) // nobody will ask again
            (void)os::unmap_storage(pages);
        each = older;
    }
}

result<std::byte*> guarded_metadata::take(std::size_t bytes) noexcept {
    if (bytes == 0)
        return fail(errc::zero_size);
    const auto rounded = checked_align_up(bytes, storage_alignment);
    const auto needed = rounded ? checked_add(*rounded, header_bytes + os::page_bytes() - 1)
                                : std::optional<std::size_t>();
    if (!rounded || !needed)
        return fail(errc::too_large);
    if (newest_ == nullptr || *rounded > newest_->bytes - newest_->used_bytes) {
        const std::size_t mapped = std::max(arena_bytes, align_down(*needed, os::page_bytes()));
        const auto base = os::map_storage(mapped);
        if (!base)
            return tl::unexpected(base.error());
        newest_ = ::new (reinterpret_cast<void*>(*base)) arena{newest_, mapped, header_bytes};
    }
    std::byte* const taken = reinterpret_cast<std::byte*>(newest_) + newest_->used_bytes;
    newest_->used_bytes += *rounded;
    return taken;
}

void guarded_metadata::give_back(std::byte* storage, std::size_t bytes) noexcept {
    const std::size_t rounded = align_up(bytes, storage_alignment);
    std::byte* const end = reinterpret_cast<std::byte*>(newest_) + newest_->used_bytes;
    if (storage + rounded != end)
        return;
    std::memset(storage, 0, bytes);
    newest_->used_bytes -= rounded;
    if (newest_->used_bytes == header_bytes && newest_->older != nullptr) {
        arena* const emptied = std::exchange(newest_, newest_->older);
        (void)os::unmap_storage(pages_of(emptied, emptied->bytes)); // else it stays, unused
    }
}

result<void> guarded_metadata::close() noexcept {
    return allow(permissions::read);
}

result<void> guarded_metadata::open() noexcept {
    return allow(permissions::read_write);
}

result<void> guarded_metadata::allow(permissions allowed) noexcept {
    for (const arena* each = newest_; each != nullptr; each = each->older)
        if (auto done = os::protect_storage(pages_of(each, each->bytes), allowed); !done)
            return done;
    return {};
}

bool guarded_metadata::contains(address place) const noexcept {
    for (const arena* each = newest_; each != nullptr; each = each->older)
        if (pages_of(each, each->bytes).contains(place))
            return true;
    return false;
}

std::uint64_t guarded_metadata::mapped_bytes() const noexcept {
    std::uint64_t total = 0;
    for (const arena* each = newest_; each != nullptr; each = each->older)
        total += each->bytes;
    return total;
}

} // namespace palloc::inline v0
