// SPDX-License-Identifier: MIT
/// @file
/// @brief What a bitmap must answer, found by looking at every granule.
#pragma once

#include <palloc/core/placement.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace palloc::test {

/// @brief Quick enough for chunks of many thousand granules.
class run_model {
  public:
    explicit run_model(std::size_t n) : busy_(n) {}

    [[nodiscard]] bool test(std::size_t i) const { return busy_[i]; }
    [[nodiscard]] std::size_t busy_in(granule_run run) const {
        return static_cast<std::size_t>(std::ranges::count(
            busy_.begin() + offset(run.first), busy_.begin() + offset(run.last()), true));
    }
    void set(granule_run run, bool to) {
        std::fill(busy_.begin() + offset(run.first), busy_.begin() + offset(run.last()), to);
    }

    /// The free runs, cut at both ends.
    [[nodiscard]] std::vector<granule_run> runs(std::size_t from, std::size_t limit) const {
        std::vector<granule_run> found;
        for (std::size_t i = from; i < limit; ++i) {
            if (busy_[i])
                continue;
            if (found.empty() || found.back().last() != i)
                found.push_back({i, 0});
            ++found.back().count;
        }
        return found;
    }

    [[nodiscard]] std::optional<std::size_t> fit(const placement& q) const {
        for (const granule_run run : runs(q.from, q.limit))
            if (const auto place = legal_in(run, q))
                return place;
        return std::nullopt;
    }

    [[nodiscard]] std::optional<std::size_t> best(const placement& q) const {
        std::optional<std::size_t> found;
        std::size_t shortest = q.limit + 1;
        for (const granule_run run : runs(q.from, q.limit)) {
            const auto place = legal_in(run, q);
            if (place && run.count < shortest) {
                found = place;
                shortest = run.count;
            }
        }
        return found;
    }

    [[nodiscard]] granule_run next(std::size_t i) const {
        const auto found = runs(i, busy_.size());
        return found.empty() ? granule_run{busy_.size(), 0} : found.front();
    }

    [[nodiscard]] granule_run longest() const {
        const auto found = runs(0, busy_.size());
        return found.empty() ? granule_run{}
                             : *std::ranges::max_element(found, {}, &granule_run::count);
    }

  private:
    static std::ptrdiff_t offset(std::size_t i) { return static_cast<std::ptrdiff_t>(i); }

    static std::optional<std::size_t> legal_in(granule_run run, const placement& q) {
        for (std::size_t p = run.first; p + q.count <= run.last(); ++p)
            if (q.legal(p))
                return p;
        return std::nullopt;
    }

    std::vector<bool> busy_;
};

} // namespace palloc::test
