// SPDX-License-Identifier: MIT
/// @file
/// @brief Pools as the tests of pmalloc want them.
#pragma once

#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <iterator>
#include <string_view>
#include <utility>

#include "support/backing_checks.hpp"
#include "support/misuse_log.hpp"
#include "support/page_probe.hpp"

namespace palloc {

inline std::ostream& operator<<(std::ostream& out, strength s) {
    constexpr std::string_view names[] = {
        "none",      "guarded",          "read_only",        "sealed",
        "permanent", "write_or_execute", "write_xor_execute"};
    static_assert(std::size(names) == static_cast<std::size_t>(strength::write_xor_execute) + 1);
    return out << names[static_cast<std::size_t>(s)];
}
inline std::ostream& operator<<(std::ostream& out, pmalloc_state s) {
    constexpr std::string_view names[] = {"open", "growing", "interrupted", "is_protected"};
    return out << names[static_cast<std::size_t>(s)];
}
inline std::ostream& operator<<(std::ostream& out, ownership o) {
    constexpr std::string_view names[] = {"no", "yes", "straddles"};
    return out << names[static_cast<std::size_t>(o)];
}

} // namespace palloc

namespace palloc::test {

/// @brief A pool whose mistakes are counted, named "test" where no name is given.
inline pmalloc::handle made(pmalloc_options options = {}) {
    if (options.name.empty())
        options.name = "test";
    options.on_misuse.handler = count_misuse;
    auto pool = pmalloc::create(options);
    BOOST_TEST_REQUIRE(pool.has_value());
    return std::move(*pool);
}

[[nodiscard]] inline address number(const void* at) {
    return address_of(at);
}

/// @brief The smallest area there is: what the system maps such memory in.
[[nodiscard]] inline std::uint64_t unit_bytes() {
    return native_views().page_bytes();
}

/// @brief Whether a byte can be written, asked of the kernel. It is a zero then.
[[nodiscard]] inline bool writable(const void* at) {
    return page_probe().writable(number(at));
}

} // namespace palloc::test
