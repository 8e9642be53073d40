// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/node_binding.hpp>

#include <array>
#include <cstddef>

#include <linux/mempolicy.h>

#include "os.hpp"

namespace palloc::inline v0::detail {

result<void> bind_to_node(range pages, numa_node node) noexcept {
    if (node == any_node)
        return os::bind(pages, MPOL_DEFAULT, {}, 0);
    if (node.number < 0 || node.number >= numa_node::limit)
        return fail(errc::bad_argument);
    constexpr std::size_t bits = 8 * sizeof(unsigned long);
    std::array<unsigned long, numa_node::limit / bits> mask{};
    const auto number = static_cast<std::size_t>(node.number);
    mask[number / bits] = 1UL << (number % bits);
    return os::bind(pages, MPOL_PREFERRED, mask, 0);
}

} // namespace palloc::inline v0::detail
