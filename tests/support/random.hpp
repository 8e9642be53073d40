// SPDX-License-Identifier: MIT
/// @file
/// @brief Random numbers of which a failing test can say where they came from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <ostream>
#include <random>

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
  public:
    /// @param stream tells the generators of one run apart.
    explicit random_source(std::uint64_t stream = 0) : engine_(seed() + stream), stream_(stream) {}

    /// @brief Any 64 bits.
    [[nodiscard]] std::uint64_t bits() { return engine_(); }

    /// @brief A number in [0, bound).
    [[nodiscard]] std::size_t below(std::size_t bound) {
        return std::uniform_int_distribution<std::size_t>(0, bound - 1)(engine_);
    }

    /// @brief A number in [first, last].
    [[nodiscard]] std::size_t between(std::size_t first, std::size_t last) {
        return first + below(last - first + 1);
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
