// SPDX-License-Identifier: MIT
/// @file
/// @brief BOOST_TEST for code that is instantiated often: one function call instead of a template
/// for each expression.
#pragma once

#include <boost/test/unit_test.hpp>

#include <source_location>

namespace palloc::test {

/// @brief Fails the case, and says where, unless `holds`.
inline void check(bool holds, std::source_location here = std::source_location::current()) {
    BOOST_TEST(holds, here.file_name() << "(" << here.line() << "): does not hold");
}

/// @brief The same, and ends the case.
inline void require(bool holds, std::source_location here = std::source_location::current()) {
    BOOST_TEST_REQUIRE(holds, here.file_name() << "(" << here.line() << "): does not hold");
}

} // namespace palloc::test
