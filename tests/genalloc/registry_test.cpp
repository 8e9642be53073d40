// SPDX-License-Identifier: MIT
// Pools that are listed by owner and name, and handles that own them.
#include <palloc/genalloc/managed.hpp>
#include <palloc/metadata/metadata_arena.hpp>
#include <palloc/registry.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/misuse_log.hpp"

namespace {

using namespace palloc;

struct owners {
    int device = 0;
    int other = 0;
    registry<genalloc> listed;

    auto make(const void* owner, std::optional<std::string_view> name = {},
              genalloc_options options = {.order = 6}) {
        return managed_genalloc::create(owner, name, options, listed);
    }
};

BOOST_AUTO_TEST_SUITE(listed_pools)

BOOST_AUTO_TEST_CASE(are_found_by_owner_and_name) {
    owners o;
    BOOST_TEST(o.listed.find(&o.device) == nullptr);
    const auto unnamed = o.make(&o.device).value();
    const auto rx = o.make(&o.device, "rx").value();
    const auto tx = o.make(&o.device, "tx").value();
    const auto empty = o.make(&o.device, "").value(); // a name, if a short one
    const auto others = o.make(&o.other, "rx").value();
    BOOST_TEST(o.listed.find(&o.device) == &*unnamed);
    BOOST_TEST(o.listed.find(&o.device, "rx") == &*rx);
    BOOST_TEST(o.listed.find(&o.device, "tx") == &*tx);
    BOOST_TEST(o.listed.find(&o.device, "") == &*empty);
    BOOST_TEST(o.listed.find(&o.other, "rx") == &*others);
    BOOST_TEST(o.listed.find(&o.other) == nullptr);
    BOOST_TEST(o.listed.find(&o.device, "r") == nullptr);
    BOOST_TEST(rx->as_pool().options().name == "rx");
    BOOST_TEST(unnamed->as_pool().granule().order() == 6u);
}

BOOST_AUTO_TEST_CASE(have_names_of_their_own) {
    owners o;
    const auto rx = o.make(&o.device, "rx").value();
    const auto unnamed = o.make(&o.device).value();
    BOOST_TEST((o.make(&o.device, "rx").error().code == errc::bad_argument));
    BOOST_TEST((o.make(&o.device).error().code == errc::bad_argument));
    BOOST_TEST(o.listed.find(&o.device, "rx") == &*rx); // the refused ones are gone again
    BOOST_TEST(o.listed.find(&o.device) == &*unnamed);
}

BOOST_AUTO_TEST_CASE(keep_a_copy_of_the_name) {
    owners o;
    std::string name = "a name that is too long for a small buffer";
    const auto pool = o.make(&o.device, name).value();
    const std::string same = name;
    name.assign(name.size(), 'x');
    BOOST_TEST(o.listed.find(&o.device, same) == &*pool);
    BOOST_TEST(pool->as_pool().options().name == same);
}

BOOST_AUTO_TEST_CASE(end_with_their_handle) {
    owners o;
    test::misuse_log log;
    {
        auto first = o.make(&o.device, "rx", {.order = 6, .on_misuse = log.policy()}).value();
        genalloc* const pool = &*first;
        BOOST_TEST(pool->add(0x1000, 0x1000).has_value());
        BOOST_TEST(pool->alloc(1).value() == 0x1000u);
        auto second = std::move(first); // the pool stays where it is
        BOOST_TEST(o.listed.find(&o.device, "rx") == pool);
        second = o.make(&o.device, "tx").value();
        BOOST_TEST(o.listed.find(&o.device, "rx") == nullptr);
        BOOST_TEST(log.seen.size() == 1u); // a block was outstanding
        BOOST_TEST(o.listed.find(&o.device, "tx") == &*second);
    }
    BOOST_TEST(o.listed.find(&o.device, "tx") == nullptr);
    BOOST_TEST(o.make(&o.device, "rx").has_value());
}

BOOST_AUTO_TEST_CASE(are_found_by_address) {
    owners o;
    const auto low = o.make(&o.device, "low").value();
    const auto high = o.make(&o.device, "high").value();
    BOOST_TEST((low->add(0x1000, 0x1000).has_value() && high->add(0x8000, 0x1000).has_value()));
    BOOST_TEST(o.listed.find_containing(0x1fff) == &*low);
    BOOST_TEST(o.listed.find_containing(0x8000) == &*high);
    BOOST_TEST(o.listed.find_containing(0x2000) == nullptr);
}

BOOST_AUTO_TEST_CASE(are_found_where_a_description_points) {
    owners o;
    const auto own = o.make(&o.device).value();
    const auto sram = o.make(&o.other, "sram").value();
    const auto named = o.make(&o.other, "node").value();
    const std::array property{described_node{.device = &o.device},
                              described_node{.parent = &o.other, .label = "sram", .name = "node"},
                              described_node{.parent = &o.other, .name = "node"},
                              described_node{.parent = &o.other, .name = "missing"}};
    BOOST_TEST(o.listed.find(property, 0) == &*own);
    BOOST_TEST(o.listed.find(property, 1) == &*sram);
    BOOST_TEST(o.listed.find(property, 2) == &*named);
    BOOST_TEST(o.listed.find(property, 3) == nullptr);
    BOOST_TEST(o.listed.find(property, 4) == nullptr);
}

BOOST_AUTO_TEST_CASE(need_no_heap) {
    alignas(storage_alignment) static std::array<std::byte, 8192> storage{};
    metadata_arena arena{storage};
    owners o;
    {
        const auto pool =
            o.make(&o.device, "static", {.order = 6, .metadata = metadata_ref(arena)}).value();
        BOOST_TEST(pool->add(0x1000, 0x1000).has_value());
        BOOST_TEST(arena.used_bytes() != 0u);
        BOOST_TEST(pool->alloc(64).value() == 0x1000u);
        BOOST_TEST(pool->free(0x1000, 64).has_value());
    }
    metadata_arena nothing{std::span(storage).first(64)};
    BOOST_TEST((o.make(&o.device, {}, {.metadata = metadata_ref(nothing)}).error().code ==
                errc::out_of_memory));
    BOOST_TEST(o.listed.find(&o.device) == nullptr);
}

BOOST_AUTO_TEST_CASE(may_come_and_go_from_any_thread) {
    owners o;
    std::atomic<int> made = 0;
    std::atomic<int> refused = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t != 4; ++t)
        threads.emplace_back([&, t] {
            for (int i = 0; i != 3000; ++i) {
                const auto shared = o.make(&o.device, "shared");
                shared ? ++made : ++refused;
                const auto own = o.make(&o.other, std::string(1, static_cast<char>('a' + t)));
                if (!own ||
                    o.listed.find(&o.other, std::string(1, static_cast<char>('a' + t))) != &**own)
                    ++refused, --made;
            }
        });
    for (std::thread& each : threads)
        each.join();
    BOOST_TEST(made + refused == 4 * 3000);
    BOOST_TEST(made > 0);
    BOOST_TEST(o.listed.find(&o.device, "shared") == nullptr);
    BOOST_TEST(o.listed.find(&o.other, "a") == nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
