// SPDX-License-Identifier: MIT
// expect: concurrent_algorithm_for
#include <palloc/algorithms/any_algorithm.hpp>
#include <palloc/algorithms/next_fit.hpp>
#include <palloc/algorithms/worst_fit.hpp>
#include <palloc/bitmaps/flat.hpp>

using namespace palloc;

#ifdef PALLOC_LEGAL
const choice_of<worst_fit, flat> choice;
#else
const choice_of<next_fit, flat> choice;
#endif
