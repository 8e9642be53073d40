// SPDX-License-Identifier: MIT
// Memory of a certain kind: the largest pages there are, and their physical addresses for a device.
#include <palloc/backings/hugepage.hpp>
#include <palloc/genalloc.hpp>

#include <cstdint>
#include <cstdio>

int main() {
    constexpr std::uint64_t bytes = std::uint64_t{2} << 20;
    // [hugepage]
    palloc::hugepage backing;
    auto region = backing.map({.bytes = bytes});
    if (!region)
        return 1;
    std::printf("pages: %s\n", to_string(backing.rung(*region)).data());
    // [hugepage]
    palloc::genalloc for_device({.order = 6, .name = "for the device"});
    const palloc::address base = backing.where(*region).base;
    if (const auto physical = backing.physical(*region, base)) { // root only
        for_device.add_virt(base, *physical, bytes);
        const auto buffer = for_device.dma_alloc(4096);
        if (!buffer || buffer->physical != *physical)
            return 1;
        for_device.free(buffer->where, 4096);
    } else {
        std::printf("no physical address: %s\n", to_string(physical.error().code).data());
    }
    return backing.unmap(*region) ? 0 : 1;
}
