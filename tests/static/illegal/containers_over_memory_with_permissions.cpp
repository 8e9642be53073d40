// SPDX-License-Identifier: MIT
// expect: pool_can_serve_containers
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

struct wishes_something : unprotected {
#ifndef PALLOC_LEGAL
    struct attributes {
        permissions wanted;
        friend bool operator==(attributes, attributes) = default;
    };
#endif
    template <class Backing>
    result<void> open_area(Backing&, typename Backing::region&, area_state&,
                           const attributes&) noexcept;
    [[nodiscard]] bool admits(const area_state&, const attributes&) const noexcept;
};

using wishing = pool<static_granule<64>, mmap_backing, flat, first_fit, wishes_something>;

void use(pool_resource<wishing>& it) {
    (void)it.allocate(100);
}
