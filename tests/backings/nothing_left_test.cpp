// SPDX-License-Identifier: MIT
// Regions that come, are used and go, again and again: what the kernel lists of mappings and
// descriptors is the same before and after.
#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "models/backings.hpp"
#include "support/open_files.hpp"
#include "support/sanitizers.hpp"

using namespace palloc;

namespace {

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

template <class Backing>
bool use(Backing& backing, std::uint64_t round) {
    auto made = backing.map({.bytes = 4096 + round % 3 * 4096,
                             .alignment = round % 5 == 0 ? std::uint64_t{1} << 16 : 1});
    if (!made)
        return false;
    const range where = backing.where(*made);
    bool all = true;
    if constexpr (backing_can_commit<Backing>)
        all = backing.commit(*made, where).has_value();
    *reinterpret_cast<volatile char*>(where.base) = 1;
    if constexpr (backing_can_seal<Backing>) {
        all = all && backing.open_alias(*made).has_value();
        if (round % 2 == 0)
            all = all && backing.replace_view(*made, permissions::read) &&
                  backing.close_alias(*made) && (round % 4 == 0 || backing.seal(*made));
    }
    return backing.unmap(*made).has_value() && all;
}

} // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_left_behind, Backing, real_backings) {
    const std::uint64_t cycles = std::getenv("PALLOC_FULL") == nullptr ? 2'000 : 10'000;
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
