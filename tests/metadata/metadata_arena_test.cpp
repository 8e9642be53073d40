// SPDX-License-Identifier: MIT
#include <palloc/metadata/metadata_arena.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/backing_checks.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;

BOOST_AUTO_TEST_CASE(hands_out_aligned_storage_until_it_is_used_up) {
    alignas(64) std::array<std::byte, 1000> space{};
    metadata_arena arena({space.data() + 1, 999}); // 64 … 1000 remain
    BOOST_TEST(arena.left_bytes() == 936);
    BOOST_TEST(arena.take(1).value() == space.data() + 64);
    BOOST_TEST(arena.take(64).value() == space.data() + 128);
    BOOST_TEST(arena.take(65).value() == space.data() + 192);
    BOOST_TEST(arena.used_bytes() == 256);
    test::check_fails(arena.take(681), {errc::out_of_memory});
    test::check_fails(arena.take(0), {errc::zero_size});
    test::check_fails(arena.take(~std::size_t{0}), {errc::out_of_memory});
    BOOST_TEST(arena.take(680).value() == space.data() + 320);
    BOOST_TEST(arena.left_bytes() == 0);
    test::check_fails(arena.take(1), {errc::out_of_memory});
}

BOOST_AUTO_TEST_CASE(takes_back_the_newest_only) {
    alignas(64) std::array<std::byte, 1024> space{};
    metadata_arena arena(space);
    std::byte* const first = arena.take(100).value();
    std::byte* const second = arena.take(100).value();
    arena.give_back(first, 100);
    BOOST_TEST(arena.used_bytes() == 256);
    arena.give_back(second, 100);
    BOOST_TEST(arena.used_bytes() == 128);
    BOOST_TEST(arena.take(10).value() == second);
}

BOOST_AUTO_TEST_CASE(what_is_handed_out_again_is_zero) {
    test::random_source random;
    alignas(64) std::array<std::byte, 4096> space{};
    metadata_arena arena(space);
    BOOST_TEST_CONTEXT(random) {
        for (int step = 0; step < 1'000; ++step) {
            const std::size_t bytes = random.between(1, 4096);
            std::byte* const taken = arena.take(bytes).value();
            BOOST_TEST(
                std::all_of(taken, taken + bytes, [](std::byte b) { return b == std::byte{}; }));
            std::memset(taken, 0xff, bytes);
            arena.give_back(taken, bytes);
        }
    }
}

BOOST_AUTO_TEST_CASE(a_second_arena_finds_what_the_first_wrote) {
    alignas(64) std::array<std::byte, 4096> space{};
    metadata_arena writer(space);
    metadata_arena reader(space);
    for (int i = 1; i <= 10; ++i) {
        const auto bytes = static_cast<std::size_t>(i) * 30;
        std::byte* const written = writer.take(bytes).value();
        std::memset(written, i, bytes);
        const std::byte* const found = reader.take(bytes).value();
        BOOST_TEST(found == written);
        BOOST_TEST((found[bytes - 1] == static_cast<std::byte>(i)));
    }
}

BOOST_AUTO_TEST_CASE(a_span_too_small_to_align_is_empty) {
    alignas(64) std::array<std::byte, 64> space{};
    metadata_arena arena({space.data() + 1, 10});
    BOOST_TEST(arena.left_bytes() == 0);
    test::check_fails(arena.take(1), {errc::out_of_memory});
}

} // namespace
