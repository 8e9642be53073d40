// SPDX-License-Identifier: MIT
// Every method of box, pinned_slice and vec that allocates, with every call to its allocator, or to
// the backing beneath it, failing in turn, and with every construction throwing in turn: the vector
// is as it was, the element comes back, nothing is lost, and nothing but a constructor throws.
#include <palloc/backings/failing.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/ledger.hpp"
#include "support/tracked.hpp"

using namespace palloc;
using test::ledger;
using test::ledger_ref;
using test::population;

namespace {

using careful = test::tracked<false>;
using throwing = test::tracked<true>;
/// Of which a vector moves the bytes.
struct relocatable : careful {
    using careful::careful;
};

/// So large that a heap has to ask its backing for each block.
template <class T>
struct large : T {
    using T::T;
    std::array<std::byte, 5000> room{};
};

} // namespace

template <>
inline constexpr bool palloc::is_trivially_relocatable<relocatable> = true;
template <>
inline constexpr bool palloc::is_trivially_relocatable<large<relocatable>> = true;

namespace {

/// An allocator that is refused the nth time it asks for memory.
struct refused_by_the_allocator {
    using handle = ledger_ref;
    template <class T>
    using element = T;
    static constexpr bool always_fails = true; ///< where one call fails the method does

    ledger memory;

    [[nodiscard]] handle from() { return ledger_ref(memory); }
    void fail_nth(std::uint64_t n) { memory.fail_nth(n); }
    [[nodiscard]] std::uint64_t calls() const { return memory.calls(); }
    [[nodiscard]] std::uint64_t in_use() { return memory.live(); }
};

/// Pages of a real backing, which is made to fail the nth time it is called, whatever for.
struct refused_by_the_backing {
    using heap_type = basic_vmalloc_heap<failing<native_addresses>>;
    using handle = owner_ref<heap_type>;
    template <class T>
    using element = large<T>;
    static constexpr bool always_fails = false; ///< to give memory back may fail unnoticed

    fault_script script;
    heap_type heap{{.step_bytes = 1 << 26}, failing(native_addresses(), script)};

    [[nodiscard]] handle from() { return heap; }
    void fail_nth(std::uint64_t n) { script.fail_nth(backing_call::any, n); }
    [[nodiscard]] std::uint64_t calls() const { return script.calls(backing_call::any); }
    [[nodiscard]] std::uint64_t in_use() { return heap.used_bytes(); }
};

/// Both heaps of kvmalloc, over backings that follow one script.
struct refused_by_either_backing {
    using small_heap = basic_kmalloc_heap<failing<native_memory>>;
    using large_heap = basic_vmalloc_heap<failing<native_addresses>>;
    using handle = kv_allocator<allocator_ref<small_heap>, owner_ref<large_heap>>;
    template <class T>
    using element = large<T>;
    static constexpr bool always_fails = false; ///< where the first fails the second is asked

    fault_script script;
    small_heap small{{.step_bytes = 1, .cap_bytes = 1 << 16}, failing(native_memory(), script)};
    large_heap large_blocks{{.step_bytes = 1 << 26}, failing(native_addresses(), script)};

    [[nodiscard]] handle from() { return {small, large_blocks}; }
    void fail_nth(std::uint64_t n) { script.fail_nth(backing_call::any, n); }
    [[nodiscard]] std::uint64_t calls() const { return script.calls(backing_call::any); }
    [[nodiscard]] std::uint64_t in_use() { return large_blocks.used_bytes(); }
};

/// One call, on a vector of 4 elements that is full. Answers the error, and what came back.
template <class World, class T>
struct method {
    using own = vec<T, typename World::handle>;
    std::string name;
    std::function<std::optional<error>(own&, population&)> call;
};

constexpr int marked = 77;

/// Of what gives its element back.
std::optional<error> came_back(const auto& answer) {
    if (answer)
        return std::nullopt;
    BOOST_TEST(answer.error().value.value() == marked);
    return answer.error().why;
}

std::optional<error> error_of(const auto& answer) {
    return answer ? std::nullopt : std::optional(answer.error());
}

/// All that allocate (docs/kalloc.md has the list of all).
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

template <class World, class T>
struct of {
    using world = World;
    using element = typename World::template element<T>;
};
using all_cases =
    std::tuple<of<refused_by_the_allocator, relocatable>, of<refused_by_the_backing, relocatable>,
               of<refused_by_either_backing, relocatable>, of<refused_by_the_allocator, careful>,
               of<refused_by_the_allocator, throwing>, of<refused_by_the_backing, careful>,
               of<refused_by_the_backing, throwing>, of<refused_by_either_backing, careful>,
               of<refused_by_either_backing, throwing>>;
using plain_scene = scene<refused_by_the_allocator, careful>;
using throwing_scene = scene<refused_by_the_allocator, throwing>;

} // namespace

BOOST_AUTO_TEST_SUITE(failures)

BOOST_AUTO_TEST_CASE_TEMPLATE(without_memory_nothing_changes, Case, all_cases) {
    using world = typename Case::world;
    using element = typename Case::element;
    for (const auto& [name, call] : methods<world, element>())
        BOOST_TEST_CONTEXT(name) {
            std::uint64_t failed = 0;
            for (std::uint64_t n = 1;; ++n) {
                scene<world, element> it;
                const auto before = it.world.calls();
                it.world.fail_nth(n);
                const auto why = call(it.it, it.all); // does not throw
                if (it.world.calls() - before < n) {
                    BOOST_TEST(!why.has_value());
                    break;
                }
                failed += why ? 1U : 0U;
                if (why)
                    it.check_unchanged();
                if constexpr (world::always_fails) {
                    if (!why && name == "into_iter and collect")
                        continue; // the block is as good as it was
                    BOOST_TEST_REQUIRE(why.has_value());
                    BOOST_TEST((why->code == errc::out_of_memory));
                }
            }
            if constexpr (!std::is_same_v<world, refused_by_either_backing>)
                BOOST_TEST(failed != 0u); // it did allocate
        }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(an_exception_changes_nothing, Case, all_cases) {
    using world = typename Case::world;
    using element = typename Case::element;
    for (const auto& [name, call] : methods<world, element>())
        BOOST_TEST_CONTEXT(name) {
            for (int n = 1;; ++n) {
                scene<world, element> it;
                it.all.throw_in = n;
                try {
                    (void)call(it.it, it.all);
                    break;
                } catch (const std::runtime_error&) {
                    it.all.throw_in = 0;
                    it.check_elements(); // room that was made stays: it is no element
                }
            }
        }
}

BOOST_AUTO_TEST_CASE(shrinking_that_fails_changes_nothing) {
    plain_scene it;
    BOOST_TEST(it.it.pop().has_value());
    it.world.memory.fail_nth(1);
    BOOST_TEST((it.it.shrink_to(0, flags::kernel).error().code == errc::out_of_memory));
    BOOST_TEST((it.it.size() == 3u && it.it.capacity() == 4u && it.it.data() == it.block));
    BOOST_TEST(it.it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.it.size() == 3u && it.it.capacity() == 3u));
    it.it.clear();
    BOOST_TEST(it.it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.it.capacity() == 0u && it.world.memory.live() == 0u));
}

BOOST_AUTO_TEST_CASE(elements_that_may_throw_when_moved_are_copied) {
    throwing_scene it;
    const int copies = it.all.copies;
    BOOST_TEST(it.it.reserve(1, flags::kernel).has_value());
    BOOST_TEST(it.all.copies == copies + 4);
    plain_scene other;
    BOOST_TEST(other.it.reserve(1, flags::kernel).has_value());
    BOOST_TEST(other.all.copies == 0);
}

BOOST_AUTO_TEST_CASE(elements_that_are_bytes_are_moved_by_the_allocator) {
    scene<refused_by_the_allocator, relocatable> it;
    BOOST_TEST(it.it.reserve(100, flags::kernel).has_value());
    BOOST_TEST(it.it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.all.moves == 0 && it.all.copies == 0));
    it.check_elements();
    scene<refused_by_the_backing, large<relocatable>> pages;
    auto wall = alloc(pages.world.heap, {1, 1}, flags::kernel); // so that it cannot stay
    BOOST_TEST(pages.it.reserve(5000, flags::kernel).has_value());
    BOOST_TEST((pages.all.moves == 0 && pages.all.copies == 0));
    BOOST_TEST(pages.world.script.calls(backing_call::move_pages) == 1u);
    pages.check_elements();
    free(pages.world.heap, wall->data(), {1, 1});
    plain_scene other; // while others are moved one by one
    const int moves = other.all.moves;
    BOOST_TEST(other.it.reserve(1, flags::kernel).has_value());
    BOOST_TEST(other.all.moves == moves + 4);
}

BOOST_AUTO_TEST_CASE(collecting_again_loses_nothing_when_a_move_throws) {
    throwing_scene it;
    auto walk = std::move(it.it).into_iter();
    BOOST_TEST(walk.next().has_value());
    it.all.throw_in = 2;
    BOOST_CHECK_THROW((void)std::move(walk).collect(flags::kernel), std::runtime_error);
    it.all.throw_in = 0;
}

BOOST_AUTO_TEST_CASE(collecting_again_does_not_mind_a_block_that_stays) {
    plain_scene it;
    auto walk = std::move(it.it).into_iter();
    BOOST_TEST(walk.next()->value() == 0);
    it.world.fail_nth(1);
    const auto rest = std::move(walk).collect(flags::kernel);
    BOOST_TEST((rest.size() == 3u && rest.capacity() == 4u && rest.data() == it.block));
    BOOST_TEST((rest[0].value() == 1 && rest[2].value() == 3));
}

BOOST_AUTO_TEST_SUITE_END()
