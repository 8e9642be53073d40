// SPDX-License-Identifier: MIT
// Which errors of the operating system mean want, which a refusal.
#include <palloc/core/error.hpp>
#include <palloc/core/os_codes.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <vector>

using namespace palloc;

BOOST_AUTO_TEST_CASE(an_error_of_the_system_is_a_want_or_a_refusal_or_neither) {
#if defined(_WIN32)
    const std::vector<std::int32_t> wants{8, 1455};  // not enough memory; the paging file is full
    const std::vector<std::int32_t> refusals{5, 50}; // access denied; not supported
    const std::vector<std::int32_t> neither{0, 87};  // an invalid parameter
#else
    const std::vector<std::int32_t> wants{ENOMEM, EAGAIN, ENFILE, EMFILE};
    const std::vector<std::int32_t> refusals{EACCES, EPERM, ENOSYS};
    const std::vector<std::int32_t> neither{0, EINVAL, EBADF};
#endif
    for (const std::int32_t code : wants)
        BOOST_TEST((is_shortage({errc::os_failure, code}) && !is_denial({errc::os_failure, code})));
    for (const std::int32_t code : refusals)
        BOOST_TEST((is_denial({errc::os_failure, code}) && !is_shortage({errc::os_failure, code})));
    for (const std::int32_t code : neither)
        BOOST_TEST(
            (!is_denial({errc::os_failure, code}) && !is_shortage({errc::os_failure, code})));
    BOOST_TEST(!is_shortage({errc::out_of_memory, wants[0]})); // no code of the system
    BOOST_TEST(!is_denial({errc::not_supported, refusals[0]}));
}
