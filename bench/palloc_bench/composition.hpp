// SPDX-License-Identifier: MIT
/// @file
/// @brief What the harness must know of an allocator to measure it.
#pragma once

#include <palloc/bridges/memory_resource.hpp>
#include <palloc/pool_options.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string_view>

namespace palloc::bench {

/// @brief What a trace will ask, for compositions that must be told their size beforehand.
struct demand {
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t largest_bytes = 0;
    std::size_t threads = 1;
};

/// @brief An allocator made for one replay.
class contender {
  public:
    contender() = default;
    contender(const contender&) = delete;
    contender& operator=(const contender&) = delete;
    virtual ~contender() = default;

    [[nodiscard]] virtual std::pmr::memory_resource& resource() noexcept = 0;

    /// @brief 1 - largest free run / all that is free, where the allocator can tell.
    [[nodiscard]] virtual std::optional<double> fragmentation() const { return std::nullopt; }
};

enum class standing : std::uint8_t {
    baseline, ///< of the standard library; what the others are held to
    pool,     ///< one composition of policies
    preset,   ///< recommended for general use
};

struct composition {
    std::string_view name;
    std::string_view cpp; ///< its type, as a user would write it
    std::unique_ptr<contender> (*make)(const demand&);
    standing role = standing::pool;
    bool is_concurrent = false; ///< may be used by several threads at once
};

/// @brief A memory resource of the standard library, by default as it comes.
template <std::derived_from<std::pmr::memory_resource> Resource>
class resource_contender final : public contender {
  public:
    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override { return resource_; }

  private:
    Resource resource_;
};

/// @brief The one that the process has already: `new` and `delete`.
class new_delete_contender final : public contender {
  public:
    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override {
        return *std::pmr::new_delete_resource();
    }
};

/// @brief Chunks of 1 MiB, 2 MiB, ... 64 MiB. Pages come when they are touched, so large chunks
/// cost
///   no memory.
struct grows_geometrically {
    static pool_options options() {
        return {.growth = growth_policy::geometric(1 << 20, 64 << 20)};
    }
};
/// @brief Whatever the composition does by default.
struct as_it_comes {
    static pool_options options() { return {}; }
};

/// @brief A pool that maps what it needs. What the replay leaves live is dropped with it.
template <class Pool, class Growth = grows_geometrically>
class pool_contender final : public contender {
  public:
    pool_contender() : pool_(Growth::options()) {}

    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override { return resource_; }

    [[nodiscard]] std::optional<double> fragmentation() const override {
        if constexpr (requires { pool_.fragmentation(); })
            return pool_.fragmentation();
        else
            return std::nullopt;
    }

  private:
    Pool pool_;
    pool_resource<Pool> resource_{pool_};
};

template <std::derived_from<contender> Contender>
[[nodiscard]] std::unique_ptr<contender> make_contender(const demand& wanted) {
    if constexpr (std::constructible_from<Contender, const demand&>)
        return std::make_unique<Contender>(wanted);
    else
        return std::make_unique<Contender>();
}

} // namespace palloc::bench
