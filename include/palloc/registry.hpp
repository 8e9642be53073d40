// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools found by owner and name, or by an address that they own.
///
/// A registry lists pools and owns none. An owner is any address that stands for somebody: a
/// device, a module, an object. Each owner has at most one pool of a name, and at most one without.
/// Costs: seven words for each listing, sealed nine; finding is a walk under a lock. A list whose
/// entries lie where anybody may store can be sealed: each entry and the link to it bear a tag,
/// which is compared before anything that the entry says is used.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/list_key.hpp>
#include <palloc/core/range.hpp>
#include <palloc/core/siphash.hpp>
#include <palloc/core/spin_lock.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
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

/// @brief A list that takes its memory on trust.
struct unsealed {
    struct tag {
        friend constexpr bool operator==(tag, tag) noexcept = default;
        constexpr explicit operator std::uint64_t() const noexcept { return 0; }
    };
    struct hash {
        constexpr hash& word(std::uint64_t) noexcept { return *this; }
        constexpr hash& text(std::string_view) noexcept { return *this; }
        [[nodiscard]] constexpr unsealed::tag tag() const noexcept { return {}; }
    };
    [[nodiscard]] static result<bool> prepare() noexcept { return false; }
    [[nodiscard]] static bool is_ready() noexcept { return true; }
    [[nodiscard]] static hash start() noexcept { return {}; }
};

/// @brief A list that notices stores into its memory: by a key that nobody can overwrite. There is
/// one such list in a process.
struct sealed_by_key {
    using tag = std::uint64_t;
    /// @brief Makes the key, and answers whether there was none.
    [[nodiscard]] static result<bool> prepare() noexcept { return detail::make_list_key(); }
    [[nodiscard]] static bool is_ready() noexcept { return detail::list_key() != nullptr; }
    [[nodiscard]] static siphash start() noexcept { return siphash(*detail::list_key()); }
};

/// @brief A list of pools. Any thread may call; a signal handler that interrupts a call may not.
/// @tparam Seal  how stores into the list are noticed. An entry that is not as it was written ends
///   every walk: it is not followed, no pool behind it is found, and none is listed any more.
template <class Pool, class Seal = unsealed>
class registry {
  public:
    /// @brief Lists a pool for as long as it lives.
    class listing {
      public:
        /// @param owner  whose pool it is
        /// @param name   not copied; none: the owner's pool without a name
        listing(Pool& pool, const void* owner, std::optional<std::string_view> name) noexcept
            : pool_(&pool), owner_(owner), letters_(name ? name->data() : nullptr),
              length_(name ? name->size() : no_name) {}
        ~listing() {
            if (registry_ != nullptr && is_intact())
                registry_->remove(*this);
        }
        listing(const listing&) = delete;
        listing& operator=(const listing&) = delete;

      private:
        friend registry;
        [[nodiscard]] bool is(const void* owner, std::optional<std::string_view> name) const {
            return owner_ == owner && this->name() == name;
        }
        static constexpr std::uint64_t no_name = ~std::uint64_t{0};

        [[nodiscard]] std::optional<std::string_view> name() const noexcept {
            if (length_ == no_name)
                return std::nullopt;
            return std::string_view(letters_, static_cast<std::size_t>(length_));
        }
        void seal() noexcept {
            name_tag_ = right_name_tag();
            tag_ = right_tag();
        }
        // The letters come second: where they lie is among the words.
        [[nodiscard]] bool is_intact() const noexcept {
            return tag_ == right_tag() && name_tag_ == right_name_tag();
        }
        [[nodiscard]] auto right_tag() const noexcept {
            auto all = Seal::start();
            all.word(address_of(this))
                .word(address_of(registry_))
                .word(address_of(next_))
                .word(address_of(newer_));
            all.word(address_of(pool_)).word(address_of(owner_)).word(address_of(letters_));
            return all.word(length_).word(static_cast<std::uint64_t>(name_tag_)).tag();
        }
        [[nodiscard]] auto right_name_tag() const noexcept {
            return Seal::start().text(name().value_or(std::string_view())).tag();
        }

        registry* registry_ = nullptr;
        listing* next_ = nullptr;
        listing* newer_ = nullptr;
        Pool* pool_;
        const void* owner_;
        const char* letters_;
        std::uint64_t length_;
        [[no_unique_address]] typename Seal::tag name_tag_{};
        [[no_unique_address]] typename Seal::tag tag_{};
    };

    constexpr registry() noexcept = default;
    registry(const registry&) = delete;
    registry& operator=(const registry&) = delete;

    /// @brief Lists a pool, as the newest.
    /// @pre  It is not listed; the registry outlives it.
    /// @par Errors  `bad_argument`: the owner has a pool of that name; of a sealed list also
    ///   `corrupted`: it is not intact, and `os_failure`: the key could not be made
    result<void> add(listing& fresh) noexcept {
        const std::scoped_lock alone(lock_);
        const auto is_first = Seal::prepare();
        if (!is_first)
            return tl::unexpected(is_first.error());
        if (*is_first && newest_ == nullptr)
            tag_ = right_tag();
        bool is_taken = false;
        const bool intact = walk([&](const listing& each) {
            is_taken = each.is(fresh.owner_, fresh.name());
            return !is_taken;
        });
        if (!intact || is_taken)
            return fail(intact ? errc::bad_argument : errc::corrupted);
        fresh.next_ = newest_;
        fresh.registry_ = this;
        fresh.seal();
        if (newest_ != nullptr && newest_ != cut()) {
            newest_->newer_ = &fresh;
            newest_->seal();
        }
        newest_ = &fresh;
        tag_ = right_tag();
        return {};
    }

    /// @brief Whether every entry is as it was written; of a list that is not sealed, yes. O(pools)
    [[nodiscard]] bool is_intact() noexcept {
        const std::scoped_lock alone(lock_);
        return walk([](const listing&) { return true; });
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
        visit(f);
    }
    /// @brief The same, if the lock can be had soon: for a signal handler. Answers whether it was.
    template <std::invocable<Pool&> F>
    bool for_each_if_quiet(F&& f) noexcept {
        if (!lock_.try_lock())
            return false;
        visit(f);
        lock_.unlock();
        return true;
    }

    /// @brief Does `last_things()` and takes the pool off the list, as one step for all who look:
    /// they meet the pool as it was, or not at all. Answers whether the list was intact up to it;
    /// where it was not, the entry cannot be reached any more.
    template <std::invocable F>
    bool remove(listing& gone, F&& last_things) noexcept {
        const std::scoped_lock alone(lock_);
        const bool intact = unlink(gone); // first, as its name may end with the pool
        last_things();
        return intact;
    }

  private:
    /// Calls `f` for the entries, newest first, until it answers false. Answers whether all that it
    /// met was intact: what is not is no entry, nor is anything behind it.
    template <class F>
    bool walk(F&& f) const noexcept {
        if (!Seal::is_ready())
            return newest_ == nullptr;
        if (tag_ != right_tag())
            return false;
        for (const listing* each = newest_; each != nullptr; each = each->next_) {
            if (each == cut() || !each->is_intact())
                return false;
            if (!f(*each))
                break;
        }
        return true;
    }
    template <class F>
    void visit(F&& f) const noexcept {
        (void)walk([&](const listing& each) {
            f(*each.pool_);
            return true;
        });
    }
    template <class F>
    [[nodiscard]] Pool* look(F&& wanted) const noexcept {
        Pool* found = nullptr;
        (void)walk([&](const listing& each) {
            if (wanted(each))
                found = each.pool_;
            return found == nullptr;
        });
        return found;
    }

    /// Stands behind the last intact entry once another than that was met: no entry, so that
    /// nothing is read of those that may have ended since, and not the end, so that no name is
    /// given twice.
    [[nodiscard]] listing* cut() const noexcept {
        return reinterpret_cast<listing*>(const_cast<registry*>(this));
    }

    void remove(listing& gone) noexcept {
        const std::scoped_lock alone(lock_);
        (void)unlink(gone);
    }
    /// Between intact neighbours, without a walk. Answers whether it has such.
    bool unlink_in_place(listing& gone) noexcept {
        listing* const newer = gone.newer_;
        listing* const older = gone.next_;
        if (!Seal::is_ready() || !gone.is_intact() || tag_ != right_tag() || older == cut() ||
            (newer == nullptr ? newest_ != &gone : !newer->is_intact() || newer->next_ != &gone) ||
            (older != nullptr && !older->is_intact()))
            return false;
        (newer == nullptr ? newest_ : newer->next_) = older;
        if (newer != nullptr)
            newer->seal();
        tag_ = right_tag();
        if (older != nullptr) {
            older->newer_ = newer;
            older->seal();
        }
        gone.registry_ = nullptr;
        gone.tag_ = {};
        return true;
    }
    bool unlink(listing& gone) noexcept {
        if (unlink_in_place(gone))
            return true;
        listing* newer = nullptr;
        const bool intact = walk([&](const listing& each) {
            if (&each != &gone)
                newer = const_cast<listing*>(&each); // an entry's, which nobody has as const
            return &each != &gone;
        });
        // Here because a neighbour is not intact: what is behind it is given up.
        listing* const older = intact && gone.next_ == nullptr ? nullptr : cut();
        if (newer != nullptr) {
            newer->next_ = older;
            newer->seal();
        } else {
            newest_ = older;
            tag_ = right_tag();
        }
        gone.registry_ = nullptr;
        gone.tag_ = {};
        return intact;
    }
    [[nodiscard]] auto right_tag() const noexcept {
        return Seal::start().word(address_of(this)).word(address_of(newest_)).tag();
    }

    detail::spin_lock lock_;
    listing* newest_ = nullptr;
    [[no_unique_address]] typename Seal::tag tag_{};
};

/// @brief The registry of all pools of a type in this process.
template <class Pool, class Seal = unsealed>
inline constinit registry<Pool, Seal> process_registry{};

} // namespace palloc::inline v0
