// SPDX-License-Identifier: MIT
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

using namespace palloc;

namespace {

constexpr error full{errc::out_of_memory};

// What is answered by a word and a word travels in registers.
static_assert(sizeof(result<void>) == 8 && std::is_trivially_copyable_v<result<void>>);
static_assert(sizeof(result<std::uint64_t>) == 16);
static_assert(std::is_trivially_copyable_v<result<address>>);
static_assert(std::is_trivially_copyable_v<result<std::span<char>>>);
static_assert(!std::is_copy_constructible_v<result<std::unique_ptr<int>>>);
static_assert(!std::is_convertible_v<int, result<std::unique_ptr<int>>>);

constexpr result<int> halved(int number) {
    if (number % 2 != 0)
        return fail(errc::bad_argument, number);
    return number / 2;
}
static_assert(*halved(8) == 4 && halved(7).error() == error{errc::bad_argument, 7});
static_assert(halved(8).and_then(halved).and_then(halved) == 1);
static_assert(halved(6).and_then(halved) == fail(errc::bad_argument, 3));
static_assert(halved(7).value_or(-1) == -1 && halved(8).value_or(-1) == 4);
static_assert(halved(7).map([](int n) { return n + 1; }) == halved(7));

} // namespace

BOOST_AUTO_TEST_SUITE(results)

BOOST_AUTO_TEST_CASE(every_error_comes_out_as_it_went_in) {
    using limits = std::numeric_limits<std::int32_t>;
    for (const std::int32_t os : {0, 1, -1, ENOMEM, limits::min(), limits::max()})
        for (unsigned code = 0; code != 256; ++code) {
            const error wrong{static_cast<errc>(code), os};
            const result<void> nothing = tl::unexpected(wrong);
            const result<std::string> text = tl::unexpected(wrong);
            BOOST_TEST_REQUIRE((!nothing && nothing.error() == wrong));
            BOOST_TEST_REQUIRE((!text && text.error() == wrong));
        }
}

BOOST_AUTO_TEST_CASE(a_value_of_zero_is_a_value) {
    BOOST_TEST((result<void>() && result<address>(0) && result<std::string>()));
    BOOST_TEST((result<address>(0) == result<address>(std::uint64_t{0})));
    BOOST_TEST((result<address>(0) != result<address>(fail(errc::out_of_memory))));
}

BOOST_AUTO_TEST_CASE(values_are_copied_moved_and_ended_once) {
    const auto life = std::make_shared<int>(7);
    {
        result<std::shared_ptr<int>> one = life;
        result<std::shared_ptr<int>> two = one;
        BOOST_TEST(life.use_count() == 3);
        result<std::shared_ptr<int>> three = std::move(one);
        BOOST_TEST(life.use_count() == 3);
        two = tl::unexpected(full);
        BOOST_TEST((life.use_count() == 2 && two.error() == full));
        two = three;
        BOOST_TEST((life.use_count() == 3 && **two == 7));
        two = std::move(three);
        BOOST_TEST(life.use_count() == 2);
        result<std::shared_ptr<int>>& itself = two;
        two = itself;
        BOOST_TEST((life.use_count() == 2 && two.has_value()));
        const auto taken = *std::move(two);
        BOOST_TEST(life.use_count() == 2);
    }
    BOOST_TEST(life.use_count() == 1);
}

BOOST_AUTO_TEST_CASE(what_is_asked_of_none_is_thrown) {
    result<std::unique_ptr<int>> none = tl::unexpected(full);
    const auto is_full = [](const tl::bad_expected_access<error>& told) {
        return told.error() == full;
    };
    BOOST_CHECK_EXCEPTION((void)none.value(), tl::bad_expected_access<error>, is_full);
    BOOST_CHECK_EXCEPTION((void)std::move(none).value(), tl::bad_expected_access<error>, is_full);
    BOOST_CHECK_EXCEPTION(result<void>(fail(errc::out_of_memory)).value(),
                          tl::bad_expected_access<error>, is_full);
    result<void>().value();
}

BOOST_AUTO_TEST_CASE(functions_see_the_value_or_nothing) {
    int calls = 0;
    const auto count = [&](auto&&...) { ++calls; };
    BOOST_TEST((result<int>(1).map(count).has_value() && calls == 1));
    BOOST_TEST((result<void>().map(count).has_value() && calls == 2));
    BOOST_TEST((result<int>(tl::unexpected(full)).map(count).error() == full && calls == 2));
    BOOST_TEST((result<void>(tl::unexpected(full)).map(count).error() == full && calls == 2));
    // A value that can only be moved is moved through.
    auto number = result<int>(3).map([](int n) { return std::make_unique<int>(n); });
    const result<int> told = std::move(number).map([](std::unique_ptr<int> n) { return *n; });
    BOOST_TEST((told == 3));
}

BOOST_AUTO_TEST_CASE(results_convert_as_their_values_do) {
    const result<std::uint8_t> small = std::uint8_t{200};
    const result<std::uint64_t> wide = small;
    BOOST_TEST((wide == 200U));
    const result<std::uint64_t> none = result<std::uint8_t>(tl::unexpected(full));
    BOOST_TEST((none.error() == full));
}

BOOST_AUTO_TEST_SUITE_END()
