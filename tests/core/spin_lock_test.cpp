// SPDX-License-Identifier: MIT
#include <palloc/core/spin_lock.hpp>

#include <boost/test/unit_test.hpp>

#include <mutex>
#include <thread>

#include "support/in_child.hpp"

namespace {

using palloc::detail::locked_if;
using palloc::detail::spin_lock;

BOOST_AUTO_TEST_CASE(only_one_thread_holds_it) {
    spin_lock lock;
    int count = 0;
    const auto add = [&] {
        for (int i = 0; i != 20'000; ++i) {
            const std::lock_guard guard(lock);
            ++count;
        }
    };
    std::thread first(add);
    std::thread second(add);
    first.join();
    second.join();
    BOOST_TEST(count == 40'000);
}

BOOST_AUTO_TEST_CASE(a_child_takes_over_what_the_parent_holds_and_is_told) {
    spin_lock lock;
    bool repaired = false;
    const locked_if<true> held(lock, [&] { repaired = true; });
    BOOST_TEST(!repaired);
    BOOST_TEST(palloc::test::in_child(
                   [&] {
                       bool told = false;
                       {
                           const locked_if<true> taken(lock, [&] { told = true; });
                       }
                       bool again = false;
                       {
                           const locked_if<true> own(lock, [&] { again = true; });
                       }
                       return told && !again;
                   },
                   10) == 0);
}

} // namespace
