// SPDX-License-Identifier: MIT
// Every bitmap: what conformance, the product of policies and the benchmarks iterate over.
#pragma once

#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>

#include <tuple>

namespace palloc::test {

using bitmap_models = std::tuple< //
    flat,                         //
    boundary<flat>                //
    >;

} // namespace palloc::test
