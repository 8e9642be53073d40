// SPDX-License-Identifier: MIT
#include <cstring>

#include <sys/mman.h>

#include "attack.hpp"

namespace palloc::test {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;
constexpr int guard_install = 102; // MADV_GUARD_INSTALL, 6.13

void advise(const victim& v, int advice) {
    (void)::madvise(v.target(), page, advice);
}

void* hostile_page() {
    void* const mine = ::mmap(nullptr, page, read_write, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(mine, hostile_byte, page);
    return mine;
}

void map_over(const victim& v) {
    if (::mmap(v.target(), page, read_write, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
        MAP_FAILED)
        std::memset(v.target(), hostile_byte, page);
}

void move_away(const victim& v) {
    void* const elsewhere = ::mmap(nullptr, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)::mremap(v.target(), page, page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere);
}

void move_onto(const victim& v) {
    (void)::mremap(hostile_page(), page, page, MREMAP_MAYMOVE | MREMAP_FIXED, v.target());
}

/// A second mapping of the same pages, which may be writable.
void duplicate(const victim& v) {
    void* const copy = ::mremap(v.target(), 0, page, MREMAP_MAYMOVE);
    if (copy == MAP_FAILED)
        return;
    (void)::mprotect(copy, page, read_write);
    store_at(copy);
}

bool rearrange(const victim& v) {
    return ::remap_file_pages(v.target(), page, 0, 0, 0) == 0;
}

} // namespace

void add_attacks_on_the_mapping(attacks& all) {
    add(all, "mprotect(RW), store", [](const victim& v) {
        (void)::mprotect(v.target(), page, read_write);
        store_at(v.target());
    });
    add(all, "pkey_mprotect(key 0, RW), store", [](const victim& v) {
        (void)::pkey_mprotect(v.target(), page, read_write, 0);
        store_at(v.target());
    });
    add(all, "munmap", [](const victim& v) { (void)::munmap(v.target(), page); });
    add(all, "mmap(MAP_FIXED) over it", map_over);
    add(all, "mremap away", move_away);
    add(all, "mremap onto it", move_onto);
    add(all, "mremap(old size 0)", duplicate);
    add(all, "madvise(DONTNEED)", [](const victim& v) { advise(v, MADV_DONTNEED); });
    add(all, "madvise(FREE)", [](const victim& v) {
        advise(v, MADV_FREE);
        advise(v, MADV_PAGEOUT);
    });
    add(all, "madvise(REMOVE)", [](const victim& v) { advise(v, MADV_REMOVE); });
    add(all, "madvise(GUARD_INSTALL)", [](const victim& v) { advise(v, guard_install); });
    add(all, "remap_file_pages", rearrange);
}

} // namespace palloc::test
