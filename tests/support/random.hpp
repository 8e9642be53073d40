// SPDX-License-Identifier: MIT
/// @file
/// @brief Random numbers of which a failing test can say where they came from.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <random>
#include <type_traits>

namespace palloc::test {

/// @brief The seed of this run: PALLOC_SEED of the environment, else always the same.
[[nodiscard]] inline std::uint64_t seed() {
    static const std::uint64_t value = [] {
        const char* const given = std::getenv("PALLOC_SEED");
        return given == nullptr ? std::uint64_t{20260101} : std::strtoull(given, nullptr, 0);
    }();
    return value;
}

/// @brief A generator. Show it in a BOOST_TEST_CONTEXT, and a failure names the seed.
class random_source {
    /// Numbers of 64 bits where one is asked for, though sizes may have 32.
    template <class... T>
    using answer =
        std::conditional_t<(... || (sizeof(T) > sizeof(std::size_t))), std::uint64_t, std::size_t>;

  public:
    /// @param stream tells the generators of one run apart.
    explicit random_source(std::uint64_t stream = 0) : engine_(seed() + stream), stream_(stream) {}

    /// @brief Any 64 bits.
    [[nodiscard]] std::uint64_t bits() { return engine_(); }

    /// @brief A number in [0, bound).
    template <std::integral T>
    [[nodiscard]] answer<T> below(T bound) {
        return static_cast<answer<T>>(std::uniform_int_distribution<std::uint64_t>(
            0, static_cast<std::uint64_t>(bound) - 1)(engine_));
    }

    /// @brief A number in [first, last].
    template <std::integral A, std::integral B>
    [[nodiscard]] answer<A, B> between(A first, B last) {
        using number = answer<A, B>;
        return static_cast<number>(first) +
               below(static_cast<number>(last) - static_cast<number>(first) + 1);
    }

    /// @brief True in so many of a hundred cases.
    [[nodiscard]] bool chance(std::size_t percent) { return below(100) < percent; }

    friend std::ostream& operator<<(std::ostream& out, const random_source& it) {
        return out << "PALLOC_SEED=" << seed() << " stream " << it.stream_;
    }

  private:
    std::mt19937_64 engine_;
    std::uint64_t stream_;
};

} // namespace palloc::test
