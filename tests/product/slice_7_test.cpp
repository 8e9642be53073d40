// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include "product/slice.hpp"

BOOST_AUTO_TEST_CASE_TEMPLATE(lives, Rig, palloc::test::product::rigs_of<7>) {
    palloc::test::product::live<Rig>();
}
