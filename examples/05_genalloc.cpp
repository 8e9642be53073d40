// SPDX-License-Identifier: MIT
// The kernel's genalloc: hand out memory that is not yours to touch.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/genalloc.hpp>

int main() {
    // [genalloc]
    palloc::genalloc sram({.order = 5, .name = "sram"}); // granules of 32 bytes
    sram.add_virt(0x20000000, 0x80000000, 64 * 1024);    // address, physical address, bytes
    const auto block = sram.alloc(100);                  // result<address>: 0 is an address
    if (block)
        sram.free(*block, 100);
    // [genalloc]
    const auto buffer = sram.dma_alloc(0x300, palloc::best_fit{}, {.boundary = 0x400});
    if (!block || !buffer || buffer->physical != 0x80000000)
        return 1;
    sram.free(buffer->where, 0x300);
    return sram.avail() == sram.size() ? 0 : 1;
}
