// SPDX-License-Identifier: MIT
// The heaps of the process with options of the program's own. One story: there is one of each.
#include <palloc/kalloc.hpp>
#include <palloc/kalloc/heap_options.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

using namespace palloc;

namespace {

using large = std::array<std::byte, 8 << 20>;

std::vector<failed_request> told;
constexpr failure_policy tell{[](void* log, const failed_request& one) noexcept {
                                  static_cast<std::vector<failed_request>*>(log)->push_back(one);
                              },
                              &told};

} // namespace

BOOST_AUTO_TEST_SUITE(process_heaps)

BOOST_AUTO_TEST_CASE(are_made_as_the_program_wants_before_they_are_used) {
    heap_options options = kmalloc::default_options();
    BOOST_TEST((options.name == std::string_view("kmalloc")));
    options.reserve_bytes = 1 << 20;
    options.account_cap_bytes = 1 << 20;
    options.step_bytes = 1 << 20;
    options.on_failure = tell;
    BOOST_TEST(kmalloc::configure(options).has_value());
    heap_options beyond = vmalloc::default_options();
    beyond.account_cap_bytes = 8192;
    beyond.on_failure = tell;
    BOOST_TEST(vmalloc::configure(beyond).has_value());

    // The reserve is there before anything else is.
    kvmalloc both;
    const auto urgent = alloc(both, {1000, 1}, flags::atomic);
    BOOST_TEST_REQUIRE(urgent.has_value());
    BOOST_TEST(kmalloc::heap().owns(urgent->data()));
    BOOST_TEST(!alloc(both, {1000, 1}, flags::nowait).has_value());
    free(both, urgent->data(), {1000, 1});

    BOOST_TEST(told.empty());
    BOOST_TEST(!kbox<large>::make_uninit(flags::kernel).has_value());
    BOOST_TEST_REQUIRE(told.size() == 1u);
    BOOST_TEST((told[0].why.code == errc::too_large && told[0].wanted.bytes == 8u << 20));
    kvvec<std::byte> charged;
    BOOST_TEST((charged.reserve(8 << 20, flags::kernel_account).error().code == errc::over_limit));
    BOOST_TEST(told.size() == 2u);
    BOOST_TEST(charged.reserve(8 << 20, flags::kernel).has_value());
}

BOOST_AUTO_TEST_CASE(stay_as_they_are_once_they_are_there) {
    (void)kmalloc::heap();
    (void)vmalloc::heap();
    BOOST_TEST((kmalloc::configure({.reserve_bytes = 1 << 30}).error().code == errc::outstanding));
    BOOST_TEST((vmalloc::configure({}).error().code == errc::outstanding));
    BOOST_TEST(kmalloc::heap().mapped_bytes() < 1u << 30);
}

BOOST_AUTO_TEST_SUITE_END()
