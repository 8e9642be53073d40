// SPDX-License-Identifier: MIT
// In the child of a fork code runs, and nothing of the parent's can be changed; by whatever way.
#include <palloc/perm_alloc.hpp>

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <unistd.h>

#include <sys/mman.h>

#include "machine_code.hpp"
#include "support/in_child.hpp"
#include "support/page_probe.hpp"

using namespace palloc;
using namespace palloc::test;

namespace {

using function = int();

struct parent {
    perm_alloc code;
    perm_alloc::allocation block = code.allocate({.bytes = 16}).value();
    perm_alloc::allocation own = code.allocate({.bytes = 16, .owns_pages = true}).value();

    parent() {
        BOOST_TEST_REQUIRE(block.write(0, returns(1)).has_value());
        BOOST_TEST_REQUIRE(own.write(0, returns(2)).has_value());
    }
    parent(const parent&) = delete;
    parent& operator=(const parent&) = delete;
    ~parent() {
        BOOST_TEST(block.entry<function>()() == 1);
        BOOST_TEST(own.entry<function>()() == 2);
        BOOST_TEST(code.free(block).has_value());
        BOOST_TEST(code.free(own).has_value());
    }
};

/// Every descriptor of a nameless file that the child has, tried in every way there is to write.
bool writes_through_a_descriptor() {
    for (int file = 3; file != 256; ++file) {
        std::array<char, 64> link{};
        const std::string path = "/proc/self/fd/" + std::to_string(file);
        if (::readlink(path.c_str(), link.data(), link.size() - 1) <= 0 ||
            !std::string_view(link.data()).starts_with("/memfd:"))
            continue;
        char byte = 0;
        if (::pwrite(file, &byte, 1, 0) == 1 || ::ftruncate(file, 0) == 0 ||
            ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0 ||
            ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) != MAP_FAILED)
            return true;
        const int again = ::open(path.c_str(), O_RDWR);
        if (again >= 0 && ::mmap(nullptr, 4096, PROT_WRITE, MAP_SHARED, again, 0) != MAP_FAILED)
            return true;
    }
    return false;
}

} // namespace

BOOST_AUTO_TEST_SUITE(perm_alloc_and_fork)

BOOST_AUTO_TEST_CASE(a_child_runs_the_code_and_works_on_in_arenas_of_its_own) {
    parent it;
    BOOST_TEST(in_child([&] {
                   if (it.block.entry<function>()() != 1 || it.own.entry<function>()() != 2)
                       return 1;
                   if (it.block.write(0, returns(9)).error().code != errc::is_protected)
                       return 2;
                   if (it.block.open().error().code != errc::is_protected)
                       return 3;
                   if (it.own.change(permissions::read_write).has_value())
                       return 4;
                   if (!it.code.free(it.block)) // only noted
                       return 5;
                   const auto fresh = it.code.allocate({.bytes = 16});
                   if (!fresh || !fresh->write(0, returns(7)) || fresh->entry<function>()() != 7)
                       return 6;
                   return it.block.entry<function>()() == 1 ? 0 : 7;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(a_child_has_no_way_to_write) {
    parent it;
    const address alias = it.code.to_writable(it.block.address()).value();
    const address own_alias = it.code.to_writable(it.own.address()).value();
    BOOST_TEST(in_child([&] {
                   const page_probe probe;
                   if (probe.writable(alias) || probe.writable(own_alias))
                       return 1;
                   if (writes_through_a_descriptor())
                       return 2;
                   for (const address at : {it.block.address(), it.own.address()}) {
                       void* const page = reinterpret_cast<void*>(at / 4096 * 4096);
                       if (::mprotect(page, 4096, PROT_READ | PROT_WRITE) == 0)
                           return 3;
                       if (::madvise(page, 4096, MADV_REMOVE) == 0)
                           return 4;
                   }
                   const int memory = ::open("/proc/self/mem", O_RDWR);
                   const char byte = 0;
                   if (memory >= 0 &&
                       ::pwrite(memory, &byte, 1, static_cast<off_t>(it.block.address())) == 1)
                       return 5;
                   return 0;
               }) == 0);
}

BOOST_AUTO_TEST_CASE(forks_at_random_moments_neither_hang_nor_harm) {
    parent it;
    std::atomic<bool> done = false;
    std::thread busy([&] {
        while (!done) {
            const auto block = it.code.allocate({.bytes = 700});
            (void)block->write(0, returns(3));
            (void)it.code.free(*block);
        }
    });
    int told = 0;
    const int forks = std::getenv("PALLOC_FULL") != nullptr ? 10'000 : 500;
    for (int i = 0; i != forks; ++i) {
        const int status = in_child([&] {
            const auto fresh = it.code.allocate({.bytes = 16});
            if (!fresh) // it may be told that it cannot
                return fresh.error().code == errc::not_supported ? 10 : 1;
            if (!fresh->write(0, returns(4)) || fresh->entry<function>()() != 4)
                return 2;
            return it.block.entry<function>()() == 1 ? 0 : 3;
        });
        BOOST_TEST_REQUIRE((status == 0 || status == 10));
        told += status == 10 ? 1 : 0;
    }
    done = true;
    busy.join();
    BOOST_TEST_MESSAGE(told << " of " << forks << " children were told that they cannot");
}

BOOST_AUTO_TEST_CASE(data_is_copied) {
    parent it;
    const auto data = it.code.allocate({.bytes = 8, .allowed = permissions::read_write}).value();
    int& value = *reinterpret_cast<int*>(data.address());
    value = 5;
    BOOST_TEST(in_child([&] {
                   const bool same = value == 5;
                   value = 6;
                   return same && it.code.free(data).has_value();
               }) == 0);
    BOOST_TEST(value == 5);
    BOOST_TEST(it.code.free(data).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
