// SPDX-License-Identifier: MIT
// That the selected pools are what they are said to be, and that all of them are in some slice.
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <set>
#include <utility>

#include "product/matrix.hpp"

using namespace palloc::test::product;

namespace {

/// Calls `f` for every legal pool.
template <class F>
void for_each_legal(F&& f) {
    row it{};
    for (std::size_t next = 0; next != factors;) {
        if (is_legal(it))
            f(it);
        for (next = 0; next != factors && ++it.of[next] == sizes[next]; ++next)
            it.of[next] = 0;
    }
}

std::set<std::pair<std::size_t, std::size_t>> both_of(factor one, factor other, bool legal) {
    std::set<std::pair<std::size_t, std::size_t>> both;
    const auto note = [&](const row& it) { both.emplace(it.of[one], it.of[other]); };
    if (legal)
        for_each_legal(note);
    else
        for (std::size_t i = 0; i != selected.count; ++i)
            note(selected.rows[i]);
    return both;
}

} // namespace

BOOST_AUTO_TEST_SUITE(product)

BOOST_AUTO_TEST_CASE(every_selected_pool_is_legal) {
    for (std::size_t i = 0; i != selected.count; ++i)
        BOOST_TEST(is_legal(selected.rows[i]));
}

BOOST_AUTO_TEST_CASE(every_two_policies_that_may_meet_do) {
    pairs seen;
    for (std::size_t i = 0; i != selected.count; ++i)
        seen.add(selected.rows[i]);
    std::size_t missing = 0;
    for_each_legal([&](const row& it) { missing += seen.add(it); });
    BOOST_TEST(missing == 0u);
}

BOOST_AUTO_TEST_CASE(algorithms_with_bitmaps_and_backings_with_protections_are_complete) {
    BOOST_TEST((both_of(algorithm, bitmap, false) == both_of(algorithm, bitmap, true)));
    BOOST_TEST((both_of(backing, protection, false) == both_of(backing, protection, true)));
    BOOST_TEST(both_of(algorithm, bitmap, true).size() >= 62u);
    BOOST_TEST(both_of(backing, protection, true).size() >= 19u);
}

BOOST_AUTO_TEST_SUITE_END()
