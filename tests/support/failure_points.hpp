// SPDX-License-Identifier: MIT
/// @file
/// @brief Every system call of something made to fail in turn.
#pragma once

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>

#include "address_space.hpp"
#include "backends/seam.hpp"
#include "open_files.hpp"

namespace palloc::test {

/// @brief How many calls something makes, and how many failures it did not mind.
struct failure_points {
    std::uint64_t calls = 0;
    std::uint64_t survived = 0;
};

/// @brief Runs `run` with its first system call failing, its second …, until none fails. `run`
/// answers whether it succeeded, and leaves nothing mapped and no file open either way.
template <class Run>
failure_points fail_every_call(Run&& run, int errno_value = ENOTRECOVERABLE) {
    failure_points seen;
    for (std::uint64_t n = 1;; ++n) {
        const std::uint64_t calls = os::calls(os::call::any);
        const std::uint64_t pages = mapped_pages();
        const std::size_t files = open_files();
        os::fail_nth(os::call::any, n, errno_value);
        const bool succeeded = run();
        const std::uint64_t made = os::calls(os::call::any) - calls;
        os::fail_nth(os::call::any, 0, 0);
        BOOST_TEST_CONTEXT("failing system call " << n) {
            BOOST_TEST(mapped_pages() == pages);
            BOOST_TEST(open_files() == files);
        }
        if (made < n) {
            BOOST_TEST(succeeded);
            return seen;
        }
        ++seen.calls;
        seen.survived += succeeded ? 1U : 0U;
    }
}

} // namespace palloc::test
