// SPDX-License-Identifier: MIT
/// @file
/// @brief An algorithm that is chosen, and changed, at run time.
///
/// When to choose it: the choice comes from configuration, or changes while other threads allocate.
/// The function and its data are one immutable object behind one atomic pointer, so nobody ever
/// meets the one without the other. Costs: 8 bytes; one load and one indirect call a search.
#pragma once

#include <palloc/concepts/algorithm.hpp>
#include <palloc/concepts/archetypes.hpp>

#include <atomic>
#include <cstddef>
#include <optional>
#include <utility>

namespace palloc::inline v0 {

/// @brief What an `any_algorithm` may be set to. Made as a `choice_of`.
template <chunk_bitmap Bitmap>
class algorithm_choice {
  public:
    /// @brief Asks the algorithm.
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const {
        return ask_(*this, bitmap, q);
    }

  protected:
    using function = std::optional<std::size_t> (*)(const algorithm_choice&, const Bitmap&,
                                                    const placement&);
    explicit constexpr algorithm_choice(function ask) noexcept : ask_(ask) {}

  private:
    function ask_;
};

/// @brief A concurrent algorithm together with its data, made choosable.
template <class Algorithm, chunk_bitmap Bitmap>
    requires concurrent_algorithm_for<Algorithm, Bitmap>
class choice_of final : public algorithm_choice<Bitmap> {
  public:
    explicit constexpr choice_of(Algorithm algorithm = {}) noexcept
        : algorithm_choice<Bitmap>(&ask), algorithm_(std::move(algorithm)) {}

  private:
    static std::optional<std::size_t> ask(const algorithm_choice<Bitmap>& self,
                                          const Bitmap& bitmap, const placement& q) {
        return static_cast<const choice_of&>(self).algorithm_(bitmap, q);
    }

    Algorithm algorithm_;
};

/// @brief Asks whichever algorithm it was last set to; the lowest fit at first.
template <chunk_bitmap Bitmap>
class any_algorithm {
  public:
    constexpr any_algorithm() noexcept : chosen_(&lowest) {}

    /// @brief Begins with `choice`, under the terms of `set`.
    explicit constexpr any_algorithm(const algorithm_choice<Bitmap>& choice) noexcept
        : chosen_(&choice) {}

    any_algorithm(const any_algorithm& other) noexcept : chosen_(other.load()) {}
    any_algorithm& operator=(const any_algorithm& other) noexcept {
        set(*other.load());
        return *this;
    }
    ~any_algorithm() = default;

    /// @brief Searches from now on are done by `choice`, which is not copied.
    /// @pre `choice` lives, unchanged, until the last search that may have begun with it has ended.
    /// @par Thread safety any thread, while others allocate: each search is wholly the old or
    /// wholly the new one
    void set(const algorithm_choice<Bitmap>& choice) noexcept {
        chosen_.store(&choice, std::memory_order_release);
    }

    /// @brief Back to the lowest fit.
    void reset() noexcept { set(lowest); }

    /// @return what the chosen algorithm answers.
    /// @par Complexity one indirect call more than the chosen algorithm's
    /// @par Thread safety as the bitmap's and the chosen algorithm's
    [[nodiscard]] std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                                        const placement& q) const noexcept {
        return (*load())(bitmap, q);
    }

  private:
    struct lowest_fit {
        std::optional<std::size_t> operator()(const Bitmap& bitmap,
                                              const placement& q) const noexcept {
            return bitmap.find_fit(q);
        }
    };
    static constexpr choice_of<lowest_fit, Bitmap> lowest{};

    [[nodiscard]] const algorithm_choice<Bitmap>* load() const noexcept {
        return chosen_.load(std::memory_order_acquire);
    }

    std::atomic<const algorithm_choice<Bitmap>*> chosen_;
};

static_assert(
    concurrent_algorithm_for<any_algorithm<archetypes::chunk_bitmap>, archetypes::chunk_bitmap>);

} // namespace palloc::inline v0
