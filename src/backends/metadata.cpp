// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/node_binding.hpp>
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/metadata/mapped_metadata.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "seam.hpp"
#include "storage.hpp"

namespace palloc::inline v0 {
namespace {

constexpr std::size_t arena_bytes = std::size_t{64} << 10;
constexpr std::size_t largest_small_bytes = arena_bytes / 2;
static_assert(std::countr_zero(largest_small_bytes / storage_alignment) == 9);

/// @brief Where this fails the pages stay; nobody could do anything about it.
void unmap_pages(void* pages, std::uint64_t bytes) noexcept {
    (void)os::unmap_storage({address_of(pages), bytes});
}

std::uint64_t whole_pages(std::size_t bytes) noexcept {
    return align_up<std::uint64_t>(bytes, os::page_bytes());
}

constexpr std::size_t rounded(std::size_t bytes) noexcept {
    return std::bit_ceil(std::max(bytes, storage_alignment));
}

constexpr std::size_t class_of(std::size_t bytes) noexcept {
    return static_cast<std::size_t>(std::countr_zero(rounded(bytes) / storage_alignment));
}

} // namespace

/// @brief Zeroed pages that cost nothing until they are touched, one by one.
result<std::byte*> mapped_metadata::map_pages(std::uint64_t bytes) noexcept {
    return os::map_storage(bytes).map([&](address base) noexcept {
        const range where{base, bytes};
        os::keep_storage_sparse(where);
        if (node_ != any_node && !detail::bind_to_node(where, node_, false))
            unbound_mappings_.fetch_add(1, std::memory_order_relaxed);
        return reinterpret_cast<std::byte*>(base);
    });
}

mapped_metadata::~mapped_metadata() {
    while (arenas_ != nullptr)
        unmap_pages(std::exchange(arenas_, arenas_->next), arena_bytes);
}

result<std::byte*> mapped_metadata::take(std::size_t bytes) noexcept {
    if (bytes == 0)
        return fail(errc::zero_size);
    if (bytes > ~std::size_t{0} - os::page_bytes())
        return fail(errc::too_large);
    if (bytes > largest_small_bytes)
        return map_pages(whole_pages(bytes));
    const detail::locked_if<true> alone(busy_);
    free_block*& first = reusable_[class_of(bytes)];
    if (first == nullptr)
        return carve(rounded(bytes));
    free_block* const block = std::exchange(first, first->next);
    return static_cast<std::byte*>(std::memset(block, 0, bytes));
}

void mapped_metadata::give_back(std::byte* storage, std::size_t bytes) noexcept {
    if (bytes > largest_small_bytes)
        return unmap_pages(storage, whole_pages(bytes));
    const detail::locked_if<true> alone(busy_);
    free_block*& first = reusable_[class_of(bytes)];
    auto* const block = ::new (storage) free_block{first};
    std::atomic_signal_fence(std::memory_order_release); // a fork in between finds the list whole
    first = block;
}

result<std::byte*> mapped_metadata::carve(std::size_t bytes) noexcept {
    if (arenas_ == nullptr || bytes > arena_bytes - arenas_->used_bytes) {
        const auto pages = map_pages(arena_bytes);
        if (!pages)
            return pages;
        auto* const fresh = ::new (*pages) arena{arenas_, storage_alignment};
        std::atomic_signal_fence(std::memory_order_release);
        arenas_ = fresh;
    }
    std::byte* const storage = reinterpret_cast<std::byte*>(arenas_) + arenas_->used_bytes;
    arenas_->used_bytes += bytes;
    return storage;
}

mapped_metadata& default_metadata() noexcept {
    union immortal { // pools in static storage may end after every destructor has run
        mapped_metadata provider;
        constexpr immortal() noexcept : provider() {}
        ~immortal() {}
    };
    static constinit immortal shared;
    return shared.provider;
}

mapped_metadata& default_metadata(numa_node node) noexcept {
    static constinit std::array<std::atomic<mapped_metadata*>, numa_node::limit> of_nodes{};
    mapped_metadata& common = default_metadata();
    if (!numa_node::make(node.number))
        return common;
    std::atomic<mapped_metadata*>& place = of_nodes[static_cast<std::size_t>(node.number)];
    if (mapped_metadata* const there = place.load(std::memory_order_acquire); there != nullptr)
        return *there;
    const auto storage = common.take(sizeof(mapped_metadata));
    if (!storage)
        return common;
    auto* const fresh = ::new (*storage) mapped_metadata(node);
    mapped_metadata* there = nullptr;
    if (place.compare_exchange_strong(there, fresh, std::memory_order_acq_rel))
        return *fresh;
    fresh->~mapped_metadata();
    common.give_back(*storage, sizeof(mapped_metadata));
    return *there;
}

metadata_ref standard_metadata() noexcept {
    return default_metadata();
}

metadata_ref standard_metadata(numa_node node) noexcept {
    return default_metadata(node);
}

} // namespace palloc::inline v0
