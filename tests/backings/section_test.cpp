// SPDX-License-Identifier: MIT
// What the conformance suite does not ask of a section: what its views withstand, units, failures.
#include <palloc/backings/section.hpp>
#include <palloc/core/range.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "backends/seam.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/open_files.hpp"
#include "support/page_probe.hpp"
#include "support/skip.hpp"
#include "support/windows.hpp"

using namespace palloc;
using test::check_fails;

namespace {

constexpr std::uint64_t unit = 65536;

/// A region of six units, each of which begins with its number.
struct scene {
    scene() {
        for (std::uint64_t i = 0; i != 6; ++i)
            *at(i) = static_cast<char>('0' + i);
    }
    scene(const scene&) = delete;
    scene& operator=(const scene&) = delete;
    ~scene() { BOOST_TEST(backing.unmap(region).has_value()); }

    [[nodiscard]] volatile char* at(std::uint64_t i) const {
        return reinterpret_cast<volatile char*>(where.base + i * unit);
    }
    [[nodiscard]] range units(std::uint64_t first, std::uint64_t count) const {
        return {where.base + first * unit, count * unit};
    }
    void check_contents() const {
        for (std::uint64_t i = 0; i != 6; ++i)
            BOOST_TEST(*at(i) == static_cast<char>('0' + i));
    }

    section backing;
    section::region region = backing.map({.bytes = 6 * unit}).value();
    range where = backing.where(region);
    test::page_probe probe;
};

bool protect(address at, DWORD protection) {
    DWORD before = 0;
    return ::VirtualProtect(reinterpret_cast<void*>(at), 4096, protection, &before) != 0;
}

} // namespace

BOOST_AUTO_TEST_SUITE(section_itself)

BOOST_AUTO_TEST_CASE(nobody_makes_a_reading_view_writable) {
    scene it;
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    for (const bool sealed : {false, true}) {
        if (sealed)
            BOOST_TEST(it.backing.seal(it.region).has_value());
        BOOST_TEST(!protect(it.where.base, PAGE_READWRITE));
        BOOST_TEST(!protect(it.where.base, PAGE_EXECUTE_READWRITE));
        const char other = 'x';
        BOOST_TEST(::WriteProcessMemory(::GetCurrentProcess(),
                                        reinterpret_cast<void*>(it.where.base), &other, 1,
                                        nullptr) == 0);
        BOOST_TEST(::VirtualAlloc(reinterpret_cast<void*>(it.where.base), 4096, MEM_COMMIT,
                                  PAGE_READWRITE) == nullptr);
        it.check_contents();
    }
}

BOOST_AUTO_TEST_CASE(private_copies_leave_the_section_as_it_is) {
    scene it;
    const address alias = it.backing.open_alias(it.region).value();
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    if (!protect(it.where.base, PAGE_WRITECOPY)) {
        it.check_contents(); // the system refuses that too
        return;
    }
    *it.at(0) = 'x';
    if (*reinterpret_cast<volatile char*>(alias) == 'x')
        test::skip("this system lets a PAGE_WRITECOPY store into the section, as Wine does");
    BOOST_TEST(*reinterpret_cast<volatile char*>(alias) == '0');
}

BOOST_AUTO_TEST_CASE(units_have_views_of_their_own) {
    scene it;
    const auto is_writable = [&](std::array<bool, 6> expected) {
        for (std::uint64_t i = 0; i != 6; ++i)
            if (!expected[i])
                BOOST_TEST(!it.probe.writable(it.where.base + i * unit), "unit " << i);
            else
                BOOST_TEST(it.probe.writable(it.where.base + i * unit + 9), "unit " << i);
        it.check_contents();
    };
    const auto show = [&](std::uint64_t first, std::uint64_t count, permissions allowed) {
        BOOST_TEST(it.backing.replace_view(it.region, it.units(first, count), allowed).has_value());
    };
    show(1, 2, permissions::read);
    is_writable({true, false, false, true, true, true});
    show(2, 3, permissions::read_execute);
    is_writable({true, false, false, false, false, true});
    show(3, 1, permissions::read_write);
    is_writable({true, false, false, true, false, true});
    BOOST_TEST(!protect(it.where.base + unit, PAGE_READWRITE)); // mapped for reading
    show(0, 6, permissions::read);
    is_writable({});
    BOOST_TEST(it.backing.seal(it.region).has_value());
    check_fails(it.backing.replace_view(it.region, it.units(3, 1), permissions::read_write),
                {errc::os_failure, os::access_denied});
    check_fails(it.backing.protect(it.region, it.units(3, 1), permissions::read_write),
                {errc::os_failure, os::access_denied});
    show(3, 1, permissions::read_execute);
    is_writable({});
}

BOOST_AUTO_TEST_CASE(no_view_is_ever_writable_and_executable) {
    std::atomic<bool> stop = false;
    std::atomic<std::uint64_t> seen = 0;
    std::atomic<std::uint64_t> looks = 0;
    scene it;
    std::thread looking([&] {
        MEMORY_BASIC_INFORMATION there{};
        while (!stop || looks == 0) {
            for (std::uint64_t i = 0; i != 6; ++i) {
                (void)::VirtualQuery(reinterpret_cast<void*>(it.where.base + i * unit), &there,
                                     sizeof there);
                seen += there.State == MEM_COMMIT && there.Protect == PAGE_EXECUTE_READWRITE;
            }
            ++looks;
        }
    });
    for (int i = 0; i != 200; ++i) {
        const auto first = static_cast<std::uint64_t>(i % 5);
        const permissions allowed = std::array{permissions::read_write, permissions::read_execute,
                                               permissions::none}[static_cast<unsigned>(i) % 3];
        BOOST_TEST_REQUIRE(
            it.backing.replace_view(it.region, it.units(first, 2), allowed).has_value());
    }
    stop = true;
    looking.join();
    BOOST_TEST(seen == 0u);
    BOOST_TEST(it.backing.replace_view(it.region, it.where, permissions::read).has_value());
    it.check_contents();
}

BOOST_AUTO_TEST_CASE(a_seal_is_refused_while_anything_can_be_written) {
    scene it;
    check_fails(it.backing.seal(it.region), {errc::os_failure, os::busy});
    BOOST_TEST(it.backing.protect(it.region, it.where, permissions::read).has_value());
    check_fails(it.backing.seal(it.region), {errc::os_failure, os::busy}); // it was for writing
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    const range part{it.where.base + unit + 100, unit};
    const address opened = it.backing.open_part(it.region, part).value();
    check_fails(it.backing.seal(it.region), {errc::os_failure, os::busy});
    std::memcpy(reinterpret_cast<void*>(opened), "new", 3);
    BOOST_TEST(std::memcmp(reinterpret_cast<void*>(part.base), "new", 3) == 0);
    BOOST_TEST(it.backing.close_part(it.region, {opened, part.bytes}).has_value());
    BOOST_TEST(!it.probe.readable(opened));
    BOOST_TEST(it.backing.seal(it.region).has_value());
    BOOST_TEST(it.backing.seal(it.region).has_value()); // it is
    check_fails(it.backing.open_part(it.region, part), {errc::os_failure, os::access_denied});
    it.check_contents();
}

BOOST_AUTO_TEST_CASE(where_code_may_not_be_made_data_is_served_all_the_same) {
    os::fail_nth(os::call::section, 1, os::dynamic_code_blocked);
    scene it;
    check_fails(it.backing.protect(it.region, it.where, permissions::read_execute),
                {errc::not_supported});
    check_fails(it.backing.replace_view(it.region, permissions::read_execute),
                {errc::not_supported});
    BOOST_TEST(it.probe.writable(it.where.base + 9));
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    BOOST_TEST(!protect(it.where.base, PAGE_EXECUTE_READ));
    BOOST_TEST(it.backing.seal(it.region).has_value());
    it.check_contents();
}

/// Each call of the system fails in turn; the change is taken back, and can be made afterwards.
BOOST_AUTO_TEST_CASE(a_change_that_fails_is_taken_back) {
    const auto handles = test::open_files();
    for (const bool whole : {false, true})
        for (const permissions before : {permissions::read_write, permissions::read_execute})
            for (std::uint64_t n = 1;; ++n) {
                scene it;
                BOOST_TEST_REQUIRE(
                    it.backing.replace_view(it.region, it.units(1, 3), before).has_value());
                const auto calls = os::calls(os::call::any);
                os::fail_nth(os::call::any, n, 8);
                const range part = whole ? it.where : it.units(2, 3);
                const auto done = it.backing.replace_view(it.region, part, permissions::read);
                const bool reached = os::calls(os::call::any) - calls >= n;
                os::fail_nth(os::call::any, 0, 0);
                it.check_contents();
                if (!done) {
                    for (std::uint64_t i = 0; i != 6; ++i)
                        BOOST_TEST(it.probe.writable(it.where.base + i * unit + 9) ==
                                       (i < 1 || i > 3 || before == permissions::read_write),
                                   "unit " << i << " after call " << n);
                    BOOST_TEST(
                        it.backing.replace_view(it.region, part, permissions::read).has_value());
                }
                BOOST_TEST(!it.probe.writable(it.where.base + 2 * unit));
                it.check_contents();
                if (!reached)
                    break;
                BOOST_TEST_REQUIRE(n < 200u);
            }
    BOOST_TEST(test::open_files() == handles);
}

BOOST_AUTO_TEST_CASE(a_view_that_cannot_be_placed_comes_back) {
    if (os::has_placeholders())
        test::skip("with placeholders nobody gets the addresses in between");
    scene it;
    os::fail_nth(os::call::map, 1, 8); // the view was ended already
    BOOST_TEST(!it.backing.replace_view(it.region, permissions::read).has_value());
    BOOST_TEST(it.probe.writable(it.where.base + 9)); // the old one is back
    it.check_contents();
    BOOST_TEST(it.backing.replace_view(it.region, permissions::read).has_value());
    it.check_contents();
}

BOOST_AUTO_TEST_CASE(nothing_stays_behind) {
    section backing;
    auto first = backing.map({.bytes = unit}).value(); // what is made once for all is there now
    BOOST_TEST(backing.unmap(first).has_value());
    const auto pages = test::mapped_pages();
    const auto handles = test::open_files();
    for (std::uint64_t n = 1;; ++n) {
        const auto calls = os::calls(os::call::any);
        os::fail_nth(os::call::any, n, 8);
        auto made = backing.map({.bytes = 3 * unit, .alignment = 1 << 20});
        const bool reached = os::calls(os::call::any) - calls >= n;
        os::fail_nth(os::call::any, 0, 0);
        if (made) {
            BOOST_TEST(backing.open_alias(*made).has_value());
            BOOST_TEST(backing
                           .replace_view(*made, {backing.where(*made).base + unit, unit},
                                         permissions::read)
                           .has_value());
            os::fail_nth(os::call::unmap, 3, 8); // the alias is gone, and a unit
            BOOST_TEST(!backing.unmap(*made).has_value());
            BOOST_TEST(backing.where(*made).bytes == 2 * unit);
            BOOST_TEST(backing.unmap(*made).has_value());
            BOOST_TEST(backing.where(*made).bytes == 0u);
        }
        BOOST_TEST(test::mapped_pages() == pages);
        BOOST_TEST(test::open_files() == handles);
        if (!reached)
            break;
        BOOST_TEST_REQUIRE(n < 100u);
    }
}

BOOST_AUTO_TEST_CASE(parts_that_differ_too_much_are_refused_as_they_are) {
    section backing;
    constexpr std::uint64_t count = 130;
    auto region = backing.map({.bytes = count * unit}).value();
    const range where = backing.where(region);
    for (std::uint64_t i = 0; i < count; i += 2)
        BOOST_TEST_REQUIRE(
            backing.replace_view(region, {where.base + i * unit, unit}, permissions::read)
                .has_value());
    check_fails(backing.replace_view(region, permissions::read), {errc::too_large});
    const test::page_probe probe;
    BOOST_TEST((!probe.writable(where.base) && probe.writable(where.base + unit)));
    BOOST_TEST(
        backing.replace_view(region, {where.base, 60 * unit}, permissions::read).has_value());
    BOOST_TEST(!probe.writable(where.base + unit));
    BOOST_TEST(backing.unmap(region).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
