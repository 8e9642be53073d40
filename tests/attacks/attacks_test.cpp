// SPDX-License-Identifier: MIT
// Every attack on every protection, as root and as nobody, each in a process of its own. A cell
// that is weaker than expected fails; one that is stronger is told, because kernels differ.
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstdint>
#include <grp.h>
#include <string>
#include <unistd.h>
#include <utility>

#include <sys/prctl.h>

#include "attack.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;
using test::verdict;

constexpr uid_t nobody = 65534;
constexpr std::uint64_t area_bytes = 16 * test::page;

/// A protection, and what each attack is expected to come to: a letter an attack, in the order of
/// `all_attacks`, for root; nobody can do no more.
struct column {
    const char* name;
    int (*cell)(pmalloc_mode, strength, test::attack&);
    pmalloc_mode mode;
    strength wanted;
    const char* expected;
};

/// What the attack comes to. It does to this process what it likes.
template <class Protection, class Backing>
int cell(pmalloc_mode mode, strength wanted, Protection protection, test::attack& attack) {
    using pool_type = basic_pmalloc<Protection, Backing>;
    const pmalloc_options options{
        .name = "victim", .mode = mode, .refill_bytes = area_bytes, .wanted = wanted};
    auto made = pool_type::create(options, std::move(protection));
    if (!made)
        return '?';
    pool_type& pool = **made;
    const auto memory = pool.alloc(area_bytes);
    if (!memory)
        return '?';
    const test::victim v{{address_of(*memory), area_bytes}};
    v.fill();
    const auto answer = [&](verdict otherwise) {
        const verdict seen = v.look();
        ::_exit(static_cast<int>(seen == verdict::held ? otherwise : seen));
        return 0;
    };
    if (!attack.prime(v))
        return answer(verdict::not_there);
    if (const auto done = pool.protect(); !done)
        return done.error().os_code == EBUSY ? answer(verdict::refused) : '?';
    else if (*done != wanted)
        return '?';
    return answer(attack.strike(v) ? verdict::held : verdict::not_there);
}
int on_memfd(pmalloc_mode mode, strength wanted, test::attack& attack) {
    return cell<protection_choice, memfd>(
        mode, wanted, choose_protection({.mode = mode, .wanted = wanted}).value(), attack);
}
int read_only_on_private(pmalloc_mode mode, strength wanted, test::attack& attack) {
    return cell<read_only, mmap_backing>(mode, wanted, read_only{}, attack);
}
int keyed_on_private(pmalloc_mode mode, strength wanted, test::attack& attack) {
    return cell<keyed, mmap_backing>(mode, wanted, keyed{}, attack);
}

// In four parts: by instructions, on the mapping, through the kernel, on the file.
constexpr std::array columns{
    column{"read_only, private memory", read_only_on_private, pmalloc_mode::ro, strength::read_only,
           "......"
           "WWGWGW.ZZ.G."
           "W.WW"
           "-------"},
    column{"read_only, memfd", on_memfd, pmalloc_mode::ro, strength::read_only,
           "......"
           "WWGWGWW..ZGR"
           "...W"
           "WWWZGWW"},
    column{"sealed", on_memfd, pmalloc_mode::ro, strength::sealed,
           "......"
           "..GWGW....G."
           "...E"
           "E------"},
    column{"permanent", on_memfd, pmalloc_mode::ro, strength::permanent,
           "......"
           "..........G."
           "...E"
           "E------"},
    column{"write_rare, without keys", on_memfd, pmalloc_mode::wr, strength::read_only,
           "......"
           "..GWGW....G."
           "...W"
           "WWWZGWW"},
    column{"keyed, private memory", keyed_on_private, pmalloc_mode::ro, strength::guarded,
           "..W.W."
           ".WGWGW.ZZ.G."
           "WWWW"
           "-------"},
};

bool become(uid_t user) {
    if (user == ::getuid())
        return true;
    return ::setgroups(0, nullptr) == 0 && ::setgid(user) == 0 && ::setuid(user) == 0 &&
           ::prctl(PR_SET_DUMPABLE, 1) == 0;
}

verdict verdict_of(const column& it, std::size_t number, uid_t user) {
    return static_cast<verdict>(test::in_child(
        [&] {
            const test::attacks all = test::all_attacks();
            return become(user) ? it.cell(it.mode, it.wanted, *all[number]) : '?';
        },
        20));
}

/// Whether the machine can protect so at all; else what it answers.
result<strength> can_be_had(const column& it) {
    if (it.wanted == strength::guarded) {
        auto pool = basic_pmalloc<keyed, mmap_backing>::create({.name = "probe"}, keyed{}).value();
        return pool->alloc(1).and_then([&](void*) { return pool->protect(); });
    }
    auto pool = pmalloc::create({.name = "probe", .mode = it.mode, .wanted = it.wanted}).value();
    return pool->alloc(1).and_then([&](void*) { return pool->protect(); });
}

void attack_all(const column& it, uid_t user) {
    if (const auto had = can_be_had(it); !had || *had != it.wanted)
        test::skip(std::string(it.name) + ": this machine answers " +
                   std::string(had ? "another strength" : to_string(had.error().code)));
    const test::attacks all = test::all_attacks();
    BOOST_TEST_REQUIRE(all.size() == 29u);
    BOOST_TEST_REQUIRE(std::string(it.expected).size() == all.size());
    std::string seen;
    int altered = 0;
    for (std::size_t i = 0; i != all.size(); ++i) {
        const verdict got = verdict_of(it, i, user);
        const auto expected = static_cast<verdict>(it.expected[i]);
        seen += static_cast<char>(got);
        altered += test::alters_content(got) ? 1 : 0;
        BOOST_TEST((static_cast<char>(got) != '?' && badness(got) <= badness(expected)),
                   all[i]->name() << ": " << static_cast<char>(got) << ", expected "
                                  << it.expected[i]);
        if (badness(got) < badness(expected))
            BOOST_TEST_MESSAGE(it.name << " is stronger here: " << all[i]->name() << " comes to "
                                       << static_cast<char>(got));
    }
    BOOST_TEST_MESSAGE(it.name << " as " << user << ": " << seen << ", " << altered
                               << " alter the content");
    if (it.wanted == strength::permanent)
        BOOST_TEST(altered == 0);
}

} // namespace

BOOST_AUTO_TEST_SUITE(attacks)

#define PALLOC_COLUMN(number, title)                                                               \
    BOOST_AUTO_TEST_CASE(title##_by_this_user) {                                                   \
        attack_all(columns[number], ::getuid());                                                   \
    }                                                                                              \
    BOOST_AUTO_TEST_CASE(title##_by_nobody) {                                                      \
        if (::getuid() != 0)                                                                       \
            test::skip("only root can become nobody");                                             \
        attack_all(columns[number], nobody);                                                       \
    }

PALLOC_COLUMN(0, read_only_private_memory)
PALLOC_COLUMN(1, read_only_memfd)
PALLOC_COLUMN(2, sealed_memory)
PALLOC_COLUMN(3, permanent_memory)
PALLOC_COLUMN(4, write_rare_memory)
PALLOC_COLUMN(5, keyed_memory)

BOOST_AUTO_TEST_SUITE_END()
