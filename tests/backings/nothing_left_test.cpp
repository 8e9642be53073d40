// SPDX-License-Identifier: MIT
// Regions that come, are used and go, again and again: what the kernel lists of mappings and
// descriptors is the same before and after.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>

#include "models/backings.hpp"
#include "support/huge_pages.hpp"
#include "support/open_files.hpp"
#include "support/sanitizers.hpp"

using namespace palloc;

namespace {

constexpr std::uint64_t huge = std::uint64_t{2} << 20;

template <class B>
struct is_real : std::bool_constant<backing_can_map<B> && memory_may_be_touched<B>> {};
using real_backings = boost::mp11::mp_copy_if<test::backing_models, is_real>;

/// The mappings of this process but the heap and the stack, which are not ours.
std::string mappings() {
    std::ifstream maps("/proc/self/maps");
    std::ostringstream kept;
    for (std::string line; std::getline(maps, line);)
        if (line.find("[heap]") == line.npos && line.find("[stack]") == line.npos)
            kept << line << '\n';
    return kept.str();
}

/// What a backing can do beyond mapping, where it has it.
template <class Backing>
bool use_more(Backing& backing, typename Backing::region& region, std::uint64_t round) {
    bool all = true;
    if constexpr (requires { backing.resize(region, 4096, true); })
        all = backing.resize(region, 4 * 4096, true) && backing.resize(region, 2 * 4096, true);
    const range where = backing.where(region);
    // A huge page, or what is behind one, is protected whole.
    [[maybe_unused]] const range part{where.base, where.bytes >= huge ? huge : 4096};
    if constexpr (backing_can_discard<Backing>)
        all = all && backing.discard(region, where);
    if constexpr (backing_can_change_permissions<Backing>)
        all = all && backing.protect(region, part, permissions::read) &&
              backing.protect(region, part, permissions::read_write);
    if constexpr (backing_has_keys<Backing>)
        if (backing.lock(region, view::main)) // as far as there are keys
            all = all && backing.unlock(region, view::main);
    if constexpr (backing_can_store<Backing>)
        all = all && backing.store(region, where.base, std::as_bytes(std::span("abc")));
    if constexpr (backing_can_open_parts<Backing>) {
        const auto opened = backing.open_part(region, {where.base + 1, 100});
        all = all && opened && backing.close_part(region, {*opened, 100});
    }
    if constexpr (backing_replaces_parts_of_views<Backing>)
        if (round % 2 == 0)
            all = all && backing.replace_view(region, {where.base, 4096}, permissions::read) &&
                  backing.replace_view(region, {where.base, 4096}, permissions::read_write);
    if constexpr (backing_can_commit<Backing>)
        all = all && backing.decommit(region, {where.base, 4096}) &&
              backing.commit(region, {where.base, 4096});
    return all;
}

/// Of hugepage: sizes for each rung but the highest.
template <class Backing>
std::uint64_t bytes_of(std::uint64_t round) {
    if constexpr (std::is_same_v<Backing, hugepage>)
        return round % 3 == 0 ? 4096 : round % 3 == 1 ? huge : huge + 4096;
    else
        return 4096 + round % 3 * 4096;
}

template <class Backing>
bool use(Backing& backing, std::uint64_t round) {
    auto made = backing.map({.bytes = bytes_of<Backing>(round),
                             .alignment = round % 5 == 0 ? std::uint64_t{1} << 16 : 1});
    if (!made)
        return false;
    bool all = true;
    if constexpr (backing_can_commit<Backing>)
        all = backing.commit(*made, backing.where(*made)).has_value();
    *reinterpret_cast<volatile char*>(backing.where(*made).base) = 1;
    all = all && use_more(backing, *made, round);
    if constexpr (backing_can_seal<Backing>) {
        all = all && backing.open_alias(*made) &&
              (round % 8 != 1 || backing.forbid_other_writers(*made));
        if (round % 2 == 0)
            all = all && backing.replace_view(*made, permissions::read) &&
                  backing.close_alias(*made) && (round % 4 == 0 || backing.seal(*made));
    }
    return backing.unmap(*made).has_value() && all;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_left_behind, Backing, real_backings) {
    // A sanitizer takes ten times as long.
    const bool fewer = test::is_sanitized && std::getenv("PALLOC_FULL") == nullptr;
    const std::uint64_t cycles = fewer ? 2'000 : 10'000;
    std::optional<test::huge_pages> pages;
    if (std::is_same_v<Backing, hugepage>)
        pages.emplace(2U);
    test::rig<Backing> it;
    BOOST_TEST(use(it.backing, 0)); // what stays once, such as the page that tells forks
    (void)mappings();
    const std::size_t files = test::open_files();
    const std::string before = mappings();
    std::uint64_t failed = 0;
    for (std::uint64_t round = 0; round != cycles; ++round)
        failed += use(it.backing, round) ? 0U : 1U;
    BOOST_TEST(failed == 0u);
    BOOST_TEST((test::is_sanitized || mappings() == before)); // a sanitizer's heap grows
    BOOST_TEST(test::open_files() == files);
}
