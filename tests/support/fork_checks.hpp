// SPDX-License-Identifier: MIT
/// @file
/// @brief What a child of fork finds of a backing's memory, against what the backing says.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/fork_treatment.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <ostream>

#include "page_probe.hpp"

namespace palloc {

inline std::ostream& operator<<(std::ostream& out, fork_treatment treatment) {
    return out << to_string(treatment);
}

} // namespace palloc

namespace palloc::test {

[[nodiscard]] inline volatile char& byte_at(address at) {
    return *reinterpret_cast<volatile char*>(at);
}

template <class Backing>
typename Backing::region usable_region(Backing& backing, std::uint64_t bytes) {
    auto region = backing.map({.bytes = bytes}).value();
    if constexpr (backing_can_commit<Backing>)
        BOOST_TEST_REQUIRE(backing.commit(region, backing.where(region)).has_value());
    return region;
}

/// @brief What the backing says of that region: some only know once they have mapped it.
template <class Backing>
[[nodiscard]] fork_treatment said_of(const Backing& backing,
                                     const typename Backing::region& region) {
    if constexpr (backing_states_fork_treatment<Backing>)
        return backing.in_child();
    else
        return backing.in_child(region);
}

/// @brief In a child: what it finds where the parent wrote 'p', 'a' for nothing; it writes 'c'
/// there.
[[nodiscard]] inline int found_in_child(range where) {
    const page_probe probe;
    if (!probe.readable(where.base))
        return probe.writable(where.base) ? 1 : 'a';
    const char found = byte_at(where.base);
    byte_at(where.base) = 'c';
    return found == 'p' ? 'p' : found == 0 ? '0' : 2;
}

[[nodiscard]] inline int expected_in_child(fork_treatment said) {
    switch (said) {
    case fork_treatment::copied:
    case fork_treatment::shared:
        return 'p';
    case fork_treatment::wiped:
        return '0';
    case fork_treatment::absent:
    case fork_treatment::read_only: // it is writable yet
        break;
    }
    return 'a';
}

} // namespace palloc::test
