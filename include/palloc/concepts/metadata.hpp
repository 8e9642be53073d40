// SPDX-License-Identifier: MIT
/// @file
/// @brief Concept: where a pool keeps its own books, always outside the managed memory.
///
/// | expression              | type                 | meaning                                |
/// |-------------------------|----------------------|----------------------------------------|
/// | `s.take(bytes)`         | `result<std::byte*>` | storage aligned to `storage_alignment` |
/// | `s.give_back(p, bytes)` |                      | the same storage, the same size        |
///
/// Storage is zeroed, or (a segment that is attached to) as another view left it. A provider that
/// repeats the same answers for the same sequence of calls can be attached to from a second
/// process. Untouched storage should cost nothing: a pool may take gigabytes and touch a page.
/// Asked only when chunks come and go, never on the path of a request; so it is passed by reference
/// and not by type. The provider must outlive the pool. What a pool or composition that threads
/// share takes from must itself bear calls of several threads at once, as `mapped_metadata` does.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/numa_node.hpp>

#include <concepts>
#include <cstddef>

namespace palloc::inline v0 {

template <class S>
concept metadata_provider = requires(S& s, std::byte* storage, std::size_t bytes) {
    { s.take(bytes) } noexcept -> std::same_as<result<std::byte*>>;
    { s.give_back(storage, bytes) } noexcept -> std::same_as<void>;
};

/// @brief A reference to any metadata provider: two pointers.
class metadata_ref {
  public:
    template <metadata_provider Provider>
        requires(!std::same_as<Provider, metadata_ref>) // a copy refers to what the original does
    // NOLINTNEXTLINE(google-explicit-constructor): a reference should bind as one
    metadata_ref(Provider& provider) noexcept
        : self_(&provider), take_([](void* self, std::size_t bytes) noexcept {
              return static_cast<Provider*>(self)->take(bytes);
          }),
          give_back_([](void* self, std::byte* storage, std::size_t bytes) noexcept {
              static_cast<Provider*>(self)->give_back(storage, bytes);
          }) {}

    [[nodiscard]] result<std::byte*> take(std::size_t bytes) const noexcept {
        return take_(self_, bytes);
    }
    void give_back(std::byte* storage, std::size_t bytes) const noexcept {
        give_back_(self_, storage, bytes);
    }

  private:
    void* self_;
    result<std::byte*> (*take_)(void*, std::size_t) noexcept;
    void (*give_back_)(void*, std::byte*, std::size_t) noexcept;
};

/// @brief The provider of pools that name none: lazily zeroed pages of the operating system.
[[nodiscard]] metadata_ref standard_metadata() noexcept;

/// @brief The same with the memory of a node, where the system lets this process choose; of
/// `any_node`, or where there is no memory for such a provider, that of pools that name none.
[[nodiscard]] metadata_ref standard_metadata(numa_node node) noexcept;

} // namespace palloc::inline v0
