// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools in which every policy occurs at least once: what the suites about pools iterate
/// over. All the other combinations are in tests/product.
#pragma once

#include <tuple>

#include "algorithms.hpp"
#include "backings.hpp"
#include "bitmaps.hpp"
#include "granularities.hpp"
#include "observers.hpp"
#include "protections.hpp"
#include "support/pool_rig.hpp"

namespace palloc::test {

using shared_any = any_algorithm<boundary<atomic>>;

using pool_models = std::tuple<
    pool_rig<static_granule<64>, fake, boundary<indexed>, first_fit, unprotected, statistics>,
    pool_rig<static_granule<48>, native_memory, indexed, best_fit>,
    pool_rig<sized_granule, native_memory, flat, next_fit, unprotected, recorder>,
    pool_rig<order_granule, native_memory, atomic, spread, unprotected, concurrent_statistics>,
    pool_rig<static_granule<48>, borrowed_touchable, boundary<flat>, buddy>,
    pool_rig<static_granule<64>, borrowed, flat, worst_fit, unprotected, statistics>,
    pool_rig<order_granule, failing<borrowed>, indexed, fixed>,
    pool_rig<static_granule<64>, fake, boundary<atomic>, shared_any>,
    pool_rig<static_granule<64>, fake, flat, first_fit, closes_areas>,
    pool_rig<static_granule<64>, fake, boundary<hinted>, first_fit, write_xor_execute, statistics>,
    pool_rig<order_granule, limited<fake>, boundary<indexed>, best_fit, one_permission_an_area>,
    pool_rig<sized_granule, fake_demand_paged, indexed, random_fit, unprotected, statistics>,
    pool_rig<static_granule<64>, limited<native_memory>, boundary<atomic>, first_fit>,
    pool_rig<order_granule, carved<bump_parent>, flat, first_fit_align>,
    pool_rig<static_granule<64>, failing<native_memory>, boundary<indexed>, first_fit_order_align,
             closes_areas>>;

} // namespace palloc::test
