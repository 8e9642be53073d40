// SPDX-License-Identifier: MIT
/// @file
/// @brief A part of the selected pools, and the life that each of them lives: so that no
/// translation unit takes long to compile.
#pragma once

#include <palloc/pool.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <tuple>

#include "product/matrix.hpp"
#include "support/check.hpp"
#include "support/pool_life.hpp"
#include "support/random.hpp"

namespace palloc::test::product {

inline constexpr std::size_t slices = PALLOC_SLICES;

template <class Observer, class... Parts>
struct rig_with {
    using type = pool_rig<Parts..., Observer>;
};
template <class... Parts>
struct rig_with<no_observer, Parts...> {
    using type = pool_rig<Parts...>;
};

/// @brief The `i`th selected pool.
template <std::size_t I>
struct numbered_rig {
    static constexpr const row& it = selected.rows[I];
    using bitmap_type = mp::mp_at_c<bitmap_models, it.of[bitmap]>;
    using type = typename rig_with<mp::mp_at_c<observers, it.of[observer]>,
                                   mp::mp_at_c<granularity_models, it.of[granule]>,
                                   mp::mp_at_c<backing_models, it.of[backing]>, bitmap_type,
                                   mp::mp_at_c<algorithm_models<bitmap_type>, it.of[algorithm]>,
                                   mp::mp_at_c<protection_models, it.of[protection]>>::type;
};

template <std::size_t Slice>
struct rigs {
    template <class I>
    using one = typename numbered_rig<I::value * slices + Slice>::type;
    static constexpr std::size_t count = (selected.count + slices - 1 - Slice) / slices;
    using type = mp::mp_transform<one, mp::mp_rename<mp::mp_iota_c<count>, std::tuple>>;
};
template <std::size_t Slice>
using rigs_of = typename rigs<Slice>::type;

/// @brief Chunks, blocks of all sizes, protection half-way, growth where it is possible.
template <class Rig>
void live() {
    const int steps = std::getenv("PALLOC_FULL") == nullptr ? 300 : 10'000;
    random_source random;
    BOOST_TEST_CONTEXT(random) {
        Rig it({.growth = growth_policy::refill(20'000), .cap_bytes = 150'000});
        pool_life life(it);
        for (int half = 0; half != 2; ++half) {
            const auto added = it.add_chunk(20'000);
            check(added || added.error().code == errc::over_limit);
            for (int step = 0; step != steps; ++step) {
                life.step(random, 1'500);
                if (step % 50 == 0)
                    life.check_accounts();
            }
            if constexpr (requires { it.pool.protect(); })
                if (half == 0)
                    require(it.pool.protect().has_value());
        }
        life.free_all();
        life.check_accounts();
    }
}

} // namespace palloc::test::product
