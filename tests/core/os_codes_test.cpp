// SPDX-License-Identifier: MIT
#include <palloc/core/os_codes.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>

using namespace palloc;

namespace {

#if defined(_WIN32)
constexpr std::int32_t no_memory = 1455; // ERROR_COMMITMENT_LIMIT
constexpr std::int32_t denied = 5;       // ERROR_ACCESS_DENIED
constexpr std::int32_t neither = 87;     // ERROR_INVALID_PARAMETER
constexpr std::int32_t busy = 170;
#else
constexpr std::int32_t no_memory = ENOMEM;
constexpr std::int32_t denied = EPERM;
constexpr std::int32_t neither = EINVAL;
constexpr std::int32_t busy = EBUSY;
#endif

} // namespace

BOOST_AUTO_TEST_SUITE(os_codes)

BOOST_AUTO_TEST_CASE(want_and_denial_are_told_apart) {
    for (const auto code : {no_memory, denied, neither}) {
        BOOST_TEST(is_shortage({errc::os_failure, code}) == (code == no_memory));
        BOOST_TEST(is_denial({errc::os_failure, code}) == (code == denied));
        BOOST_TEST(!is_busy({errc::os_failure, code}));
        BOOST_TEST(!is_shortage({errc::not_supported, code})); // only the system's own
        BOOST_TEST(!is_denial({errc::not_supported, code}));
    }
    BOOST_TEST(is_busy({errc::os_failure, busy}));
    BOOST_TEST(!is_busy({errc::not_supported, busy}));
}

BOOST_AUTO_TEST_SUITE_END()
