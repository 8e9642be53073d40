// SPDX-License-Identifier: MIT
// Every bitmap: what conformance, the product of policies and the benchmarks iterate over.
#pragma once

#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>

#include <tuple>

namespace palloc::test {

using bitmap_models = std::tuple< //
    flat,                         //
    indexed,                      //
    atomic,                       //
    boundary<flat>,               //
    boundary<indexed>,            //
    boundary<atomic>              //
    >;

} // namespace palloc::test
