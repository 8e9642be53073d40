// SPDX-License-Identifier: MIT
/// @file
/// @brief Random bitmaps and random requests, for everything that places.
#pragma once

#include <palloc/core/placement.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "model_bitmap.hpp"
#include "random.hpp"

namespace palloc {

inline std::ostream& operator<<(std::ostream& out, const placement& q) {
    return out << "count " << q.count << " in [" << q.from << ", " << q.limit << ") mask " << q.mask
               << " phase " << q.phase << " base " << q.base << " granule " << q.granule_bytes;
}

} // namespace palloc

namespace palloc::test {

/// @brief An answer that BOOST_TEST can print.
struct place {
    std::optional<std::size_t> at;
    friend bool operator==(const place&, const place&) = default;
    friend std::ostream& operator<<(std::ostream& out, const place& it) {
        return it.at ? out << *it.at : out << "none";
    }
};

/// @brief Some request to a bitmap of so many granules.
[[nodiscard]] inline placement random_request(random_source& random, std::size_t granules) {
    placement q;
    const std::size_t edge = random.chance(50) ? 0 : random.below(granules);
    q.from = edge;
    q.limit = random.chance(50) ? granules : random.between(edge, granules);
    q.count = random.between(1, random.chance(80) ? 12 : granules);
    q.mask = (std::size_t{1} << random.below(random.chance(50) ? 1 : 6)) - 1;
    q.phase = random.below(q.mask + 1);
    q.granule_bytes = std::size_t{1} << random.below(8);
    q.base = random.chance(50) ? random.bits() % 100'000 : q.granule_bytes * 64;
    return q;
}

/// @brief A bitmap in some state, and a request.
template <class Bitmap = model_bitmap>
class basic_scene {
  public:
    explicit basic_scene(random_source& random) : basic_scene(random.between(1, 200)) {
        const std::size_t percent = random.below(101);
        const std::size_t longest = random.between(1, 24);
        while (busy_percent() < percent) {
            const std::size_t first = random.below(bitmap.size());
            bitmap.claim({first, std::min(random.between(1, longest), bitmap.size() - first)});
            if (random.chance(1))
                break;
        }
        request = random_request(random, bitmap.size());
    }

    /// @brief All free.
    explicit basic_scene(std::size_t granules)
        : storage_(granules), bitmap(storage_.data(), granules) {
        request.limit = granules;
    }

    /// @brief A picture: '.' is free, anything else is not.
    explicit basic_scene(const std::string& picture) : basic_scene(picture.size()) {
        for (std::size_t i = 0; i < picture.size(); ++i)
            if (picture[i] != '.')
                bitmap.claim({i, 1});
    }

    basic_scene(const basic_scene&) = delete;
    basic_scene& operator=(const basic_scene&) = delete;

    /// @brief Every position that is legal and free, ascending.
    [[nodiscard]] std::vector<std::size_t> positions(const placement& q) const {
        std::vector<std::size_t> all;
        for (std::size_t position = 0; position < bitmap.size(); ++position)
            if (q.legal(position) && bitmap.is_free({position, q.count}))
                all.push_back(position);
        return all;
    }
    [[nodiscard]] std::vector<std::size_t> positions() const { return positions(request); }

    /// @brief The free runs of [from, limit), cut off there.
    [[nodiscard]] std::vector<granule_run> runs() const {
        std::vector<granule_run> all;
        for (std::size_t i = request.from; i < request.limit; ++i) {
            if (bitmap.test(i))
                continue;
            if (all.empty() || all.back().last() != i)
                all.push_back({i, 0});
            ++all.back().count;
        }
        return all;
    }

    friend std::ostream& operator<<(std::ostream& out, const basic_scene& it) {
        for (std::size_t i = 0; i < it.bitmap.size(); ++i)
            out << (it.bitmap.test(i) ? '#' : '.');
        return out << ' ' << it.request;
    }

  private:
    [[nodiscard]] std::size_t busy_percent() const {
        return 100 - bitmap.free_count() * 100 / bitmap.size();
    }

    std::vector<std::byte> storage_;

  public:
    Bitmap bitmap;
    placement request;
};
using scene = basic_scene<>;

/// @brief Runs `check(scene, random)` over many scenes; a failure shows the scene and the seed.
template <class Check>
void over_scenes(Check&& check) {
    for (std::uint64_t stream = 0; stream < 4'000; ++stream) {
        random_source random(stream);
        scene it(random);
        BOOST_TEST_CONTEXT(random << ": " << it) {
            check(it, random);
        }
    }
}

/// @brief Positions must come from this set; where it is empty, there must be none.
inline void check_is_one_of(const std::optional<std::size_t>& answer,
                            const std::vector<std::size_t>& allowed) {
    BOOST_TEST(answer.has_value() == !allowed.empty());
    if (answer)
        BOOST_TEST(std::ranges::count(allowed, *answer) == 1);
}

} // namespace palloc::test
