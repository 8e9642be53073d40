// SPDX-License-Identifier: MIT
// expect: may_be_frozen
#include <palloc/bridges/frozen.hpp>

#include <cstddef>
#include <memory_resource>
#include <string>
#include <vector>

using namespace palloc;

struct named {
    using allocator_type = std::pmr::polymorphic_allocator<std::byte>;
    explicit named(allocator_type from = {}) : values(from) {}
    named(const named& other, allocator_type from) : values(other.values, from), name(other.name) {}
    std::pmr::vector<int> values;
    std::string name;
};

#ifdef PALLOC_LEGAL
template <>
inline constexpr bool palloc::all_lies_in_its_resource<named> = true;
#endif

bool use(const named& one) {
    return freeze(one, {.name = "one"}).has_value();
}
