// SPDX-License-Identifier: MIT
/// @file
/// @brief A pool together with all that it stands on.
#pragma once

#include <palloc/concepts/pool.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <utility>
#include <vector>

#include "misuse_log.hpp"
#include "models/algorithms.hpp"
#include "models/backings.hpp"
#include "models/granularities.hpp"
#include "models/observers.hpp"
#include "models/protections.hpp"

namespace palloc::test {

template <class Granule, class Backing, class Bitmap, class Algorithm,
          class Protection = unprotected, class... Observers>
class pool_rig {
  public:
    using pool_type = palloc::pool<Granule, Backing, Bitmap, Algorithm, Protection, Observers...>;
    using granule_type = Granule;
    using backing_type = Backing;
    using bitmap_type = Bitmap;
    using algorithm_type = Algorithm;
    using protection_type = Protection;
    using attributes = typename Protection::attributes;

    /// @param options  but that mistakes go to `mistakes`.
    explicit pool_rig(pool_options options = {})
        : pool_(std::make_unique<pool_type>(
              (options.on_misuse = mistakes.policy(), options), make_granularity<Granule>(),
              std::move(beneath.backing), make_algorithm<Algorithm>(),
              make_protection<Protection>(), make_observer<Observers>()...)) {}
    pool_rig(const pool_rig&) = delete;
    pool_rig& operator=(const pool_rig&) = delete;

    /// @brief Destroys the pool, so that what it leaves behind can be looked at.
    void end_pool() { pool_.reset(); }

    /// @brief Gives the pool a chunk of at least so many bytes, in the way that its backing has.
    result<range> add_chunk(std::uint64_t bytes, const attributes& wished = {}) {
        if constexpr (backing_can_map<Backing>) {
            return pool.grow(bytes, wished);
        } else {
            address base = next_number_;
            if constexpr (memory_may_be_touched<Backing>) {
                memory_.emplace_back(
                    static_cast<std::byte*>(::operator new(static_cast<std::size_t>(bytes), page)));
                base = address_of(memory_.back().get());
            }
            next_number_ += bytes + 0x1040; // aligned to a granule only
            return pool.add({.where = {base, bytes}}, wished);
        }
    }

    /// @brief Calls `f` with the statistics, if the pool keeps any.
    template <class F>
    void with_statistics(F&& f) {
        [[maybe_unused]] const auto offer = [&](auto& observer) {
            if constexpr (requires { observer.live_bytes(); })
                f(observer);
        };
        (offer(pool.template observer<Observers>()), ...);
    }

    misuse_log mistakes;
    rig<Backing> beneath{};

  private:
    static constexpr std::align_val_t page{4096};
    struct give_back {
        void operator()(std::byte* memory) const { ::operator delete(memory, page); }
    };

    std::vector<std::unique_ptr<std::byte, give_back>> memory_;
    address next_number_ = 0x10040;
    std::unique_ptr<pool_type> pool_;

  public:
    pool_type& pool = *pool_;
};

} // namespace palloc::test
