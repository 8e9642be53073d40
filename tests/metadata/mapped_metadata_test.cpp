// SPDX-License-Identifier: MIT
#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/metadata/mapped_metadata.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "backends/storage.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/random.hpp"
#include "support/skip.hpp"

namespace {

using namespace palloc;

struct storage {
    std::byte* first;
    std::size_t bytes;
    std::byte mark;
};

bool is_all(const storage& it, std::byte value) {
    return std::all_of(it.first, it.first + it.bytes, [&](std::byte b) { return b == value; });
}

/// Takes and gives back at random; what is taken is zero and aligned, and nobody else writes it.
/// Answers how often that was not so.
std::size_t exercise(mapped_metadata& provider, test::random_source& random, int steps,
                     std::size_t longest_log2) {
    std::vector<storage> live;
    std::size_t wrong = 0;
    const auto drop = [&](std::size_t any) {
        wrong += is_all(live[any], live[any].mark) ? 0U : 1U;
        provider.give_back(live[any].first, live[any].bytes);
        live[any] = live.back();
        live.pop_back();
    };
    for (int step = 0; step < steps; ++step) {
        if (live.empty() || random.chance(55)) {
            const std::size_t bytes =
                random.between(1, std::size_t{1} << random.below(longest_log2 + 1));
            const storage it{provider.take(bytes).value(), bytes,
                             static_cast<std::byte>(random.between(1, 255))};
            wrong += is_all(it, std::byte{}) ? 0U : 1U;
            wrong += reinterpret_cast<std::uintptr_t>(it.first) % storage_alignment;
            std::memset(it.first, static_cast<int>(it.mark), it.bytes);
            live.push_back(it);
        } else {
            drop(random.below(live.size()));
        }
    }
    while (!live.empty())
        drop(live.size() - 1);
    return wrong;
}

BOOST_AUTO_TEST_CASE(storage_is_zero_aligned_and_nobody_elses) {
    test::random_source random;
    mapped_metadata provider;
    BOOST_TEST_CONTEXT(random) {
        BOOST_TEST(exercise(provider, random, 3'000, 18) == 0U);
    }
}

BOOST_AUTO_TEST_CASE(two_threads_may_share_it) {
    mapped_metadata provider;
    std::array<std::size_t, 2> wrong{};
    const auto work = [&](std::size_t thread) {
        test::random_source random(thread);
        wrong.at(thread) = exercise(provider, random, 2'000, 16);
    };
    std::thread other(work, 0);
    work(1);
    other.join();
    BOOST_TEST(wrong[0] + wrong[1] == 0U);
}

BOOST_AUTO_TEST_CASE(nothing_stays_mapped) {
    const std::uint64_t before = test::mapped_pages();
    {
        mapped_metadata provider;
        std::byte* const small = provider.take(1).value();
        std::byte* const large = provider.take(1 << 20).value();
        BOOST_TEST(test::mapped_pages() == before + 16 + 256);
        provider.give_back(large, 1 << 20);
        BOOST_TEST(test::mapped_pages() == before + 16);
        provider.give_back(small, 1);
    }
    BOOST_TEST(test::mapped_pages() == before);
}

BOOST_AUTO_TEST_CASE(small_storage_is_used_again) {
    mapped_metadata provider;
    const std::uint64_t calls = os::calls(os::maps_storage);
    for (int i = 0; i < 10'000; ++i)
        for (const std::size_t bytes : {1U, 64U, 65U, 1'000U, 5'000U})
            provider.give_back(provider.take(bytes).value(), bytes);
    BOOST_TEST(os::calls(os::maps_storage) == calls + 1);
}

BOOST_AUTO_TEST_CASE(books_of_gigabytes_cost_what_is_written) {
#if defined(_WIN32)
    test::skip("there the system promises all of them at once");
#else
    mapped_metadata provider;
    constexpr std::size_t bytes = std::size_t{64} << 30;
    const std::uint64_t before = test::resident_pages();
    std::byte* const book = provider.take(bytes).value();
    book[bytes / 2] = std::byte{1};
    BOOST_TEST(test::resident_pages() - before <= 64U);
    const std::string flags = test::mapping_flags(reinterpret_cast<std::uintptr_t>(book));
    BOOST_TEST(flags.find(" nh ") != std::string::npos); // a huge page would be 512 at once
    provider.give_back(book, bytes);
#endif
}

BOOST_AUTO_TEST_CASE(failures_take_nothing) {
    mapped_metadata provider;
    test::check_fails(provider.take(0), {errc::zero_size});
    test::check_fails(provider.take(~std::size_t{0}), {errc::too_large});
    BOOST_TEST((provider.take(~std::size_t{0} / 16).error().code == errc::os_failure));
    const std::uint64_t before = test::mapped_pages();
    for (const std::size_t bytes : {100U, 1U << 20}) {
        os::fail_nth(os::maps_storage, 1, EAGAIN);
        test::check_fails(provider.take(bytes), {errc::os_failure, EAGAIN});
    }
    BOOST_TEST(test::mapped_pages() == before);
#if !defined(_WIN32)
    os::fail_nth(os::call::advise, 1, EINVAL); // advice is not needed
#endif
    std::byte* const book = provider.take(1 << 20).value();
    provider.give_back(book, 1 << 20);
    BOOST_TEST(test::mapped_pages() == before);
}

BOOST_AUTO_TEST_CASE(the_process_has_one) {
    BOOST_TEST(&default_metadata() == &default_metadata());
    const metadata_ref standard = standard_metadata();
    std::byte* const from_standard = standard.take(100).value();
    default_metadata().give_back(from_standard, 100);
    BOOST_TEST(default_metadata().take(100).value() == from_standard);
    standard.give_back(from_standard, 100);
}

} // namespace
