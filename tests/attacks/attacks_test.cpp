// SPDX-License-Identifier: MIT
// Every attack on every protection, as root and as nobody, each in a process of its own. A cell
// that is weaker than expected fails; one that is stronger is told, because kernels differ.
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/pmalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <grp.h>
#include <string>
#include <unistd.h>
#include <utility>

#include <sys/prctl.h>

#include "attack.hpp"
#include "backends/os.hpp"
#include "support/in_child.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;
using test::verdict;

constexpr uid_t nobody = 65534;
constexpr std::uint64_t area_bytes = 16 * test::page;

/// A protection, and what each attack is expected to come to: a letter an attack, in the order of
/// `all_attacks`, for root.
struct column {
    const char* name;
    int (*cell)(const column&, test::attack&);
    pmalloc_mode mode;
    strength wanted; ///< none: it is not protected
    bool lacks_keys; ///< the machine is made to have none
    bool at_second_view;
    const char* expected;
    bool keeps_descriptor = false; ///< the attacker has a duplicate from before
};

/// What the attack comes to. It does to this process what it likes.
template <class Protection, class Backing>
int cell(const column& it, Protection protection, test::attack& attack) {
    if (it.lacks_keys)
        os::fail_nth(os::call::key_alloc, 1, ENOSPC);
    using pool_type = basic_pmalloc<Protection, Backing>;
    const pmalloc_options options{
        .name = "victim", .mode = it.mode, .refill_bytes = area_bytes, .wanted = it.wanted};
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
    if (it.keeps_descriptor && !test::keep_descriptor(v))
        return '?';
    if (!attack.prime(v))
        return answer(verdict::not_there);
    if (it.wanted != strength::none) {
        const auto done = pool.protect();
        if (!done)
            return done.error().os_code == EBUSY ? answer(verdict::refused) : '?';
        if (*done != it.wanted)
            return '?';
    }
    const test::victim aim = it.at_second_view ? test::second_view_of(v) : v;
    if (aim.where.base == 0)
        return '?';
    return answer(attack.strike(aim) ? verdict::held : verdict::not_there);
}
int on_memfd(const column& it, test::attack& attack) {
    const strength wanted = it.wanted == strength::none ? strength::sealed : it.wanted;
    return cell<protection_choice, memfd>(
        it, choose_protection({.mode = it.mode, .wanted = wanted}).value(), attack);
}
int read_only_on_private(const column& it, test::attack& attack) {
    return cell<read_only, mmap_backing>(it, read_only{}, attack);
}
int keyed_on_private(const column& it, test::attack& attack) {
    return cell<keyed, mmap_backing>(it, keyed{}, attack);
}

// In four parts: by instructions, on the mapping, through the kernel, on the file.
constexpr std::array columns{
    column{"read_only, private memory", read_only_on_private, pmalloc_mode::ro, strength::read_only,
           false, false,
           "......"
           "WWGWGW.ZZ.G-"
           "W.WW"
           "-------"},
    column{"read_only, memfd", on_memfd, pmalloc_mode::ro, strength::read_only, false, false,
           "......"
           "WWGWGWW..ZGR"
           "...W"
           "WWWZGWW"},
    column{"sealed", on_memfd, pmalloc_mode::ro, strength::sealed, false, false,
           "......"
           "..GWGW....G-"
           "...E"
           "E-----."},
    column{"permanent", on_memfd, pmalloc_mode::ro, strength::permanent, false, false,
           "......"
           "..........G-"
           "...E"
           "E-----."},
    column{"write_rare, without keys", on_memfd, pmalloc_mode::wr, strength::read_only, true, false,
           "......"
           "..GWGW....G-"
           "...W"
           "WWWZGWW"},
    column{"write_rare, with keys", on_memfd, pmalloc_mode::wr, strength::guarded, false, false,
           "......"
           "..GWGW....G-"
           "...W"
           "WWWZGWW"},
    column{"write_rare, at the view behind the key", on_memfd, pmalloc_mode::wr, strength::guarded,
           false, true,
           "..W.W."
           ".W.......Z.."
           "WWWW"
           "WWWZGWW"},
    column{"keyed, private memory", keyed_on_private, pmalloc_mode::ro, strength::guarded, false,
           false,
           "..W.W."
           ".WGWGW.ZZ.G-"
           "WWWW"
           "-------"},
    column{"keyed, memfd", on_memfd, pmalloc_mode::ro, strength::guarded, false, false,
           "..W.W."
           ".WGWGWW..ZGR"
           "WWWW"
           "WWWZGWW"},
    column{"sealed, descriptor kept", on_memfd, pmalloc_mode::ro, strength::sealed, false, false,
           "......"
           "..GWGW....G-"
           "...E"
           "E......",
           true},
    column{"permanent, descriptor kept", on_memfd, pmalloc_mode::ro, strength::permanent, false,
           false,
           "......"
           "..........G-"
           "...E"
           "E......",
           true},
};

/// Nothing is protected here, so an attack that comes to nothing in both is none.
constexpr std::array controls{
    column{"unprotected, private memory", read_only_on_private, pmalloc_mode::ro, strength::none,
           false, false,
           "WWWWWW"
           "WWGWGW.ZZ.G-"
           "WWWW"
           "-------"},
    column{"unprotected, memfd", on_memfd, pmalloc_mode::ro, strength::none, false, false,
           "WWWWWW"
           "WWGWGWW..ZGR"
           "WWWW"
           "WWWZGWW"},
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
            return become(user) ? it.cell(it, *all[number]) : '?';
        },
        20));
}

/// What the machine answers to one who wants to protect so. Asked in a child: a key that this
/// process had would be older than every thread of the attacks.
int achieved_by_trying(const column& it) {
    class nothing : public test::attack {
      public:
        nothing() : attack("nothing") {}
        bool strike(const test::victim&) override { return true; }
    };
    return test::in_child([&] {
        nothing harmless;
        return it.cell(it, harmless);
    });
}

/// For who reads what the tests say; tests/run shows what is noted.
void tell(const std::string& what, bool is_noted = false) {
    std::printf("# %s%s\n", is_noted ? "note: " : "", what.c_str());
}

/// Of somebody who is not root: no way leads through /proc/self/map_files.
std::string expected_of(const column& it, uid_t user) {
    std::string expected = it.expected;
    if (user != 0)
        expected.back() = '-';
    return expected;
}

std::string row(const column& it, uid_t user) {
    const test::attacks all = test::all_attacks();
    BOOST_TEST_REQUIRE(all.size() == 29u);
    const std::string expected = expected_of(it, user);
    BOOST_TEST_REQUIRE(expected.size() == all.size());
    std::string seen;
    for (std::size_t i = 0; i != all.size(); ++i) {
        seen += static_cast<char>(verdict_of(it, i, user));
        if (seen.back() != expected[i])
            tell(std::string(it.name) + " as " + std::to_string(user) + ": " + all[i]->name() +
                     " comes to " + seen.back() + ", expected " + expected[i],
                 true);
    }
    tell(std::string(it.name) + " as " + std::to_string(user) + ": " + seen);
    return seen;
}

void attack_all(const column& it, uid_t user) {
    if (const int got = achieved_by_trying(it); got != static_cast<int>(verdict::held))
        test::skip(std::string(it.name) + ": this machine cannot protect so");
    const test::attacks all = test::all_attacks();
    const std::string wanted = expected_of(it, user);
    const std::string seen = row(it, user);
    int altered = 0;
    for (std::size_t i = 0; i != all.size(); ++i) {
        const auto got = static_cast<verdict>(seen[i]);
        const auto expected = static_cast<verdict>(wanted[i]);
        altered += test::alters_content(got) ? 1 : 0;
        BOOST_TEST((seen[i] != '?' && badness(got) <= badness(expected)),
                   all[i]->name() << ": " << seen[i] << ", expected " << wanted[i]);
    }
    tell(std::to_string(altered) + " alter the content");
    if (it.wanted == strength::permanent)
        BOOST_TEST(altered == 0);
}

/// Whether this machine, or this user, has no such thing.
bool may_be_missing(const std::string& attack, uid_t user) {
    return (attack.find("PKRU") != std::string::npos && !test::has_keys()) ||
           attack.starts_with("io_uring") || // which may be switched off
           (attack.find("map_files") != std::string::npos && user != 0);
}

/// An attack that cannot be made would pass for one that is withstood.
void attack_unprotected(uid_t user) {
    const test::attacks all = test::all_attacks();
    std::string worst(all.size(), '.');
    for (const column& it : controls) {
        const std::string wanted = expected_of(it, user);
        const std::string seen = row(it, user);
        for (std::size_t i = 0; i != all.size(); ++i) {
            const auto got = static_cast<verdict>(seen[i]);
            const bool is_missing =
                got == verdict::not_there && may_be_missing(all[i]->name(), user);
            const auto expected = static_cast<verdict>(wanted[i]);
            BOOST_TEST(std::string("-.EGRZW").find(seen[i]) != std::string::npos);
            BOOST_TEST((is_missing || badness(got) >= badness(expected)),
                       it.name << ": " << all[i]->name() << " comes to " << seen[i]);
            if (is_missing || badness(got) > badness(static_cast<verdict>(worst[i])))
                worst[i] = seen[i];
        }
    }
    for (std::size_t i = 0; i != all.size(); ++i)
        BOOST_TEST(worst[i] != '.', all[i]->name() << " does nothing");
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
PALLOC_COLUMN(5, write_rare_memory_with_keys)
PALLOC_COLUMN(6, write_rare_memory_at_its_second_view)
PALLOC_COLUMN(7, keyed_memory)
PALLOC_COLUMN(8, keyed_memfd)
PALLOC_COLUMN(9, sealed_memory_whose_descriptor_was_kept)
PALLOC_COLUMN(10, permanent_memory_whose_descriptor_was_kept)

BOOST_AUTO_TEST_CASE(every_attack_is_one_by_this_user) {
    attack_unprotected(::getuid());
}
BOOST_AUTO_TEST_CASE(every_attack_is_one_by_nobody) {
    if (::getuid() != 0)
        test::skip("only root can become nobody");
    attack_unprotected(nobody);
}

BOOST_AUTO_TEST_SUITE_END()
