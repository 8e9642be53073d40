// SPDX-License-Identifier: MIT
// Every bitmap: what conformance, the product of policies and the benchmarks iterate over.
#pragma once

#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/claimed.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/hinted.hpp>
#include <palloc/bitmaps/indexed.hpp>

#include <tuple>

namespace palloc::test {

using bitmap_models = std::tuple< //
    flat,                         //
    hinted,                       //
    indexed,                      //
    atomic,                       //
    claimed,                      //
    boundary<flat>,               //
    boundary<hinted>,             //
    boundary<indexed>,            //
    boundary<atomic>              //
    >;

} // namespace palloc::test
