// SPDX-License-Identifier: MIT
// Attaching: to what is a segment, to what is none, and to one whose other claimants have died.
#include <palloc/shared/segment.hpp>
#include <palloc/shared/segment_report.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <string>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>

#include "backends/os.hpp"
#include "support/in_child.hpp"
#include "support/open_files.hpp"

using namespace palloc;
using verdict = segment_report::verdict;

namespace {

constexpr segment_shape small{.bytes = 1 << 20};

/// A name of this test's own, taken away at both ends.
struct scoped_name {
    scoped_name() : text("/palloc-test-" + std::to_string(::getpid())) { remove(); }
    ~scoped_name() { remove(); }
    scoped_name(const scoped_name&) = delete;
    scoped_name& operator=(const scoped_name&) = delete;
    void remove() const { (void)shared_segment::unlink(text.c_str()); }
    [[nodiscard]] const char* get() const { return text.c_str(); }
    std::string text;
};

/// Writes over what is in a segment's file, and asks what is found then.
template <class Spoil>
segment_report spoiled(Spoil&& spoil, errc expected) {
    const auto good = shared_segment::nameless({.bytes = 1 << 20, .reserves_memory = false});
    BOOST_REQUIRE(good.has_value());
    const int file = ::memfd_create("spoiled", 0);
    std::array<char, 4096> header{};
    BOOST_REQUIRE(::pread(good->descriptor(), header.data(), header.size(), 0) == 4096);
    BOOST_REQUIRE(::pwrite(file, header.data(), header.size(), 0) == 4096);
    BOOST_REQUIRE(::ftruncate(file, 4 << 20) == 0);
    spoil(file);
    segment_report why;
    const auto got = shared_segment::attach(file, 64, &why);
    ::close(file);
    BOOST_TEST_REQUIRE(!got.has_value());
    BOOST_TEST((got.error().code == expected));
    return why;
}

void put(int file, std::uint64_t value, off_t at, std::size_t bytes = 8) {
    BOOST_REQUIRE(::pwrite(file, &value, bytes, at) == static_cast<ssize_t>(bytes));
}

} // namespace

BOOST_AUTO_TEST_SUITE(segments)

BOOST_AUTO_TEST_CASE(two_attachments_see_one_segment_at_two_places) {
    const scoped_name name;
    auto first = shared_segment::create(name.get(), small);
    BOOST_TEST_REQUIRE(first.has_value());
    const auto second = shared_segment::open(name.get(), 64);
    BOOST_TEST_REQUIRE(second.has_value());
    BOOST_TEST((first->self() == 1 && second->self() == 2));
    BOOST_TEST(first->base() != second->base());
    BOOST_TEST(first->base() % shared_segment::base_alignment == 0u);
    BOOST_TEST((first->data() == second->data()));
    BOOST_TEST(first->data().bytes == 1u << 20);
    BOOST_TEST(first->granules() == 16384u);
    first->root(3) = 77;
    BOOST_TEST(second->root(3) == 77u);
    auto* const here = reinterpret_cast<std::uint64_t*>(first->at(first->data().base));
    *here = 5;
    BOOST_TEST(*reinterpret_cast<std::uint64_t*>(second->at(first->data().base)) == 5u);
    BOOST_TEST(first->offset_of(address_of(here)) == first->data().base);
    BOOST_TEST(shared_segment::create(name.get(), small).error().os_code == EEXIST);
    name.remove();
    BOOST_TEST(shared_segment::open(name.get(), 64).error().os_code == ENOENT);
}

BOOST_AUTO_TEST_CASE(what_is_no_segment_is_refused_and_said_why) {
    const auto foreign = spoiled([](int file) { put(file, 0x7f454c46, 0); }, errc::bad_argument);
    BOOST_TEST((foreign.what == verdict::foreign && foreign.found == 0x7f454c46u));
    const auto version = spoiled([](int file) { put(file, 9, 8, 4); }, errc::not_supported);
    BOOST_TEST((version.what == verdict::other_version && version.found == 9u));
    BOOST_TEST(version.expected == 1u);
    const auto damaged = spoiled([](int file) { put(file, 1 << 30, 16); }, errc::bad_argument);
    BOOST_TEST((damaged.what == verdict::damaged));
    const auto cut = spoiled([](int file) { BOOST_REQUIRE(::ftruncate(file, 1 << 20) == 0); },
                             errc::bad_argument);
    BOOST_TEST((cut.what == verdict::truncated && cut.found == 1u << 20));
    BOOST_TEST(cut.expected > 1u << 20);
    const auto stub =
        spoiled([](int file) { BOOST_REQUIRE(::ftruncate(file, 100) == 0); }, errc::bad_argument);
    BOOST_TEST((stub.what == verdict::truncated && stub.found == 100u));
    const auto nothing =
        spoiled([](int file) { BOOST_REQUIRE(::ftruncate(file, 0) == 0); }, errc::bad_argument);
    BOOST_TEST((nothing.what == verdict::not_ready));
    BOOST_TEST(to_string(nothing.what) == "not_ready");
}

BOOST_AUTO_TEST_CASE(a_header_that_lies_is_damaged) {
    // a checksum that fits granules of no bytes, too many, or data that lies elsewhere
    const auto lie = [](std::uint32_t granule, std::uint64_t granules, std::uint64_t data) {
        return spoiled(
            [=](int file) {
                detail::segment_header head{};
                BOOST_REQUIRE(::pread(file, &head, sizeof head, 0) == ssize_t{sizeof head});
                head.granule_bytes = granule;
                head.granules = granules;
                head.data_at += data;
                head.checksum = head.sum();
                BOOST_REQUIRE(::pwrite(file, &head, sizeof head, 0) == ssize_t{sizeof head});
            },
            errc::bad_argument);
    };
    BOOST_TEST((lie(0, 16384, 0).what == verdict::damaged));
    BOOST_TEST((lie(64, std::uint64_t{1} << 60, 0).what == verdict::damaged));
    BOOST_TEST((lie(64, 16384, 64).what == verdict::damaged));
}

BOOST_AUTO_TEST_CASE(shapes_are_checked) {
    BOOST_TEST((shared_segment::nameless({}).error().code == errc::zero_size));
    BOOST_TEST((shared_segment::nameless({.bytes = 9, .granule_bytes = 0}).error().code ==
                errc::bad_argument));
    BOOST_TEST(
        (shared_segment::nameless({.bytes = ~std::uint64_t{0}}).error().code == errc::too_large));
    const auto odd = shared_segment::nameless({.bytes = 100, .granule_bytes = 48});
    BOOST_TEST_REQUIRE(odd.has_value());
    BOOST_TEST(odd->data().bytes == 144u);
    segment_report why;
    BOOST_TEST(
        (shared_segment::attach(odd->descriptor(), 64, &why).error().code == errc::bad_argument));
    BOOST_TEST((why.what == verdict::other_granule && why.found == 48u && why.expected == 64u));
    BOOST_TEST(::ftruncate(odd->descriptor(), 0) != 0); // sealed
}

BOOST_AUTO_TEST_CASE(what_was_half_made_is_made_again) {
    const scoped_name name;
    const int file = ::shm_open(name.get(), O_RDWR | O_CREAT, 0600);
    BOOST_REQUIRE(::ftruncate(file, 1 << 20) == 0); // and then its maker died
    segment_report why;
    BOOST_TEST((shared_segment::open(name.get(), 64, &why).error().code == errc::bad_argument));
    BOOST_TEST((why.what == verdict::not_ready));
    BOOST_TEST(shared_segment::open_or_create(name.get(), small).has_value());
    const auto second = shared_segment::open_or_create(name.get(), {.bytes = 1});
    BOOST_TEST_REQUIRE(second.has_value());
    BOOST_TEST(second->data().bytes == 1u << 20); // that of the first
    ::close(file);
}

BOOST_AUTO_TEST_CASE(every_failing_call_leaves_nothing_behind) {
    using os::call;
    for (const call kind :
         {call::memory_file, call::lock_byte, call::status, call::read, call::truncate, call::limit,
          call::reserve_file, call::write, call::map, call::advise})
        for (std::uint64_t n = 1;; ++n) {
            const std::size_t open = test::open_files();
            os::fail_nth(kind, n, EIO);
            const std::uint64_t made = os::calls(kind);
            {
                const auto got = shared_segment::nameless(small);
                const bool failed = os::calls(kind) - made >= n;
                os::fail_nth(kind, 0, 0);
                if (!failed)
                    break;
                BOOST_TEST(n < 10u);
                if (!got)
                    BOOST_TEST(got.error().os_code == EIO);
            }
            BOOST_TEST(test::open_files() == open);
        }
    const auto whole = shared_segment::nameless(small);
    BOOST_TEST(whole.has_value());
}

BOOST_AUTO_TEST_CASE(the_dead_are_reclaimed_and_the_living_are_not) {
    auto mine = shared_segment::nameless(small);
    BOOST_TEST_REQUIRE(mine.has_value());
    BOOST_TEST(mine->map().claim({0, 10}));
    auto living = shared_segment::attach(mine->descriptor(), 64);
    BOOST_TEST_REQUIRE(living.has_value());
    BOOST_TEST(living->map().claim({10, 10}));
    const int end = test::in_child([&] {
        const auto child = shared_segment::attach(mine->descriptor(), 64);
        if (!child || child->self() != 3 || !child->map().claim({20, 30}) ||
            !child->map().claim({100, 5}) || !child->map().keep({100, 5}))
            ::_exit(1);
        ::raise(SIGKILL);
        return 2;
    });
    BOOST_TEST(end == -SIGKILL);
    std::vector<std::uint64_t> held;
    mine->for_each_claimant([&](auto, auto, std::uint64_t bytes) { held.push_back(bytes); });
    BOOST_TEST((held == std::vector<std::uint64_t>{640, 640, 1920}));
    const auto got = mine->reclaim();
    BOOST_TEST((got.claimants == 1u && got.bytes == 1920u));
    BOOST_TEST(mine->map().free_count() == mine->granules() - 25);
    BOOST_TEST(mine->reclaim().claimants == 0u);
    living = shared_segment::attach(mine->descriptor(), 64); // the former detaches
    BOOST_TEST(mine->map().free_count() == mine->granules() - 15);
    BOOST_TEST(living->map().release({100, 5}) == 0u); // what was kept is anybody's
}

BOOST_AUTO_TEST_CASE(there_is_a_most_of_claimants) {
    auto first = shared_segment::nameless({.bytes = 1});
    BOOST_TEST_REQUIRE(first.has_value());
    std::vector<shared_segment> all;
    for (int i = 1; i != claimed::claimants; ++i) {
        auto next = shared_segment::attach(first->descriptor(), 64);
        BOOST_TEST_REQUIRE(next.has_value());
        all.push_back(std::move(*next));
    }
    BOOST_TEST((shared_segment::attach(first->descriptor(), 64).error().code == errc::over_limit));
    all.pop_back();
    BOOST_TEST(shared_segment::attach(first->descriptor(), 64).has_value());
}

BOOST_AUTO_TEST_CASE(a_child_of_fork_has_no_part_in_it) {
    std::optional<shared_segment> mine;
    mine.emplace(shared_segment::nameless(small).value());
    BOOST_TEST(mine->map().claim({7, 3}));
    BOOST_TEST(test::in_child([&] {
                   mine.reset(); // not the parent's
                   return 0;
               }) == 0);
    BOOST_TEST(test::in_child([&] { return static_cast<int>(mine->granules() % 2); }) !=
               0); // faults
    BOOST_TEST(mine->map().owner(7) == mine->self());
    const auto second = shared_segment::attach(mine->descriptor(), 64).value();
    BOOST_TEST(second.self() == 2);
    BOOST_TEST(second.map().owner(7) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
