// SPDX-License-Identifier: MIT
/// @file
/// @brief Every method of box, pinned_slice and vec that allocates, to be called while memory
/// fails.
#pragma once

#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tracked.hpp"

namespace palloc::test {

using careful = tracked<false>;
using throwing = tracked<true>;
/// @brief Of which a vector moves the bytes.
struct relocatable : careful {
    using careful::careful;
};

/// @brief So large that a heap has to ask its backing for each block.
template <class T>
struct large : T {
    using T::T;
    std::array<std::byte, 5000> room{};
};

} // namespace palloc::test

template <>
inline constexpr bool palloc::is_trivially_relocatable<palloc::test::relocatable> = true;
template <>
inline constexpr bool
    palloc::is_trivially_relocatable<palloc::test::large<palloc::test::relocatable>> = true;

namespace palloc::test {

/// @brief One call, on a vector of 4 elements that is full. Answers the error, and what came back.
template <class World, class T>
struct method {
    using own = vec<T, typename World::handle>;
    std::string name;
    std::function<std::optional<error>(own&, population&)> call;
};

inline constexpr int marked = 77;

/// @brief Of what gives its element back.
std::optional<error> came_back(const auto& answer) {
    if (answer)
        return std::nullopt;
    BOOST_TEST(answer.error().value.value() == marked);
    return answer.error().why;
}

std::optional<error> error_of(const auto& answer) {
    return answer ? std::nullopt : std::optional(answer.error());
}

/// @brief All that allocate (docs/kalloc.md has the list of all).
template <class World, class T>
std::vector<method<World, T>> methods() {
    using own = vec<T, typename World::handle>;
    using held = box<T, typename World::handle>;
    using row = pinned_slice<T, typename World::handle>;
    return {
        {"push",
         [](own& v, population& all) { return came_back(v.push(T(all, marked), flags::kernel)); }},
        {"emplace",
         [](own& v, population& all) { return error_of(v.emplace(flags::kernel, all, marked)); }},
        {"extend_with",
         [](own& v, population& all) {
             return came_back(v.extend_with(3, T(all, marked), flags::kernel));
         }},
        {"resize",
         [](own& v, population& all) {
             return came_back(v.resize(9, T(all, marked), flags::kernel));
         }},
        {"extend_from_slice",
         [](own& v, population&) {
             return error_of(v.extend_from_slice(v.span(), flags::kernel));
         }},
        {"extend",
         [](own& v, population& all) {
             const std::array<T, 2> more{T(all, 1), T(all, 2)};
             return error_of(v.extend(more, flags::kernel));
         }},
        {"reserve", [](own& v, population&) { return error_of(v.reserve(1, flags::kernel)); }},
        {"shrink_to",
         [](own& v, population& all) -> std::optional<error> {
             own roomy(v.allocator());
             if (const auto room = roomy.reserve(8, flags::kernel); !room)
                 return room.error();
             for (int i = 0; i != 3; ++i)
                 BOOST_TEST(roomy.emplace(flags::nowait, all, i).has_value());
             const T* const first = roomy.data();
             const auto done = roomy.shrink_to(0, flags::kernel);
             BOOST_TEST((roomy.size() == 3u && roomy[0] == 0 && roomy[2] == 2));
             BOOST_TEST((done ? roomy.capacity() == 3 : roomy.capacity() == 8));
             BOOST_TEST((done || roomy.data() == first));
             return error_of(done);
         }},
        {"into_iter and collect",
         [](own& v, population&) -> std::optional<error> {
             auto copy = v.clone(flags::kernel);
             if (!copy)
                 return copy.error();
             auto walk = std::move(*copy).into_iter();
             BOOST_TEST(walk.next()->value() == 0);
             const own rest =
                 std::move(walk).collect(flags::kernel); // that the block stays is fine
             BOOST_TEST((rest.size() == 3u && rest[0] == 1 && rest[2] == 3));
             return std::nullopt;
         }},
        {"clone", [](own& v, population&) { return error_of(v.clone(flags::kernel)); }},
        {"from_elem",
         [](own& v, population& all) -> std::optional<error> {
             return came_back(own::from_elem(T(all, marked), 3, flags::kernel, v.allocator()));
         }},
        {"with_capacity",
         [](own& v, population&) {
             return error_of(own::with_capacity(3, flags::kernel, v.allocator()));
         }},
        {"collect",
         [](own& v, population&) {
             return error_of(own::collect(v.span(), flags::kernel, v.allocator()));
         }},
        {"of",
         [](own& v, population& all) {
             return error_of(own::of({T(all, 1), T(all, 2)}, flags::kernel, v.allocator()));
         }},
        {"resize of an empty one",
         [](own& v, population& all) {
             own empty(v.allocator());
             return came_back(empty.resize(2, T(all, marked), flags::kernel));
         }},
        {"box::create",
         [](own& v, population& all) {
             return came_back(held::create(T(all, marked), flags::kernel, v.allocator()));
         }},
        {"box::make_in",
         [](own& v, population& all) {
             return error_of(held::make_in(v.allocator(), flags::kernel, all, 1));
         }},
        {"box::make_with",
         [](own& v, population& all) {
             return error_of(
                 held::make_with(flags::kernel, [&] { return T(all, 1); }, v.allocator()));
         }},
        {"box::make_uninit",
         [](own& v, population&) {
             return error_of(held::make_uninit(flags::kernel, v.allocator()));
         }},
        {"box::pin",
         [](own& v, population& all) {
             return came_back(held::pin(T(all, marked), flags::kernel, v.allocator()));
         }},
        {"pinned_slice::make",
         [](own& v, population& all) {
             return error_of(row::make(
                 3, [&](std::size_t) { return T(all, 1); }, flags::kernel, v.allocator()));
         }},
    };
}

/// @brief A full vector of 4 elements in a world of its own.
/// @tparam World  has `from()`, a handle; `in_use()`, which tells whether a block was lost.
template <class World, class T>
struct scene {
    World world;
    population all;
    vec<T, typename World::handle> it{world.from()};
    const T* block = nullptr;
    std::uint64_t in_use = 0;

    scene() {
        for (int i = 0; i != 4; ++i)
            BOOST_TEST_REQUIRE(it.emplace(flags::kernel, all, i).has_value());
        BOOST_TEST_REQUIRE(it.capacity() == 4u);
        block = it.data();
        in_use = world.in_use();
    }
    void check_elements() {
        BOOST_TEST(it.size() == 4u);
        for (int i = 0; i != 4; ++i)
            BOOST_TEST(it[static_cast<std::size_t>(i)].value() == i);
        BOOST_TEST(all.live == 4);
    }
    void check_unchanged() {
        BOOST_TEST((it.capacity() == 4u && it.data() == block));
        check_elements();
        BOOST_TEST(world.in_use() == in_use);
    }
};

} // namespace palloc::test
