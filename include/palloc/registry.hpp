// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools found by owner and name, or by an address that they own.
///
/// A registry lists pools and owns none. An owner is any address that stands for somebody: a
/// device, a module, an object. Each owner has at most one pool of a name, and at most one without.
/// Costs: six pointers for each listing; finding is a walk under a lock of one byte.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/spin_lock.hpp>

#include <concepts>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>

namespace palloc::inline v0 {

/// @brief What a description of hardware says of a place where a pool may be: a node, which may be
/// a device with a pool of its own, or part of one that has several.
struct described_node {
    const void* device = nullptr; ///< the owner of the node's own pool; null if it is no device
    const void* parent = nullptr; ///< the owner of the pools among which `label`, or `name`, is one
    std::optional<std::string_view> label = {};
    std::string_view name = {};
};

/// @brief A list of pools. Any thread may call; a signal handler that interrupts a call may not.
template <class Pool>
class registry {
  public:
    /// @brief Lists a pool for as long as it lives.
    class listing {
      public:
        /// @param owner  whose pool it is
        /// @param name   not copied; none: the owner's pool without a name
        listing(Pool& pool, const void* owner, std::optional<std::string_view> name) noexcept
            : pool_(&pool), owner_(owner), name_(name) {}
        ~listing() {
            if (registry_ != nullptr)
                registry_->remove(*this);
        }
        listing(const listing&) = delete;
        listing& operator=(const listing&) = delete;

      private:
        friend registry;
        [[nodiscard]] bool is(const void* owner, std::optional<std::string_view> name) const {
            return owner_ == owner && name_ == name;
        }

        registry* registry_ = nullptr;
        listing* next_ = nullptr;
        Pool* pool_;
        const void* owner_;
        std::optional<std::string_view> name_;
    };

    constexpr registry() noexcept = default;
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;

    /// @brief Lists a pool, as the newest.
    /// @pre  It is not listed; the registry outlives it.
    /// @par Errors  `bad_argument`: the owner has a pool of that name
    result<void> add(listing& fresh) noexcept {
        const std::scoped_lock alone(lock_);
        if (look([&](const listing& each) { return each.is(fresh.owner_, fresh.name_); }))
            return fail(errc::bad_argument);
        fresh.next_ = newest_;
        fresh.registry_ = this;
        newest_ = &fresh;
        return {};
    }

    /// @brief The owner's pool of exactly that name, or null. No name: the one without.
    ///
    /// Nothing keeps the pool alive; that is the business of whoever asks.
    [[nodiscard]] Pool* find(const void* owner,
                             std::optional<std::string_view> name = {}) noexcept {
        const std::scoped_lock alone(lock_);
        return look([&](const listing& each) { return each.is(owner, name); });
    }

    /// @brief The pool that node `index` of a property leads to, or null: the pool without a name
    /// of the node itself if it is a device, else that of the parent which is called like the
    /// node's label, or like the node.
    [[nodiscard]] Pool* find(std::span<const described_node> property, std::size_t index) noexcept {
        if (index >= property.size())
            return nullptr;
        const described_node& node = property[index];
        if (node.device != nullptr)
            return find(node.device);
        return find(node.parent, node.label.value_or(node.name));
    }

    /// @brief The newest listed pool that owns the address, or null.
    [[nodiscard]] Pool* find_containing(address place) noexcept {
        const std::scoped_lock alone(lock_);
        return look([&](const listing& each) { return each.pool_->owns(place); });
    }

    /// @brief Calls `f(pool)` for every listed pool, newest first. None comes or goes meanwhile;
    /// `f` must not list or end one.
    template <std::invocable<Pool&> F>
    void for_each(F&& f) noexcept {
        const std::scoped_lock alone(lock_);
        for (const listing* each = newest_; each != nullptr; each = each->next_)
            f(*each->pool_);
    }
    /// @brief The same, if the lock can be had soon: for a signal handler. Answers whether it was.
    template <std::invocable<Pool&> F>
    bool for_each_if_quiet(F&& f) noexcept {
        if (!lock_.try_lock())
            return false;
        for (const listing* each = newest_; each != nullptr; each = each->next_)
            f(*each->pool_);
        lock_.unlock();
        return true;
    }

    /// @brief Does `last_things()` and takes the pool off the list, as one step for all who look:
    /// they meet the pool as it was, or not at all.
    template <std::invocable F>
    void remove(listing& gone, F&& last_things) noexcept {
        const std::scoped_lock alone(lock_);
        last_things();
        unlink(gone);
    }

  private:
    template <class F>
    [[nodiscard]] Pool* look(F&& wanted) const noexcept {
        for (const listing* each = newest_; each != nullptr; each = each->next_)
            if (wanted(*each))
                return each->pool_;
        return nullptr;
    }

    void remove(listing& gone) noexcept {
        const std::scoped_lock alone(lock_);
        unlink(gone);
    }
    void unlink(listing& gone) noexcept {
        gone.registry_ = nullptr;
        listing** link = &newest_;
        while (*link != &gone)
            link = &(*link)->next_;
        *link = gone.next_;
    }

    detail::spin_lock lock_;
    listing* newest_ = nullptr;
};

/// @brief The registry of all pools of a type in this process.
template <class Pool>
inline constinit registry<Pool> process_registry{};

} // namespace palloc::inline v0
