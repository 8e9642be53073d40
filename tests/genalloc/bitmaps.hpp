// SPDX-License-Identifier: MIT
/// @file
/// @brief The bitmaps that genalloc may have: those over which any granules may be given back.
#pragma once

#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>

#include <tuple>

namespace palloc::test {

using genalloc_bitmaps = std::tuple<flat, indexed, atomic>;

} // namespace palloc::test
