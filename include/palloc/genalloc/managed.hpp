// SPDX-License-Identifier: MIT
/// @file
/// @brief A genalloc pool that a handle owns and a registry lists.
///
/// When to choose it: a pool that belongs to somebody (a device, a driver) and that others find by
/// its owner and name. Keep the handle where it ends with the owner. Costs: one piece of storage
/// from the pool's metadata provider.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/genalloc/options.hpp>
#include <palloc/registry.hpp>

#include <algorithm>
#include <cstddef>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace palloc::inline v0 {

/// @brief Owns a pool; moved like a `std::unique_ptr`.
template <class Genalloc>
class managed_pool {
  public:
    /// @brief A listed pool.
    /// @param owner  whose pool it is
    /// @param name   copied; none: the owner's pool without a name. `options.name` is not looked
    /// at.
    /// @param in     where it is listed; outlives the handle
    /// @par Errors  `bad_argument`: the owner has a pool of that name; those of the metadata
    /// provider
    [[nodiscard]] static result<managed_pool>
    create(const void* owner, std::optional<std::string_view> name, genalloc_options options,
           registry<Genalloc>& in = process_registry<Genalloc>) noexcept {
        const std::size_t bytes = sizeof(record) + name.value_or("").size();
        options.metadata = options.books(); // which the pool is to give the record back to
        const auto storage = options.metadata->take(bytes);
        if (!storage)
            return tl::unexpected(storage.error());
        if (name) {
            char* const copy = reinterpret_cast<char*>(*storage + sizeof(record));
            std::copy(name->begin(), name->end(), copy);
            name = std::string_view(copy, name->size());
        }
        options.name = name.value_or("");
        managed_pool made(::new (*storage) record(owner, name, options, bytes));
        if (const auto listed = in.add(made.record_->entry); !listed)
            return tl::unexpected(listed.error());
        return made;
    }

    managed_pool(managed_pool&& other) noexcept : record_(std::exchange(other.record_, nullptr)) {}
    managed_pool& operator=(managed_pool&& other) noexcept {
        managed_pool taken(std::move(other));
        std::swap(record_, taken.record_);
        return *this;
    }
    /// @brief Unlists and destroys the pool; nobody may use it any more. Blocks that are still live
    /// are misuse: `outstanding`.
    ~managed_pool() {
        if (record_ == nullptr)
            return;
        const metadata_ref metadata = record_->pool.as_pool().options().metadata;
        const std::size_t bytes = record_->bytes;
        record_->~record();
        metadata.give_back(reinterpret_cast<std::byte*>(record_), bytes);
    }

    [[nodiscard]] Genalloc& operator*() const noexcept { return record_->pool; }
    [[nodiscard]] Genalloc* operator->() const noexcept { return &record_->pool; }

  private:
    /// The characters of the name lie behind it.
    struct record {
        record(const void* owner, std::optional<std::string_view> name,
               const genalloc_options& options, std::size_t bytes_of_all) noexcept
            : pool(options), entry(pool, owner, name), bytes(bytes_of_all) {}

        Genalloc pool;
        typename registry<Genalloc>::listing entry; // unlisted before the pool ends
        std::size_t bytes;
    };
    static_assert(alignof(record) <= storage_alignment);

    explicit managed_pool(record* owned) noexcept : record_(owned) {}

    record* record_;
};

using managed_genalloc = managed_pool<genalloc>;

} // namespace palloc::inline v0
