// SPDX-License-Identifier: MIT
// kmalloc over huge pages: blocks are contiguous in physical memory, which the kernel is asked for.
#include <palloc/backings/hugepage.hpp>
#include <palloc/kalloc/kmalloc_heap.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <optional>
#include <span>
#include <unistd.h>
#include <utility>
#include <vector>

#include "support/huge_pages.hpp"
#include "support/skip.hpp"

using namespace palloc;

namespace {

using heap_of_huge_pages = basic_kmalloc_heap<hugepage>;

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t huge = std::uint64_t{2} << 20;

/// Each chunk is one page of 2 MiB, so no block lies in two.
heap_options a_page_at_a_time() {
    return {.step_bytes = huge};
}

/// The number of the physical page that `place` lies in, as /proc/self/pagemap has it.
class physical_pages {
  public:
    ~physical_pages() { ::close(file_); }
    physical_pages() = default;
    physical_pages(const physical_pages&) = delete;
    physical_pages& operator=(const physical_pages&) = delete;

    /// None where the kernel does not tell this process.
    [[nodiscard]] std::optional<std::uint64_t> of(const std::byte* place) const {
        constexpr std::uint64_t is_present = std::uint64_t{1} << 63;
        constexpr std::uint64_t number = (std::uint64_t{1} << 55) - 1;
        std::uint64_t entry = 0;
        const auto at = reinterpret_cast<std::uintptr_t>(place) / page * sizeof entry;
        if (::pread(file_, &entry, sizeof entry, static_cast<off_t>(at)) != sizeof entry ||
            (entry & is_present) == 0 || (entry & number) == 0)
            return std::nullopt;
        return entry & number;
    }
    [[nodiscard]] bool are_contiguous(std::span<const std::byte> block) const {
        const auto first = of(block.data());
        const auto offset = reinterpret_cast<std::uintptr_t>(block.data()) % page;
        for (std::size_t at = 0; first && at < offset + block.size(); at += page)
            if (of(block.data() - offset + at) != *first + at / page)
                return false;
        return first.has_value();
    }

  private:
    int file_ = ::open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
};

void need(unsigned long pages) {
    if (test::huge_pages::left() < pages)
        test::skip("no 2 MiB pages: not root, or memory is too fragmented");
    const physical_pages told;
    const std::byte here{1};
    if (!told.of(&here))
        test::skip("the kernel hides physical addresses from this process");
}

} // namespace

BOOST_AUTO_TEST_SUITE(contiguous)

BOOST_AUTO_TEST_CASE(blocks_of_huge_pages_are_contiguous) {
    const test::huge_pages pages(12);
    need(12);
    const physical_pages physical;
    heap_of_huge_pages heap(a_page_at_a_time(),
                            hugepage({.transparent = false, .base = false, .populate = true}));
    std::vector<std::pair<std::byte*, layout>> held;
    std::uint64_t several_pages = 0;
    for (int round = 0; round != 3; ++round)
        for (const std::uint64_t bytes : std::vector<std::uint64_t>{
                 16, 100, 1000, 3000, 5000, 8192, 9000, 20'000, 100'000, 500'000, 1 << 20, huge}) {
            const layout wanted{bytes, 8};
            const auto got = alloc(heap, wanted, flags::kernel);
            BOOST_TEST_REQUIRE(got.has_value());
            std::memset(got->data(), 1, got->size());
            BOOST_TEST(physical.are_contiguous(*got), bytes << " bytes");
            several_pages += bytes > page ? 1U : 0U;
            held.emplace_back(got->data(), wanted);
        }
    BOOST_TEST(several_pages == 24u);
    // One that grew is another block, or the same: contiguous either way.
    auto& [block, of] = held[7];
    const layout more{700'000, 8};
    const auto moved = heap.realloc(block, more, of, flags::kernel, no_node);
    BOOST_TEST_REQUIRE(moved.has_value());
    BOOST_TEST(physical.are_contiguous(*moved));
    block = moved->data();
    of = more;
    for (const auto& [each, layout_of_it] : held)
        free(heap, each, layout_of_it);
}

BOOST_AUTO_TEST_CASE(ordinary_pages_are_not) {
    const physical_pages physical;
    need(0);
    basic_kmalloc_heap<hugepage> heap(
        {}, hugepage({.gigantic = false, .huge = false, .transparent = false}));
    const layout wanted{heap.max_bytes, 8};
    const auto got = alloc(heap, wanted, flags::kernel);
    BOOST_TEST_REQUIRE(got.has_value());
    // Touched from behind, so that chance does not hand out neighbours.
    for (std::uint64_t at = got->size(); at != 0; at -= page)
        (*got)[static_cast<std::size_t>(at - page)] = std::byte{1};
    BOOST_TEST(!physical.are_contiguous(*got)); // or the check above could not fail
    free(heap, got->data(), wanted);
}

BOOST_AUTO_TEST_CASE(without_huge_pages_it_serves_from_others) {
    const physical_pages physical;
    heap_of_huge_pages heap(a_page_at_a_time(), hugepage({.gigantic = false, .huge = false}));
    const auto got = alloc(heap, {100'000, 8}, flags::kernel | flags::zero);
    BOOST_TEST_REQUIRE(got.has_value());
    std::memset(got->data(), 1, got->size());
    free(heap, got->data(), {100'000, 8});
}

BOOST_AUTO_TEST_CASE(where_only_huge_pages_will_do_their_end_is_an_error) {
    const test::huge_pages pages(3);
    need(3);
    heap_of_huge_pages heap(a_page_at_a_time(),
                            hugepage({.gigantic = false, .transparent = false, .base = false}));
    std::vector<std::byte*> held;
    const layout wanted{huge, 1};
    for (;;) {
        const auto got = alloc(heap, wanted, flags::kernel);
        if (!got) {
            BOOST_TEST((got.error().code == errc::os_failure || // ENOMEM, as mmap has it
                        got.error().code == errc::out_of_memory));
            break;
        }
        std::memset(got->data(), 1, got->size()); // promised, so it is there
        held.push_back(got->data());
    }
    BOOST_TEST(held.size() >= 3u);
    for (auto* const each : held)
        free(heap, each, wanted);
}

BOOST_AUTO_TEST_SUITE_END()
