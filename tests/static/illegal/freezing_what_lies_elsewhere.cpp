// SPDX-License-Identifier: MIT
// expect: may_be_frozen
#include <palloc/bridges/frozen.hpp>

#include <memory_resource>
#include <string>
#include <vector>

using namespace palloc;

#ifdef PALLOC_LEGAL
using text = std::pmr::string;
#else
using text = std::string;
#endif

bool use(const std::pmr::vector<text>& words) {
    return freeze(words, {.name = "words"}).has_value();
}
