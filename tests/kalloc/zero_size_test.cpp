// SPDX-License-Identifier: MIT
// Objects of size 0, an extension that both compilers have and warn of.
#pragma GCC diagnostic ignored "-Wpedantic"

#include <palloc/kalloc/array_layout.hpp>
#include <palloc/kalloc/box.hpp>
#include <palloc/kalloc/vec.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <utility>

#include "support/ledger.hpp"
#include "support/skip.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;

namespace {

struct nothing {
    int none[0];
};
static_assert(sizeof(nothing) == 0);

template <class T>
using own = vec<T, ledger_ref>;

/// clang's object-size check takes any reference to such an object for one that is out of bounds.
void skip_where_references_are_measured() {
#if defined(__has_feature)
#if __has_feature(undefined_behavior_sanitizer)
    test::skip("the sanitizer refuses objects of size 0");
#endif
#endif
}

} // namespace

BOOST_AUTO_TEST_SUITE(size_zero)

BOOST_AUTO_TEST_CASE(elements_of_size_zero_need_no_memory) {
    skip_where_references_are_measured();
    ledger memory;
    own<nothing> it{ledger_ref(memory)};
    BOOST_TEST(it.capacity() == ~std::size_t{0});
    for (int i = 0; i != 1000; ++i)
        BOOST_TEST(it.push(nothing{}, flags::nowait).has_value());
    BOOST_TEST((it.size() == 1000u && it.pop().has_value() && it.size() == 999u));
    BOOST_TEST(it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.reserve(~std::size_t{0}, flags::kernel).error().code == errc::too_large));
    it.retain([n = 0](nothing&) mutable { return n++ % 2 == 0; });
    BOOST_TEST(it.size() == 500u);
    BOOST_TEST((memory.calls() == 0u && memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(an_object_of_size_zero_needs_none) {
    skip_where_references_are_measured();
    ledger memory;
    auto it = box<nothing, ledger_ref>::make_in(ledger_ref(memory), flags::nowait);
    BOOST_TEST((it.has_value() && static_cast<bool>(*it)));
    BOOST_TEST((memory.calls() == 0u && memory.live() == 0u));
    auto block = std::move(*it).drop_contents();
    BOOST_TEST(static_cast<bool>(std::move(block).write(nothing{})));
}

BOOST_AUTO_TEST_CASE(any_number_of_them_has_a_layout) {
    BOOST_TEST(array_layout<nothing>::make(~std::size_t{0})->bytes() == 0u);
}

BOOST_AUTO_TEST_SUITE_END()
