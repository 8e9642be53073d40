// SPDX-License-Identifier: MIT
// Threads of a process in which the C library has no memory left.
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdlib>
#include <thread>

#include <sys/resource.h>

#include "support/in_child.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

/// Takes memory for good; seen by the compiler, which may leave out an allocation otherwise.
bool take(std::size_t bytes) {
    static void* volatile last;
    last = std::malloc(bytes);
    return last != nullptr;
}

} // namespace

BOOST_AUTO_TEST_SUITE(exhausted)

BOOST_AUTO_TEST_CASE(a_thread_s_first_call_outlives_the_c_library_s_last_byte) {
    if (test::is_sanitized)
        test::skip("a sanitizer's malloc ends the process when nothing is left");
    kmalloc from;
    const layout wanted{100, 1};
    const int end = test::in_child([&] {
        free(from, alloc(from, wanted, flags::kernel)->data(), wanted);
        bool served = false;
        std::jthread([&] {
            const rlimit none{0, 0};
            if (::setrlimit(RLIMIT_AS, &none) != 0 || ::setrlimit(RLIMIT_DATA, &none) != 0)
                return;
            for (std::size_t bytes = 1 << 20; bytes != 4; bytes /= 2)
                while (take(bytes)) {
                }
            const auto got = alloc(from, wanted, flags::kernel); // of what is mapped
            served = got.has_value() && std::calloc(1, 32) == nullptr;
            if (got)
                free(from, got->data(), wanted);
        }).join();
        return served;
    });
    BOOST_TEST(end == 0);
}

BOOST_AUTO_TEST_SUITE_END()
