// SPDX-License-Identifier: MIT
// The limits of a process, each exhausted for real in a process of its own: an error that says
// what, nothing lost, and everything works again with what was given back.
#include <palloc/backings/hugepage.hpp>
#include <palloc/backings/memfd.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/backings/reserve.hpp>
#include <palloc/backings/secret.hpp>
#include <palloc/protections/keyed.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <sched.h>
#include <unistd.h>
#include <vector>

#include <sys/resource.h>

#include "backends/os.hpp"
#include "models/backings.hpp"
#include "support/address_space.hpp"
#include "support/huge_pages.hpp"
#include "support/in_child.hpp"
#include "support/open_files.hpp"
#include "support/page_probe.hpp"
#include "support/sanitizers.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

bool set_limit(int resource, rlim_t value) {
    const rlimit limit{value, value};
    return ::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) == 0;
}

/// Maps until it fails with `expected`, at least `least` times; looks at what it has, unmaps it,
/// and maps as often again. Answers 0, or which of it went wrong.
template <class Backing>
int exhaust(Backing backing, const map_request& wanted, error expected, std::size_t least) {
    const auto first_word = [&](const typename Backing::region& it) -> volatile std::uint64_t& {
        return *reinterpret_cast<volatile std::uint64_t*>(backing.where(it).base);
    };
    std::vector<typename Backing::region> regions;
    regions.reserve(50'000); // nothing is allocated while there is no room
    auto warm = backing.map(wanted);
    if (!warm || !backing.unmap(*warm))
        return 1;
    const std::uint64_t pages = test::mapped_pages();
    const std::size_t files = test::open_files();
    std::size_t first_time = 0;
    for (int round = 0; round != 2; ++round) {
        for (;;) {
            auto made = backing.map(wanted);
            if (!made) {
                if (made.error() != expected)
                    return 10 + made.error().os_code;
                break;
            }
            if constexpr (backing_can_commit<Backing>)
                if (!backing.commit(*made, backing.where(*made)))
                    return 7;
            first_word(*made) = regions.size() + 1;
            regions.push_back(*made);
        }
        for (std::uint64_t i = 0; i != regions.size(); ++i)
            if (first_word(regions[i]) != i + 1)
                return 6;
        if (regions.size() < least || (round == 1 && regions.size() != first_time))
            return 2;
        first_time = regions.size();
        for (auto& region : regions)
            if (!backing.unmap(region))
                return 3;
        regions.clear();
        if (test::mapped_pages() != pages || test::open_files() != files)
            return 4;
    }
    return 0;
}

constexpr std::uint64_t mebibyte = std::uint64_t{1} << 20;

BOOST_AUTO_TEST_CASE(descriptors) {
    BOOST_TEST(test::in_child([] {
                   return set_limit(RLIMIT_NOFILE, 64)
                              ? exhaust(memfd(), {.bytes = 4096}, {errc::os_failure, EMFILE}, 40)
                              : 5;
               }) == 0);
    const test::rig<secret> needed; // or the rest is skipped
    BOOST_TEST(test::in_child([] {
                   // A secret needs a descriptor while it is mapped, and none later.
                   secret backing;
                   auto before = backing.map({.bytes = 4096});
                   if (!before || !set_limit(RLIMIT_NOFILE, 0))
                       return 1;
                   const range where = backing.where(*before);
                   *reinterpret_cast<volatile char*>(where.base) = 's';
                   const auto more = backing.map({.bytes = 4096});
                   if (more || more.error() != error{errc::os_failure, EMFILE})
                       return 2;
                   if (*reinterpret_cast<volatile char*>(where.base) != 's')
                       return 3;
                   return backing.unmap(*before) ? 0 : 4;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(address_space) {
    if (test::is_sanitized)
        test::skip("a sanitizer needs addresses of its own");
    BOOST_TEST(test::in_child([] {
                   const rlim_t now = test::mapped_pages() * os::page_bytes();
                   if (!set_limit(RLIMIT_AS, now + 100 * mebibyte))
                       return 5;
                   const map_request wanted{.bytes = mebibyte};
                   const error none{errc::os_failure, ENOMEM};
                   if (const int wrong = exhaust(mmap_backing(), wanted, none, 50))
                       return wrong;
                   if (const int wrong = exhaust(memfd(), wanted, none, 50))
                       return wrong;
                   if (const int wrong = exhaust(reserve(), wanted, none, 50))
                       return wrong;
                   return exhaust(hugepage({.gigantic = false, .huge = false}), wanted, none, 50);
               }) == 0);
}

BOOST_AUTO_TEST_CASE(file_sizes) {
    BOOST_TEST(test::in_child([] {
                   if (!set_limit(RLIMIT_FSIZE, mebibyte))
                       return 1;
                   memfd files;
                   secret secrets;
                   auto half = files.map({.bytes = mebibyte / 2});
                   if (!half)
                       return 5;
                   const range where = files.where(*half);
                   *reinterpret_cast<volatile char*>(where.base) = 'h';
                   const std::uint64_t pages = test::mapped_pages();
                   const std::size_t open = test::open_files();
                   const error too_large{errc::os_failure, EFBIG};
                   const auto file = files.map({.bytes = mebibyte + 1});
                   const auto hidden = secrets.map({.bytes = mebibyte + 1});
                   if (file || file.error() != too_large)
                       return 2;
                   if (hidden ||
                       (hidden.error() != too_large && hidden.error().code != errc::not_supported))
                       return 3;
                   const auto longer = files.resize(*half, mebibyte + 1, true);
                   if (longer || longer.error() != too_large)
                       return 6;
                   if (files.where(*half) != where ||
                       *reinterpret_cast<volatile char*>(where.base) != 'h')
                       return 7;
                   if (test::mapped_pages() != pages || test::open_files() != open)
                       return 8;
                   if (!files.resize(*half, mebibyte, true) || !files.unmap(*half))
                       return 9;
                   return files.map({.bytes = mebibyte}) ? 0 : 4;
               }) == 0);
}

/// Where the limit holds: what may be locked is told, can be had, and no more than that.
int lock_all_there_is() {
    secret backing;
    const std::uint64_t left = backing.lockable_bytes().value_or(0); // told before it bites
    if (left == 0 || left > 2 * mebibyte)
        return 6;
    auto all = backing.map({.bytes = left});
    if (!all || backing.lockable_bytes() != std::uint64_t{0})
        return 7;
    const auto more = backing.map({.bytes = 4096});
    if (more || more.error() != error{errc::over_limit, EAGAIN})
        return 8;
    if (!backing.unmap(*all) || backing.lockable_bytes() != left)
        return 9;
    return exhaust(secret(), {.bytes = 65536}, {errc::over_limit, EAGAIN}, 20);
}

BOOST_AUTO_TEST_CASE(locked_memory) {
    if (::getuid() != 0)
        test::skip("only root can become somebody whom the limit holds");
    const int end = test::in_child([] {
        if (!secret().map({.bytes = 1}))
            return 77;
        if (!set_limit(RLIMIT_MEMLOCK, 2 * mebibyte) || ::setuid(65534) != 0)
            return 5;
        return lock_all_there_is();
    });
    if (end == 77)
        test::skip("the kernel has no secret memory");
    BOOST_TEST(end == 0);
}

BOOST_AUTO_TEST_CASE(locked_memory_of_who_is_mighty_in_a_namespace_only) {
    const int end = test::in_child([] {
        if (!secret().map({.bytes = 1}) || ::unshare(CLONE_NEWUSER) != 0)
            return 77;
        return set_limit(RLIMIT_MEMLOCK, 2 * mebibyte) ? lock_all_there_is() : 5;
    });
    if (end == 77)
        test::skip("no secret memory, or no user namespace to be had");
    BOOST_TEST(end == 0);
}

BOOST_AUTO_TEST_CASE(huge_pages) {
    const test::huge_pages some(4);
    if (test::huge_pages::left() < 4)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    BOOST_TEST(test::in_child([] {
                   return exhaust(
                       hugepage({.gigantic = false, .transparent = false, .base = false}),
                       {.bytes = 2 * mebibyte}, {errc::os_failure, ENOMEM}, 4);
               }) == 0);
}

BOOST_AUTO_TEST_CASE(gigantic_pages) {
    const test::gigantic_pages one(1);
    if (test::gigantic_pages::left() == 0)
        test::skip("no 1 GiB page: not root, too little memory, or a processor without");
    BOOST_TEST(test::in_child([] {
                   return exhaust(hugepage({.huge = false, .transparent = false, .base = false}),
                                  {.bytes = 1024 * mebibyte}, {errc::os_failure, ENOMEM}, 1);
               }) == 0);
}

BOOST_AUTO_TEST_CASE(mappings) {
    if (test::is_sanitized)
        test::skip("a sanitizer needs mappings itself");
    // Pages that are committed by turns cannot share a mapping.
    BOOST_TEST(test::in_child([] {
                   const bool has_secrets = secret().map({.bytes = 1}).has_value();
                   reserve backing;
                   constexpr std::uint64_t pages = 200'000;
                   auto region = backing.map({.bytes = pages * 4096});
                   if (!region)
                       return 1;
                   const address base = backing.where(*region).base;
                   const auto page = [&](std::uint64_t i) { return range{base + i * 4096, 4096}; };
                   memfd files;
                   auto file = files.map({.bytes = 3 * 4096});
                   if (!file)
                       return 11;
                   const range seen = files.where(*file);
                   std::uint64_t committed = 0;
                   for (; committed != pages / 2; ++committed)
                       if (const auto there = backing.commit(*region, page(2 * committed));
                           !there) {
                           if (there.error() != error{errc::os_failure, ENOMEM})
                               return 2;
                           break;
                       }
                   if (committed < 10'000 || committed == pages / 2)
                       return 3;
                   *reinterpret_cast<volatile char*>(page(0).base) = 'k';
                   *reinterpret_cast<volatile char*>(page(2).base) = 'k';
                   for (std::uint64_t i = 2; i != committed; ++i)
                       *reinterpret_cast<volatile std::uint64_t*>(page(2 * i).base) = i;
                   // Without a mapping left nobody gets one, and nothing is lost or left behind.
                   mmap_backing plain;
                   while (plain.map({.bytes = 4096, .alignment = 1 << 16})) {
                   }
                   const error none{errc::os_failure, ENOMEM};
                   const std::uint64_t mapped = test::mapped_pages();
                   const std::size_t open = test::open_files();
                   const auto refuses = [&](auto&& it) {
                       const auto made = it.map({.bytes = 4096, .alignment = 1 << 16});
                       return !made && made.error() == none && test::mapped_pages() == mapped &&
                              test::open_files() == open;
                   };
                   if (!refuses(plain) || !refuses(memfd()) || !refuses(hugepage()))
                       return 9;
                   if (has_secrets && !refuses(secret()))
                       return 12;
                   const auto replaced =
                       files.replace_view(*file, {seen.base + 4096, 4096}, permissions::read);
                   if (replaced || replaced.error() != none || test::mapped_pages() != mapped)
                       return 10;
                   *reinterpret_cast<volatile char*>(seen.base + 4096) = 'f';
                   // One can always be given up, though not be told from its neighbours if there
                   // are some.
                   mmap_backing others;
                   auto taken = others.map({.bytes = 4096});
                   if (!backing.decommit(*region, page(2)))
                       return 4;
                   if (*reinterpret_cast<volatile char*>(page(0).base) != 'k')
                       return 5;
                   if (!backing.commit(*region, page(2)) ||
                       *reinterpret_cast<volatile char*>(page(2).base) != 0)
                       return 6;
                   if (taken && !others.unmap(*taken))
                       return 7;
                   for (std::uint64_t i = 2; i != committed; ++i)
                       if (*reinterpret_cast<volatile std::uint64_t*>(page(2 * i).base) != i)
                           return 13;
                   return backing.unmap(*region) ? 0 : 8;
               }) == 0);
}

/// With no key left: who insists on one is told so, who does not gets the next best, and nothing
/// is lost. `last` is the last that was taken.
int without_keys(int last) {
    const test::page_probe probe;
    const error none_left{errc::not_supported, ENOSPC};
    mmap_backing backing;
    memfd files;
    auto region = backing.map({.bytes = 4096});
    auto file = files.map({.bytes = 4096});
    if (!region || !file)
        return 2;
    volatile char& byte = *reinterpret_cast<volatile char*>(backing.where(*region).base + 7);
    byte = 'k';
    if (const auto locked = files.lock(*file, view::main); locked || locked.error() != none_left)
        return 3;
    keyed strict;
    keyed::area_state state;
    const auto refused = strict.protect(backing, *region, state);
    if (refused || refused.error() != none_left)
        return 4;
    if (strict.achieved(state) != strength::none || byte != 'k')
        return 5;
    byte = 'l';
    keyed lenient(demand::best_effort);
    if (lenient.protect(backing, *region, state) != strength::read_only)
        return 6;
    const address base = backing.where(*region).base;
    if (byte != 'l' || probe.writable(base))
        return 7;
    if (!lenient.take_back(backing, *region, state) || !probe.writable(base))
        return 8;
    if (!os::key_free(last) || strict.protect(backing, *region, state) != strength::guarded)
        return 9;
    if (byte != 'l' || probe.writable(base))
        return 10;
    return strict.take_back(backing, *region, state) && probe.writable(base) &&
                   backing.unmap(*region) && files.unmap(*file)
               ? 0
               : 11;
}

BOOST_AUTO_TEST_CASE(protection_keys) {
    const int end = test::in_child([] {
        std::vector<int> keys;
        for (auto key = os::key_alloc(0);; key = os::key_alloc(0)) {
            if (!key && keys.empty())
                return 77;
            if (!key)
                return key.error().os_code == ENOSPC ? without_keys(keys.back()) : 1;
            keys.push_back(*key);
        }
    });
    if (end == 77)
        test::skip("this processor or kernel has no protection keys");
    BOOST_TEST(end == 0);
}

} // namespace
