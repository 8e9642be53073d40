// SPDX-License-Identifier: MIT
// The C++ of README.md and docs/ that no example has: here it is compiled, as it stands there.
#include <palloc/bridges/frozen.hpp>
#include <palloc/bridges/shared_allocator.hpp>
#include <palloc/core/fault_report.hpp>
#include <palloc/genalloc.hpp>
#include <palloc/genalloc/device_memory.hpp>
#include <palloc/genalloc/device_tree.hpp>
#include <palloc/genalloc/managed.hpp>
#include <palloc/kalloc.hpp>
#include <palloc/perm_alloc.hpp>
#include <palloc/pmalloc.hpp>
#include <palloc/pmalloc/describe_fault.hpp>
#include <palloc/shared.hpp>

#include <boost/container/vector.hpp>
#include <boost/interprocess/offset_ptr.hpp>

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory_resource>
#include <span>
#include <string>
#include <utility>

namespace {

using namespace palloc;

[[maybe_unused]] void device_memory_of_a_uio() {
    auto memory = palloc::device_memory::map_uio("/sys/class/uio/uio0", 1, "/dev/uio0");
    palloc::touchable_genalloc pool({.order = 6});
    memory->lend_to(pool);
    const auto buffer = pool.dma_alloc(1500);
    (void)buffer;
}

[[maybe_unused]] void pools_of_a_device_tree(std::span<const std::byte> bytes, address base,
                                             std::uint64_t size) {
    const auto tree = palloc::device_tree::over(bytes);
    auto mine = palloc::managed_genalloc::create(*tree->owner("/sram@80000000"), {}, {.order = 6});
    (*mine)->add_virt(base, tree->physical_range("/sram@80000000")->base, size);

    palloc::genalloc* const pool = *tree->find_pool<palloc::genalloc>("/soc/codec@9000", "sram", 0);
    (void)pool;
}

struct record {
    int number = 0;
};

[[maybe_unused]] bool retry_later(record&&) {
    return false;
}

[[maybe_unused]] bool rows_of_a_table(record row) {
    kvvec<record> rows;
    if (auto pushed = rows.push(std::move(row), flags::kernel); !pushed)
        return retry_later(std::move(pushed.error().value));
    return true;
}

[[maybe_unused]] void made_code(address runtime, std::span<const std::byte> machine_code) {
    palloc::perm_alloc code;
    auto f = code.allocate({.within = palloc::within_reach_of(runtime), .bytes = 96});
    if (f && f->write(0, machine_code))
        f->entry<int(int)>()(42);
    code.free(*f);
}

[[maybe_unused]] void protected_rules() {
    auto rules = pmalloc::create({.name = "rules", .refill_bytes = 1 << 20}).value();
    const char* text = rules->strdup("allow all").value();
    const result<strength> got = rules->protect();
    (void)text;
    (void)got;
}

[[maybe_unused]] void frozen_rules(const std::pmr::map<std::pmr::string, int>& parsed) {
    const auto rules = freeze(parsed, {.name = "rules"}).value();
    rules->find("allow");
    const auto installed = report_faults(describe_fault);
    (void)installed;
}

[[maybe_unused]] void orders_of_processes() {
    auto segment = palloc::shared_segment::open_or_create("/orders", {.bytes = 64 << 20});
    palloc::shared_pool<> pool(*segment);
    const auto block = pool.allocate(1500, 256);
    const auto where = pool.allocate_offset(1500);
    segment->root(0) = segment->offset_of(*block);
    (void)where;
}

template <class T>
using in_segment = palloc::shared_allocator<boost::interprocess::offset_ptr<T>>;
[[maybe_unused]] std::size_t length_of(const boost::container::vector<int, in_segment<int>>& all) {
    return all.size();
}

} // namespace
