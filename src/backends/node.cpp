// SPDX-License-Identifier: MIT
#include <palloc/backings/detail/node_binding.hpp>

#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>

#include <linux/mempolicy.h>
#include <sys/mman.h>

#include "os.hpp"

namespace palloc::inline v0::detail {
namespace {

constexpr std::size_t bits_a_word = sizeof(unsigned long) * CHAR_BIT;

error explained(error why) noexcept {
    if (why.os_code == ENOSYS || why.os_code == EPERM)
        return {errc::not_supported, why.os_code};
    return why;
}

} // namespace

result<void> bind_to_node(range where, numa_node node, bool required) noexcept {
    if (node == any_node)
        return os::bind(where, MPOL_DEFAULT, {}, 0);
    if (node.number < 0 || node.number >= numa_node::limit)
        return fail(errc::bad_argument);
    const auto number = static_cast<std::size_t>(node.number);
    std::array<unsigned long, numa_node::limit / bits_a_word> nodes{};
    nodes[number / bits_a_word] = 1UL << (number % bits_a_word);
    const auto bound = os::bind(where, required ? MPOL_BIND : MPOL_PREFERRED, nodes,
                                MPOL_MF_MOVE | (required ? MPOL_MF_STRICT : 0U));
    if (!bound)
        return tl::unexpected(explained(bound.error()));
    return {};
}

result<void> populate(range where) noexcept {
    return os::advise(where, MADV_POPULATE_WRITE);
}

result<numa_node> node_of(address place) noexcept {
    void* page = reinterpret_cast<void*>(place & ~std::uint64_t{os::page_bytes() - 1});
    int node = -ENOENT;
    if (const auto asked = os::nodes({&page, 1}, {&node, 1}); !asked)
        return tl::unexpected(explained(asked.error()));
    if (node < 0)
        return fail(errc::os_failure, -node);
    return numa_node{node};
}

} // namespace palloc::inline v0::detail
