// SPDX-License-Identifier: MIT
// The policy by itself, over a backing that says what each address would allow.
#include <palloc/backings/fake.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/protections/write_xor_execute.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>

#include "backends/seam.hpp"

using namespace palloc;

namespace {

static_assert(protection_for<write_xor_execute, fake> &&
              protection_for<write_xor_execute, native_views>);
static_assert(protection_for<write_xor_execute, native_memory>);
static_assert(protection_opens_windows<write_xor_execute, native_memory>);

template <class Backing>
struct area {
    explicit area(Backing source, write_xor_execute::attributes wished, std::uint64_t bytes)
        : backing(std::move(source)), region(backing.map({.bytes = bytes}).value()) {
        BOOST_TEST_REQUIRE(protection.open_area(backing, region, state, wished).has_value());
    }
    area(const area&) = delete;
    area& operator=(const area&) = delete;
    ~area() {
        BOOST_TEST(protection.close_area(backing, region, state).has_value());
        BOOST_TEST(backing.unmap(region).has_value());
    }
    auto open(std::uint64_t offset, std::uint64_t bytes) {
        return protection.open_window(backing, region, state, {state.where.base + offset, bytes});
    }

    Backing backing;
    typename Backing::region region;
    write_xor_execute protection{};
    write_xor_execute::area_state state{};
};

constexpr write_xor_execute::attributes code{.wanted = permissions::read_execute};

} // namespace

BOOST_AUTO_TEST_SUITE(write_xor_execute_policy)

BOOST_AUTO_TEST_CASE(code_is_never_writable_where_it_is_executable) {
    fake_space space;
    area<fake_demand_paged> it(fake_demand_paged(space), code, std::uint64_t{2} << 20);
    const address base = it.state.where.base;
    BOOST_TEST((it.protection.achieved(it.state) == strength::write_xor_execute));
    BOOST_TEST(space.execute_faults(base)); // nothing is there yet
    {
        const auto window = it.open(100, 50);
        BOOST_TEST_REQUIRE(window.has_value());
        BOOST_TEST(window->changes() == 0u);
        BOOST_TEST(!space.write_faults(window->writable().base));
        BOOST_TEST(space.execute_faults(window->writable().base));
        BOOST_TEST((!space.execute_faults(base) && space.write_faults(base)));
        BOOST_TEST(space.execute_faults(base + (std::uint64_t{64} << 10))); // the next step
    }
    BOOST_TEST((!space.execute_faults(base) && space.write_faults(base)));
}

BOOST_AUTO_TEST_CASE(without_a_second_view_a_window_is_writable_in_place_and_code_again_after) {
    area<native_memory> it(native_memory(), code, 65536);
    BOOST_TEST((it.protection.achieved(it.state) == strength::write_or_execute));
    auto window = it.open(5000, 10);
    BOOST_TEST_REQUIRE(window.has_value());
    BOOST_TEST(window->changes() == 2u);
    BOOST_TEST(window->writable().base == it.state.where.base + 5000);
    os::fail_nth(os::call::protect, 1, ENOMEM);
    BOOST_TEST(!window->close().has_value());
    BOOST_TEST(window->close().has_value()); // tried again
    BOOST_TEST(window->close().has_value()); // and closed
    const auto* const byte = reinterpret_cast<const std::byte*>(it.state.where.base + 5000);
    BOOST_TEST((*byte == trap_byte));
}

BOOST_AUTO_TEST_CASE(required_strength_is_given_or_refused) {
    native_memory backing;
    auto region = backing.map({.bytes = 4096}).value();
    write_xor_execute strict(standard_metadata(), strength::write_xor_execute);
    write_xor_execute::area_state state{};
    BOOST_TEST(
        (strict.open_area(backing, region, state, code).error().code == errc::not_supported));
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_CASE(pages_change_only_where_a_block_is_alone) {
    fake_space space;
    area<fake_demand_paged> shared(fake_demand_paged(space), code, 65536);
    const auto change = [](auto& it, permissions now) {
        return it.protection.change(it.backing, it.region, it.state, {it.state.where.base, 4096},
                                    now);
    };
    BOOST_TEST((change(shared, permissions::read).error().code == errc::not_supported));
    area<fake_demand_paged> own(fake_demand_paged(space),
                                {.wanted = permissions::read_write, .alone = true}, 65536);
    const address base = own.state.where.base;
    BOOST_TEST(change(own, permissions::read_execute).has_value());
    BOOST_TEST((!space.execute_faults(base) && space.write_faults(base)));
    BOOST_TEST(!space.write_faults(base + 4096));
    BOOST_TEST((own.state.allowed(base) == permissions::read_execute));
    BOOST_TEST((own.state.allowed(base + 4096) == permissions::read_write));
    space.script.fail_nth(backing_call::any, 1);
    BOOST_TEST(!change(own, permissions::none).has_value());
    BOOST_TEST((own.state.allowed(base) == permissions::read_execute));
}

BOOST_AUTO_TEST_CASE(what_was_written_is_known_to_64_bytes) {
    fake_space space;
    area<fake_demand_paged> it(fake_demand_paged(space), code, 65536);
    const address base = it.state.where.base;
    BOOST_TEST(it.state.is_fresh({base, 65536}));
    it.state.mark_written({base + 70, 60});
    BOOST_TEST(it.state.is_fresh({base, 64}));
    BOOST_TEST(!it.state.is_fresh({base + 64, 1}));
    BOOST_TEST(!it.state.is_fresh({base + 128, 1}));
    BOOST_TEST(it.state.is_fresh({base + 192, 64}));
    it.state.mark_wiped({base + 64, 128});
    BOOST_TEST(it.state.is_fresh({base, 65536}));
}

BOOST_AUTO_TEST_SUITE_END()
