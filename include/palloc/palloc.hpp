// SPDX-License-Identifier: MIT
/// @file
/// @brief All of palloc but the views, which need range-v3.
///
/// For a first try; a program that minds its compile time includes what it uses.
#pragma once

#include <palloc/algorithms/any_algorithm.hpp>
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/buddy.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/algorithms/next_fit.hpp>
#include <palloc/algorithms/random_fit.hpp>
#include <palloc/algorithms/spread.hpp>
#include <palloc/algorithms/worst_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/backings/carved.hpp>
#include <palloc/backings/failing.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/backings/limited.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/bridges/allocator.hpp>
#include <palloc/bridges/memory_resource.hpp>
#include <palloc/bridges/unique_block.hpp>
#include <palloc/compositions/fallback.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/magazine.hpp>
#include <palloc/compositions/presets.hpp>
#include <palloc/compositions/segregator.hpp>
#include <palloc/compositions/size_classes.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/core/version.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/granularities/order_granule.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/mapped_metadata.hpp>
#include <palloc/metadata/metadata_arena.hpp>
#include <palloc/observers/recorder.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>
#include <palloc/registry.hpp>
