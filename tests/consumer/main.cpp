// SPDX-License-Identifier: MIT
#include <palloc/backings/mmap.hpp>
#include <palloc/core/version.hpp>

#include <cstdio>

int main() {
    std::puts("palloc " PALLOC_VERSION);
    palloc::mmap_backing memory; // compiled into the library, so that linking is tried too
    auto page = memory.map({.bytes = 1});
    return page && memory.unmap(*page) ? 0 : 1;
}
