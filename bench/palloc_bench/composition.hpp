// SPDX-License-Identifier: MIT
/// @file
/// @brief What the harness must know of an allocator to measure it.
#pragma once

#include <palloc/bridges/memory_resource.hpp>
#include <palloc/pool_options.hpp>

#include <atomic>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <string_view>

namespace palloc::bench {

/// @brief What a trace will ask, for compositions that must be told their size beforehand.
struct demand {
    std::uint64_t peak_live_bytes = 0;
    std::uint64_t largest_bytes = 0;
    std::size_t threads = 1;
    std::uint64_t limit_bytes =
        0; ///< not 0: all there is, in one fixed range where that is possible
};

/// @brief Why a request was refused.
enum class refusal : std::uint8_t {
    full,       ///< less was free than was asked for
    fragmented, ///< enough was free, but nowhere in one piece
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

    /// @brief Why such a request fails now, where the allocator can tell.
    [[nodiscard]] virtual std::optional<refusal> why_refused(std::size_t /*bytes*/,
                                                             std::size_t /*alignment*/) const {
        return std::nullopt;
    }
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

/// @brief `new` and `delete`, as long as no more is asked for than there is.
class limited_resource final : public std::pmr::memory_resource {
  public:
    explicit limited_resource(std::uint64_t limit_bytes) : left_(limit_bytes) {}

  private:
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        std::uint64_t left = left_.load(std::memory_order_relaxed);
        do {
            if (left < bytes)
                throw std::bad_alloc();
        } while (!left_.compare_exchange_weak(left, left - bytes, std::memory_order_relaxed));
        return std::pmr::new_delete_resource()->allocate(bytes, alignment);
    }
    void do_deallocate(void* block, std::size_t bytes, std::size_t alignment) override {
        std::pmr::new_delete_resource()->deallocate(block, bytes, alignment);
        left_.fetch_add(bytes, std::memory_order_relaxed);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override {
        return this == &other;
    }

    std::atomic<std::uint64_t> left_;
};

/// @brief A memory resource of the standard library; with a limit, over an upstream that has one.
template <std::derived_from<std::pmr::memory_resource> Resource>
class resource_contender final : public contender {
  public:
    explicit resource_contender(const demand& wanted)
        : limited_(wanted.limit_bytes),
          resource_(wanted.limit_bytes == 0 ? std::pmr::new_delete_resource()
                                            : static_cast<std::pmr::memory_resource*>(&limited_)) {}
    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override { return resource_; }

  private:
    limited_resource limited_;
    Resource resource_;
};

/// @brief The one that the process has already: `new` and `delete`. A limit counts what is asked
///   for; what malloc adds is not seen.
class new_delete_contender final : public contender {
  public:
    explicit new_delete_contender(const demand& wanted)
        : limited_(wanted.limit_bytes), is_limited_(wanted.limit_bytes != 0) {}
    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override {
        return is_limited_ ? static_cast<std::pmr::memory_resource&>(limited_)
                           : *std::pmr::new_delete_resource();
    }

  private:
    limited_resource limited_;
    bool is_limited_;
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

/// @brief A pool that maps what it needs, or has one chunk of the limit. What the replay leaves
/// live
///   is dropped with it.
template <class Pool, class Growth = grows_geometrically>
class pool_contender final : public contender {
  public:
    explicit pool_contender(const demand& wanted) : pool_(options_for(wanted)) {}

    [[nodiscard]] std::pmr::memory_resource& resource() noexcept override { return resource_; }

    [[nodiscard]] std::optional<double> fragmentation() const override {
        if constexpr (requires { pool_.fragmentation(); })
            return pool_.fragmentation();
        else
            return std::nullopt;
    }

    [[nodiscard]] std::optional<refusal>
    why_refused([[maybe_unused]] std::size_t bytes,
                [[maybe_unused]] std::size_t alignment) const override {
        if constexpr (requires { pool_.explain({.bytes = bytes, .alignment = alignment}); }) {
            const explanation why = pool_.explain({.bytes = bytes, .alignment = alignment});
            return why.free_bytes < why.needed_bytes ? refusal::full : refusal::fragmented;
        } else
            return std::nullopt;
    }

  private:
    static pool_options options_for(const demand& wanted) {
        if (wanted.limit_bytes == 0)
            return Growth::options();
        return {.growth = growth_policy::refill(wanted.limit_bytes),
                .cap_bytes = wanted.limit_bytes};
    }

    Pool pool_;
    pool_resource<Pool> resource_{pool_};
};

template <std::derived_from<contender> Contender>
[[nodiscard]] std::unique_ptr<contender> make_contender(const demand& wanted) {
    return std::make_unique<Contender>(wanted);
}

} // namespace palloc::bench
