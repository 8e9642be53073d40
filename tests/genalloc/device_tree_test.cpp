// SPDX-License-Identifier: MIT
// Pools found through a compiled tree of several nodes: device_tree.dts.
#include <palloc/genalloc/device_tree.hpp>
#include <palloc/genalloc/managed.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/skip.hpp"

using namespace palloc;

namespace {

[[nodiscard]] std::vector<std::byte> compiled() {
    const auto here = std::filesystem::canonical("/proc/self/exe").parent_path();
    std::ifstream in(here / "genalloc/device_tree.dtb", std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    std::vector<std::byte> bytes(text.size());
    std::transform(text.begin(), text.end(), bytes.begin(),
                   [](char c) { return static_cast<std::byte>(c); });
    return bytes;
}

struct board {
    board() {
        if (const auto tried = device_tree::over(bytes);
            !tried && tried.error().code == errc::not_supported)
            test::skip("built without libfdt");
        tree.emplace(device_tree::over(bytes).value());
    }
    /// A pool over a node's memory, whose granules have so many bytes.
    managed_genalloc pool(const char* owner, const char* memory,
                          std::optional<std::string_view> name, unsigned order) {
        auto made =
            managed_genalloc::create(tree->owner(owner).value(), name, {.order = order}, listed);
        BOOST_REQUIRE(made.has_value());
        const range physical = tree->physical_range(memory).value();
        BOOST_REQUIRE((*made)->add_virt(0x1000, physical.base, physical.bytes).has_value());
        return std::move(*made);
    }
    [[nodiscard]] result<genalloc*> find(std::size_t index, const char* property = "sram",
                                         const char* path = "codec") {
        return tree->find_pool(path, property, index, listed);
    }

    std::vector<std::byte> bytes = compiled();
    std::optional<device_tree> tree;
    registry<genalloc> listed;
};

} // namespace

BOOST_AUTO_TEST_SUITE(device_trees)

BOOST_AUTO_TEST_CASE(a_phandle_leads_to_a_devices_pool_or_a_part_of_its_parents) {
    board it;
    const auto sram = it.pool("/sram@80000000", "/sram@80000000", {}, 6);
    constexpr const char* divided = "/soc/sram@100000";
    const auto whole = it.pool(divided, divided, {}, 8);
    const auto rx = it.pool(divided, "/soc/sram@100000/buffers@0", "rx buffers", 5);
    const auto tx = it.pool(divided, "/soc/sram@100000/queues@1000", "queues", 4);
    BOOST_TEST(it.find(0).value() == &*sram);
    BOOST_TEST(it.find(1).value() == &*rx); // by its label
    BOOST_TEST(it.find(2).value() == &*tx); // by its name, without the address
    BOOST_TEST(it.find(4).value() == &*whole);
    BOOST_TEST(it.find(0, "sram", "/soc/codec@9000").value() == &*sram);
    const auto block = it.find(2).value()->dma_alloc(64).value();
    BOOST_TEST(block.physical == 0xff001000u);
    tx->free(block.where, 64);
}

BOOST_AUTO_TEST_CASE(what_is_switched_off_is_no_device) {
    board it;
    const auto off = it.pool("/soc/sram@130000", "/soc/sram@130000", {}, 6);
    BOOST_TEST((it.find(3).error().code == errc::not_ours));
    const auto node = it.tree->follow("codec", "sram", 3).value();
    BOOST_TEST((node.device == nullptr && node.name == "sram"));
    BOOST_TEST(node.parent == it.tree->owner("/soc").value());
    const auto named = it.pool("/soc", "/soc/sram@130000", "sram", 6); // that is what is asked for
    BOOST_TEST(it.find(3).value() == &*named);
}

BOOST_AUTO_TEST_CASE(ranges_are_those_of_the_processor) {
    const board it;
    const auto at = [&](const char* path, std::size_t index = 0) {
        return it.tree->physical_range(path, index);
    };
    BOOST_TEST((at("/sram@80000000").value() == range{0x80000000, 0x10000}));
    BOOST_TEST((at("/sram@80000000", 1).value() == range{0x100000000, 0x1000}));
    BOOST_TEST((at("/soc/sram@100000").value() == range{0xff000000, 0x20000}));
    BOOST_TEST((at("/soc/sram@100000/queues@1000").value() == range{0xff001000, 0x2000}));
    BOOST_TEST((at("codec").value() == range{0xfe009000, 0x100}));
    BOOST_TEST((at("codec", 1).error().code == errc::past_the_end));
    BOOST_TEST((at("/soc").error().code == errc::bad_argument));
    BOOST_TEST((at("/soc/sram@900000").error().code == errc::not_ours)); // in no window
    BOOST_TEST((at("/plain/hidden@0").error().code == errc::not_ours));  // no bus
}

BOOST_AUTO_TEST_CASE(misses_are_told_apart) {
    board it;
    BOOST_TEST((it.find(0).error().code == errc::not_ours));
    BOOST_TEST((it.find(5).error().code == errc::past_the_end));
    BOOST_TEST((it.find(0, "sdram").error().code == errc::bad_argument));
    BOOST_TEST((it.find(0, "dangling").error().code == errc::bad_argument));
    BOOST_TEST((it.find(0, "odd").error().code == errc::bad_argument));
    BOOST_TEST((it.find(0, "sram", "/soc/nobody").error().code == errc::bad_argument));
    BOOST_TEST((it.tree->owner("/nowhere").error().code == errc::bad_argument));
}

BOOST_AUTO_TEST_CASE(what_is_no_tree_is_refused) {
    board it;
    const std::span<const std::byte> all(it.bytes);
    const auto code = [](std::span<const std::byte> bytes) {
        const auto got = device_tree::over(bytes);
        return got ? errc{} : got.error().code;
    };
    BOOST_TEST((code({}) == errc::bad_argument));
    BOOST_TEST((code(all.first(20)) == errc::bad_argument));
    BOOST_TEST((code(all.first(all.size() - 1)) == errc::past_the_end));
    BOOST_TEST((code(all) == errc{}));
    BOOST_TEST((code(all.subspan(4)) == errc::bad_alignment));
    it.bytes[0] = std::byte{0};
    BOOST_TEST((code(all) == errc::bad_argument));
    it.bytes = compiled();
    std::fill(it.bytes.begin() + 0x60, it.bytes.begin() + 0x80, std::byte{0xff});
    BOOST_TEST((code(it.bytes) == errc::bad_argument));
}

BOOST_AUTO_TEST_SUITE_END()
