// SPDX-License-Identifier: MIT
// Every system call made to fail in turn: a clean error, and nothing lost.
#include <palloc/perm_alloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <tuple>
#include <vector>

#include "backends/seam.hpp"
#include "machine_code.hpp"
#include "support/failure_points.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {

using kinds =
    std::tuple<perm_alloc, basic_perm_alloc<native_views>, basic_perm_alloc<native_memory>>;
using function = int();

/// What a program does with code. Where a step fails it is tried again with nothing failing, and
/// must then do what it should have done.
template <class Allocator>
bool live(bool& consistent) {
    const auto stop_failing = [] { os::fail_nth(os::call::any, 0, 0); };
    bool all_good = true;
    const auto twice = [&](auto&& step) {
        auto done = step();
        if (!done) {
            all_good = false;
            stop_failing();
            done = step();
        }
        consistent = consistent && done.has_value();
        return done;
    };
    Allocator code;
    const range near = within_reach_of(reinterpret_cast<address>(&returns));
    const auto block = twice([&] { return code.allocate(near, 16, permissions::read_execute); });
    (void)twice([&] { return block->write(0, returns(1)); });
    const auto value_is = [&](int value) {
        consistent = consistent && block->template entry<function>()() == value;
    };
    value_is(1);
    const auto patch = [&](int from, int to) {
        auto writer = twice([&] { return block->open(value_offset, 4); });
        (void)writer->put(0, to);
        if (!writer->commit()) {
            all_good = false;
            value_is(from); // nothing of it is live
            stop_failing();
            consistent = consistent && writer->commit().has_value();
        }
        value_is(to);
    };
    patch(1, 2);
    const auto own = twice([&] {
        return code.allocate(
            {.bytes = 5000, .allowed = permissions::read_write, .owns_pages = true});
    });
    if (!own->change(permissions::read_execute)) {
        all_good = false;
        consistent = consistent && own->allowed() == permissions::read_write;
        stop_failing();
        consistent = consistent && own->change(permissions::read_execute).has_value();
    }
    const auto later = twice([&] { return code.allocate({.bytes = 100, .deferred = true}); });
    (void)twice([&] { return later->write(0, returns(5)); });
    consistent = consistent && later->template entry<function>()() == 5;
    patch(2, 3);
    auto big = twice([&] { return code.allocate({.bytes = 5000}); });
    (void)twice([&] { return big->write(0, std::vector(5000, std::byte{0x90})); });
    (void)twice([&] { return code.shrink(*big, 64); });
    consistent = consistent && code.free(*big).has_value();
    // What could not be wiped then is wiped now.
    big = twice([&] { return code.allocate({.bytes = 5000}); });
    const auto* const bytes = reinterpret_cast<const std::byte*>(big->address());
    consistent =
        consistent && std::all_of(bytes, bytes + 5000, [](std::byte b) { return b == trap_byte; });
    for (const auto& each : {*block, *own, *later, *big})
        consistent = consistent && code.free(each).has_value();
    consistent = consistent && code.as_pool().used_bytes() == 0;
    stop_failing(); // that memory cannot be unmapped at the end is nobody's to mend
    return all_good;
}

} // namespace

BOOST_AUTO_TEST_SUITE(perm_alloc_when_the_system_fails)

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_lost, Allocator, kinds) {
    bool consistent = true;
    (void)live<Allocator>(consistent); // takes what the library keeps for good
    const failure_points seen = fail_every_call([&] {
        const bool good = live<Allocator>(consistent);
        BOOST_TEST(consistent);
        return good;
    });
    BOOST_TEST_MESSAGE(seen.calls << " system calls, " << seen.survived << " of them not needed");
    BOOST_TEST(seen.calls > 20u);
}

BOOST_AUTO_TEST_SUITE_END()
