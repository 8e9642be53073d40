// SPDX-License-Identifier: MIT
// Physical ranges through files, and pools over them that know their physical addresses.
#include <palloc/core/device_range.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/genalloc/device_memory.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "backends/os.hpp"
#include "support/open_files.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

/// A folder with a file of eight pages, whose bytes say which page they are of.
struct scratch {
    scratch() {
        std::string name = "/tmp/palloc-device-XXXXXX";
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        file = folder / "device";
        std::ofstream out(file, std::ios::binary);
        for (int i = 0; i != 8; ++i)
            out << std::string(page, static_cast<char>('a' + i));
    }
    scratch(const scratch&) = delete;
    scratch& operator=(const scratch&) = delete;
    ~scratch() { std::filesystem::remove_all(folder); }

    void describe(unsigned map, const std::string& place, const std::string& size,
                  const std::string& offset) const {
        const auto maps = folder / "uio0" / "maps" / ("map" + std::to_string(map));
        std::filesystem::create_directories(maps);
        std::ofstream(maps / "addr") << place << '\n';
        std::ofstream(maps / "size") << size << '\n';
        std::ofstream(maps / "offset") << offset << '\n';
        std::ofstream(maps / "name") << "registers\n";
    }
    [[nodiscard]] result<device_memory> uio(unsigned map) const {
        return device_memory::map_uio((folder / "uio0").c_str(), map, file.c_str());
    }

    std::size_t page = os::page_bytes();
    std::filesystem::path folder;
    std::filesystem::path file;
};

[[nodiscard]] std::string hex(std::uint64_t value) {
    char text[20];
    std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(value));
    return text;
}

[[nodiscard]] char& byte_at(address place) {
    return *reinterpret_cast<char*>(place);
}

} // namespace

BOOST_AUTO_TEST_SUITE(device_memories)

BOOST_AUTO_TEST_CASE(a_file_is_mapped_from_any_offset_and_shared) {
    const scratch it;
    const auto memory = device_memory::map(
        {.path = it.file.c_str(), .offset = it.page - 10, .bytes = it.page, .physical = 0x5000});
    BOOST_TEST_REQUIRE(memory.has_value());
    const range where = memory->where();
    BOOST_TEST((where.bytes == it.page && memory->physical() == 0x5000u));
    BOOST_TEST((byte_at(where.base) == 'a' && byte_at(where.base + 10) == 'b'));
    byte_at(where.base) = '!';
    std::ifstream back(it.file, std::ios::binary);
    back.seekg(static_cast<std::streamoff>(it.page) - 10);
    BOOST_TEST(back.get() == '!');
    BOOST_TEST(!memory->persistent());
}

BOOST_AUTO_TEST_CASE(a_map_of_uio_is_lent_with_its_physical_address) {
    const scratch it;
    it.describe(0, hex(0xfe000000), hex(it.page), hex(0));
    it.describe(1, hex(0xfe800000), hex(it.page), hex(0x40)); // not aligned to a page
    const auto first = it.uio(0);
    const auto second = it.uio(1);
    BOOST_TEST_REQUIRE((first && second));
    BOOST_TEST(byte_at(first->where().base) == 'a');
    BOOST_TEST(byte_at(second->where().base) == 'b');
    BOOST_TEST(second->physical() == 0xfe800040u);
    BOOST_TEST(second->where().bytes == it.page - 0x40);
    touchable_genalloc pool({.order = 6, .name = "uio"});
    int owner = 0;
    BOOST_TEST(first->lend_to(pool, &owner).has_value());
    BOOST_TEST(second->lend_to(pool).has_value());
    const auto block = pool.dma_zalloc(100).value(); // of the newest chunk
    BOOST_TEST(block.physical - 0xfe800040u == block.where - second->where().base);
    BOOST_TEST(byte_at(block.where + 99) == 0);
    const auto reachable = pool.dma_alloc(64, {.mask = 0xfe7fffff}).value();
    BOOST_TEST(reachable.physical == 0xfe000000u);
    BOOST_TEST(pool.virt_to_phys(first->where().base + 5).value() == 0xfe000005u);
    void* found = nullptr;
    pool.free(block.where, 100);
    pool.free_owner(reachable.where, 64, found);
    BOOST_TEST(found == &owner);
    BOOST_TEST(pool.avail() == pool.size());
}

BOOST_AUTO_TEST_CASE(memory_is_opened_synchronously_and_dax_degrades) {
    const scratch it;
    const auto memory = device_memory::map({.path = it.file.c_str(),
                                            .offset = 2 * it.page,
                                            .bytes = 100,
                                            .physical = 2 * it.page,
                                            .kind = device_kind::memory});
    BOOST_TEST_REQUIRE(memory.has_value());
    BOOST_TEST(byte_at(memory->where().base) == 'c');
    device_range pmem{.path = it.file.c_str(), .bytes = it.page, .kind = device_kind::dax};
    const auto dax = device_memory::map(pmem);
    BOOST_TEST_REQUIRE(dax.has_value());
    BOOST_TEST(byte_at(dax->where().base) == 'a');
    pmem.needs_persistence = true;
    const auto strict = device_memory::map(pmem);
    BOOST_TEST(strict.has_value() == dax->persistent()); // a file system of persistent memory can
    if (!strict)
        BOOST_TEST((strict.error().code == errc::not_supported));
}

BOOST_AUTO_TEST_CASE(the_first_pages_of_the_machine) {
    const auto memory = device_memory::map({.path = "/dev/mem",
                                            .offset = 0xf0000, // firmware's, which may be read
                                            .bytes = 0x1000,
                                            .physical = 0xf0000,
                                            .kind = device_kind::memory});
    if (!memory)
        test::skip("no /dev/mem for this process");
    BOOST_TEST(memory->physical() == 0xf0000u);
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_said) {
    const scratch it;
    const auto code = [&](const device_range& wanted) {
        const std::size_t open = test::open_files();
        const auto got = device_memory::map(wanted);
        BOOST_TEST(test::open_files() == open);
        return got ? errc{} : got.error().code;
    };
    BOOST_TEST((code({.path = it.file.c_str()}) == errc::zero_size));
    BOOST_TEST((code({.path = it.file.c_str(), .bytes = 8 * it.page + 1}) == errc::past_the_end));
    BOOST_TEST(
        (code({.path = it.file.c_str(), .offset = 8 * it.page, .bytes = 1}) == errc::past_the_end));
    BOOST_TEST((code({.path = it.file.c_str(), .bytes = ~std::uint64_t{0}}) == errc::too_large));
    BOOST_TEST((code({.path = it.file.c_str(), .offset = ~std::uint64_t{0}, .bytes = 1}) ==
                errc::too_large));
    BOOST_TEST((code({.path = "/nowhere", .bytes = 1}) == errc::os_failure));
    BOOST_TEST(it.uio(7).error().os_code == ENOENT);
    it.describe(2, hex(0x1000), "many", hex(0));
    BOOST_TEST((it.uio(2).error().code == errc::bad_argument));
    it.describe(3, hex(0x1000), hex(64), hex(64));
    BOOST_TEST((it.uio(3).error().code == errc::bad_argument));
    it.describe(4, hex(~std::uint64_t{0}), hex(64), hex(0));
    BOOST_TEST((it.uio(4).error().code == errc::bad_argument));
    const std::string deep = "/" + std::string(300, 'x');
    BOOST_TEST((device_memory::map_uio(deep.c_str(), 0, "").error().code == errc::too_large));
    os::fail_nth(os::call::map, 1, ENOMEM);
    BOOST_TEST((code({.path = it.file.c_str(), .bytes = 1}) == errc::os_failure));
    os::fail_nth(os::call::status, 1, EIO);
    BOOST_TEST((code({.path = it.file.c_str(), .bytes = 1}) == errc::os_failure));
}

BOOST_AUTO_TEST_CASE(the_view_ends_with_the_object) {
    const scratch it;
    auto memory = device_memory::map({.path = it.file.c_str(), .bytes = it.page}).value();
    const std::uint64_t unmapped = os::calls(os::call::unmap);
    {
        const device_memory moved = std::move(memory);
        BOOST_TEST(byte_at(moved.where().base) == 'a');
    }
    BOOST_TEST(os::calls(os::call::unmap) == unmapped + 1);
}

BOOST_AUTO_TEST_SUITE_END()
