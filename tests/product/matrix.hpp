// SPDX-License-Identifier: MIT
/// @file
/// @brief Which policies are put together: algorithm × bitmap and backing × protection complete,
/// every other two policies at least once; with PALLOC_FULL_PRODUCT algorithm × bitmap × backing ×
/// protection complete.
#pragma once

#include <boost/mp11.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include "models/algorithms.hpp"
#include "models/backings.hpp"
#include "models/bitmaps.hpp"
#include "models/granularities.hpp"
#include "models/observers.hpp"
#include "models/protections.hpp"
#include "support/pool_rig.hpp"

namespace palloc::test::product {

namespace mp = boost::mp11;

struct no_observer {};
using observers = mp::mp_push_front<observer_models, no_observer>;

template <class List>
inline constexpr std::size_t size = mp::mp_size<List>::value;

/// @brief What pools are made of, in this order.
enum factor : std::size_t { algorithm, bitmap, backing, protection, granule, observer };

inline constexpr std::size_t factors = 6;
inline constexpr std::size_t sizes[factors] = {
    size<algorithm_models<flat>>, size<bitmap_models>,      size<backing_models>,
    size<protection_models>,      size<granularity_models>, size<observers>};

/// @brief A pool, as the numbers of its policies in their lists. (Arrays here are those of the
/// language: fewer steps for a compiler that counts them.)
struct row {
    std::size_t of[factors];
};

template <std::size_t N, class F>
[[nodiscard]] constexpr auto table(F&& holds) {
    std::array<bool, N> answers{};
    mp::mp_for_each<mp::mp_iota_c<N>>([&](auto i) { answers[i] = holds(i); });
    return answers;
}

// What each policy says of itself, by its number.
inline constexpr auto shared_bitmap = table<size<bitmap_models>>(
    [](auto i) { return concurrent_bitmap<mp::mp_at<bitmap_models, decltype(i)>>; });
inline constexpr auto shared_algorithm = table<size<algorithm_models<flat>>>([](auto i) {
    return concurrent_algorithm_for<mp::mp_at<algorithm_models<flat>, decltype(i)>, flat>;
});
inline constexpr auto shared_protection = table<size<protection_models>>(
    [](auto i) { return stateless_protection<mp::mp_at<protection_models, decltype(i)>>; });
inline constexpr auto shared_backing = table<size<backing_models>>(
    [](auto i) { return concurrent_backing<mp::mp_at<backing_models, decltype(i)>>; });
inline constexpr auto shared_observer = table<size<observers>>([](auto i) {
    using observer = mp::mp_at<observers, decltype(i)>;
    return std::is_same_v<observer, no_observer> || concurrent_observer<observer>;
});
inline constexpr auto served_protection =
    table<size<protection_models> * size<backing_models>>([](auto i) {
        return protection_for<mp::mp_at_c<protection_models, i / size<backing_models>>,
                              mp::mp_at_c<backing_models, i % size<backing_models>>>;
    });

/// @brief Whether the pool compiles.
[[nodiscard]] constexpr bool is_legal(const row& it) {
    const bool may_be_shared = shared_algorithm[it.of[algorithm]] &&
                               shared_protection[it.of[protection]] &&
                               shared_backing[it.of[backing]] && shared_observer[it.of[observer]];
    return served_protection[it.of[protection] * sizes[backing] + it.of[backing]] &&
           (!shared_bitmap[it.of[bitmap]] || may_be_shared);
}

/// @brief Which two policies are together in some pool.
class pairs {
  public:
    /// @brief Notes those of a pool. Answers how many were not noted yet.
    constexpr std::size_t add(const row& it) {
        std::size_t fresh = 0;
        for (std::size_t i = 1; i != factors; ++i)
            for (std::size_t j = 0; j != i; ++j)
                fresh += std::exchange(seen_[i][j][it.of[i]][it.of[j]], true) ? 0u : 1u;
        return fresh;
    }
    /// @brief Whether at least so many of a pool's are not noted yet.
    [[nodiscard]] constexpr bool has_new(const row& it, std::size_t least) const {
        for (std::size_t i = 1; i != factors; ++i)
            for (std::size_t j = 0; j != i; ++j)
                if (!seen_[i][j][it.of[i]][it.of[j]] && --least == 0)
                    return true;
        return false;
    }

  private:
    static constexpr std::size_t most = *std::max_element(sizes, sizes + factors);
    bool seen_[factors][factors][most][most]{};
};

/// @brief Calls `f` for every legal pool that differs in algorithm, bitmap, backing or protection;
/// granules and observers take turns.
template <class F>
constexpr void for_each_of_four(F&& f) {
    std::size_t turn = 0;
    for (std::size_t a = 0; a != sizes[algorithm]; ++a)
        for (std::size_t m = 0; m != sizes[bitmap]; ++m)
            for (std::size_t b = 0; b != sizes[backing]; ++b)
                for (std::size_t p = 0; p != sizes[protection]; ++p)
                    for (std::size_t o = 0; o != sizes[observer]; ++o) {
                        const row it{{a, m, b, p, turn % sizes[granule],
                                      (o + turn / sizes[granule]) % sizes[observer]}};
                        if (!is_legal(it))
                            continue;
                        ++turn;
                        f(it);
                        break;
                    }
}

/// @brief Pools that are to be compiled.
struct selection {
    row rows[8000]{};
    std::size_t count = 0;

    constexpr void add(const row& it) { rows[count++] = it; }
};

/// @brief All of algorithm × bitmap × backing × protection.
[[nodiscard]] constexpr selection all_of_four() {
    selection all;
    for_each_of_four([&](const row& it) { all.add(it); });
    return all;
}

/// @brief Some of them, with every two policies together that may be: those first that bring many
/// such pairs.
[[nodiscard]] constexpr selection pairwise() {
    constexpr selection all = all_of_four();
    selection some;
    pairs seen;
    for (const std::size_t least : {10u, 7u, 5u, 3u, 2u, 1u})
        for (std::size_t i = 0; i != all.count; ++i)
            if (seen.has_new(all.rows[i], least)) {
                seen.add(all.rows[i]);
                some.add(all.rows[i]);
            }
    return some;
}

#ifdef PALLOC_FULL_PRODUCT
inline constexpr selection selected = all_of_four();
#else
inline constexpr selection selected = pairwise();
#endif

} // namespace palloc::test::product
