// SPDX-License-Identifier: MIT
/// @file
/// @brief What every backing that maps is held to.
#pragma once

#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <utility>
#include <vector>

#include "random.hpp"

namespace palloc {

inline std::ostream& operator<<(std::ostream& out, range r) {
    return out << r.bytes << " bytes at " << std::hex << r.base << std::dec;
}
inline std::ostream& operator<<(std::ostream& out, errc code) {
    return out << to_string(code);
}
inline std::ostream& operator<<(std::ostream& out, error e) {
    return out << e.code << " (" << e.os_code << ")";
}

} // namespace palloc

namespace palloc::test {

/// @brief The error that a call must have answered.
template <class T>
void check_fails(const result<T>& answer, error expected) {
    BOOST_TEST(!answer.has_value());
    if (!answer)
        BOOST_TEST(answer.error() == expected);
}

/// @brief Writes both ends and reads them back, where that is allowed at all, and memory there.
template <backing_can_map Backing>
void check_touchable(range where) {
    if constexpr (memory_may_be_touched<Backing> && !backing_can_commit<Backing>) {
        auto* const first = reinterpret_cast<volatile std::byte*>(where.base);
        for (const std::uint64_t offset : {std::uint64_t{0}, where.bytes - 1}) {
            first[offset] = std::byte{0x5a};
            BOOST_TEST((first[offset] == std::byte{0x5a}));
        }
    }
}

/// @brief Regions have the size, the alignment and the place asked for, overlap no other, and can
/// be given back in any order.
template <backing_can_map Backing>
void check_mapping(Backing& backing) {
    random_source random;
    std::vector<typename Backing::region> regions;
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step < 60; ++step) {
            const std::uint64_t bytes = random.between(1, std::size_t{1} << random.below(22));
            const std::uint64_t alignment = std::uint64_t{1} << random.below(26);
            auto made = backing.map({.bytes = bytes, .alignment = alignment});
            BOOST_TEST_REQUIRE(made.has_value());
            const range where = backing.where(*made);
            BOOST_TEST(where.bytes >= bytes);
            BOOST_TEST(where.bytes < bytes + backing.page_bytes());
            BOOST_TEST(where.bytes % backing.page_bytes() == 0);
            BOOST_TEST(where.base % alignment == 0);
            BOOST_TEST(where.base % backing.page_bytes() == 0);
            for (const auto& other : regions)
                BOOST_TEST(!where.overlaps(backing.where(other)));
            check_touchable<Backing>(where);
            regions.push_back(std::move(*made));
            if (random.chance(40)) {
                std::swap(regions[random.below(regions.size())], regions.back());
                BOOST_TEST(backing.unmap(regions.back()).has_value());
                BOOST_TEST(backing.where(regions.back()).bytes == 0);
                regions.pop_back();
            }
        }
        for (auto& region : regions)
            BOOST_TEST(backing.unmap(region).has_value());
    }
}

/// @brief Requests that no backing can serve.
template <backing_can_map Backing>
void check_refusals(Backing& backing) {
    check_fails(backing.map({.bytes = 0}), {errc::zero_size});
    check_fails(backing.map({.bytes = 64, .alignment = 0}), {errc::bad_alignment});
    check_fails(backing.map({.bytes = 64, .alignment = 48}), {errc::bad_alignment});
}

} // namespace palloc::test
