// SPDX-License-Identifier: MIT
// What concepts/metadata.hpp asks of every provider.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "models/metadata.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

struct taken {
    std::byte* first;
    std::size_t bytes;
    std::byte mark;

    [[nodiscard]] bool is_all(std::byte value) const {
        return std::all_of(first, first + bytes, [&](std::byte b) { return b == value; });
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(every_metadata_provider)

BOOST_AUTO_TEST_CASE_TEMPLATE(storage_is_aligned_zeroed_and_nobody_elses, Provider,
                              test::metadata_models) {
    test::random_source random;
    auto it = std::make_unique<test::metadata_rig<Provider>>();
    std::vector<taken> live;
    const auto give_back_newest = [&] {
        BOOST_TEST(live.back().is_all(live.back().mark));
        it->provider.give_back(live.back().first, live.back().bytes);
        live.pop_back();
    };
    for (int step = 0; step != 2'000; ++step) {
        if (live.empty() || (live.size() < 40 && random.chance(52))) {
            const std::size_t bytes = random.between(1, std::size_t{1} << random.below(14));
            const auto storage = it->provider.take(bytes);
            BOOST_TEST_REQUIRE(storage.has_value());
            live.push_back({*storage, bytes, static_cast<std::byte>(random.between(1, 255))});
            BOOST_TEST(live.back().is_all(std::byte{0}));
            BOOST_TEST(reinterpret_cast<std::uintptr_t>(*storage) % storage_alignment == 0u);
            std::memset(*storage, static_cast<int>(live.back().mark), bytes);
        } else {
            give_back_newest();
        }
    }
    while (!live.empty())
        give_back_newest();
}

BOOST_AUTO_TEST_CASE_TEMPLATE(refuses_what_it_cannot_give_and_goes_on, Provider,
                              test::metadata_models) {
    auto it = std::make_unique<test::metadata_rig<Provider>>();
    for (const std::size_t bytes :
         {std::size_t{0}, ~std::size_t{0}, ~std::size_t{0} - 63, std::size_t{1} << 62}) {
        BOOST_TEST(!it->provider.take(bytes).has_value(), bytes);
        const auto next = it->provider.take(100);
        BOOST_TEST_REQUIRE(next.has_value());
        it->provider.give_back(*next, 100);
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_reference_takes_from_the_same_provider, Provider,
                              test::metadata_models) {
    auto it = std::make_unique<test::metadata_rig<Provider>>();
    const metadata_ref reference(it->provider);
    const metadata_ref copy = reference;
    std::byte* const first = copy.take(100).value();
    std::byte* const second = it->provider.take(100).value();
    BOOST_TEST(first != second);
    it->provider.give_back(second, 100);
    copy.give_back(first, 100);
    BOOST_TEST(it->provider.take(100).value() == first);
}

BOOST_AUTO_TEST_SUITE_END()
