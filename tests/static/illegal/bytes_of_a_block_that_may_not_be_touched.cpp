// SPDX-License-Identifier: MIT
// expect: touchable_allocator
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bridges/unique_block.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
using backing = borrowed_touchable;
#else
using backing = borrowed;
#endif

using numbers = pool<static_granule<64>, backing, flat, first_fit, unprotected>;

std::span<std::byte> use(const unique_block<numbers>& it) {
    return it.bytes();
}
