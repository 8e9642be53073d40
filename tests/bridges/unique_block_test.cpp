// SPDX-License-Identifier: MIT
#include <palloc/bridges/unique_block.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <type_traits>
#include <utility>

#include "support/bump_parent.hpp"

using namespace palloc;

namespace {

using parent = test::bump_parent;
using block = unique_block<parent>;
static_assert(!std::is_copy_constructible_v<block> && !std::is_copy_assignable_v<block>);
static_assert(std::is_nothrow_move_constructible_v<block>);

template <class Block>
concept has_bytes = requires(const Block& b) { b.bytes(); };
struct touchable_parent : parent {
    static constexpr bool is_touchable = true;
};
static_assert(has_bytes<unique_block<touchable_parent>> && !has_bytes<block>);

} // namespace

BOOST_AUTO_TEST_SUITE(owner_of_a_block)

BOOST_AUTO_TEST_CASE(gives_the_block_back_with_size_and_alignment) {
    parent pool;
    {
        const auto mine = block::make(pool, 100, 64).value();
        BOOST_TEST(static_cast<bool>(mine));
        BOOST_TEST(mine.where().bytes == 100u);
        BOOST_TEST((pool.blocks.at(mine.where().base) == parent::block{100, 64}));
    }
    BOOST_TEST(pool.blocks.empty());
}

BOOST_AUTO_TEST_CASE(says_why_there_is_no_block) {
    parent pool;
    BOOST_TEST((block::make(pool, 0).error().code == errc::zero_size));
    BOOST_TEST((block::make(pool, 8, 3).error().code == errc::bad_alignment));
}

BOOST_AUTO_TEST_CASE(moves) {
    parent pool;
    auto first = block::make(pool, 10).value();
    const range where = first.where();
    auto second = std::move(first);
    BOOST_TEST(!first); // NOLINT(bugprone-use-after-move): that it is empty is promised
    BOOST_TEST((second.where() == where));
    auto third = block::make(pool, 20).value();
    BOOST_TEST(pool.blocks.size() == 2u);
    third = std::move(second);
    BOOST_TEST(pool.blocks.size() == 1u);
    BOOST_TEST((third.where() == where));
    block fourth;
    third.swap(fourth);
    BOOST_TEST((!third && fourth));
    block& same = fourth;
    fourth = std::move(same);
    BOOST_TEST((fourth.where() == where));
}

BOOST_AUTO_TEST_CASE(reset_gives_back_release_lets_go) {
    parent pool;
    auto mine = block::make(pool, 10).value();
    mine.reset();
    BOOST_TEST(!mine);
    BOOST_TEST(pool.blocks.empty());
    mine.reset();
    auto theirs = block::make(pool, 10, 16).value();
    const range let_go = theirs.release();
    BOOST_TEST(!theirs);
    BOOST_TEST((theirs.where() == range{}));
    BOOST_TEST(pool.blocks.size() == 1u);
    BOOST_TEST(pool.deallocate(let_go.base, let_go.bytes, 16).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
