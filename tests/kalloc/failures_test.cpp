// SPDX-License-Identifier: MIT
// Every method of box, pinned_slice and vec that allocates, with every call to its allocator, or to
// the backing beneath it, failing in turn, and with every construction throwing in turn: the vector
// is as it was, the element comes back, nothing is lost, and nothing but a constructor throws.
#include <palloc/backings/failing.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <type_traits>
#include <utility>

#include "support/ledger.hpp"
#include "support/vec_methods.hpp"

using namespace palloc;
using test::careful;
using test::large;
using test::ledger;
using test::ledger_ref;
using test::relocatable;
using test::scene;
using test::throwing;

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
    for (const auto& [name, call] : test::methods<world, element>())
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
    for (const auto& [name, call] : test::methods<world, element>())
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
