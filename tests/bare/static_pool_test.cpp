// SPDX-License-Identifier: MIT
// Pools in static storage, their books in a static array, their memory in another: no heap, no
// exceptions, no run-time type information. The program ends at once if anything asks for heap.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/metadata/metadata_arena.hpp>
#include <palloc/observers/statistics.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unistd.h>

#if defined(__cpp_exceptions) || defined(__cpp_rtti)
#error "to be compiled with -fno-exceptions -fno-rtti"
#endif

namespace {

bool heap_is_closed = false; // until main begins, the runtime may use it

void* refuse_heap() {
    static constexpr char text[] = "the heap was asked for memory\n";
    (void)!::write(STDERR_FILENO, text, sizeof text - 1);
    std::_Exit(EXIT_FAILURE);
}

} // namespace

void* operator new(std::size_t bytes) {
    return heap_is_closed ? refuse_heap() : std::malloc(bytes);
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
    return heap_is_closed ? refuse_heap()
                          : std::aligned_alloc(static_cast<std::size_t>(alignment), bytes);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}

#ifdef __SANITIZE_ADDRESS__
#define PALLOC_MALLOC_IS_THE_SANITIZERS
#endif
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define PALLOC_MALLOC_IS_THE_SANITIZERS
#endif
#endif
#ifndef PALLOC_MALLOC_IS_THE_SANITIZERS
extern "C" void* __libc_malloc(std::size_t bytes); // NOLINT: glibc's own
extern "C" void* malloc(std::size_t bytes) {
    return heap_is_closed ? refuse_heap() : __libc_malloc(bytes);
}
#endif

namespace {

using namespace palloc;

int failures = 0;

void check(bool holds, const char* what, int line) {
    if (holds)
        return;
    ++failures;
    char text[256];
    const int length = std::snprintf(text, sizeof text, "line %d: %s\n", line, what);
    (void)!::write(STDERR_FILENO, text, static_cast<std::size_t>(length));
}
#define CHECK(condition) check((condition), #condition, __LINE__)

constexpr std::uint64_t granule = 64;
constexpr std::uint64_t memory_bytes = 64 << 10;
constexpr std::size_t books_bytes = 16 << 10;

/// A pool with all that it needs.
template <class Bitmap, class Algorithm>
struct island {
    using pool_type = pool<static_granule<granule>, borrowed_touchable, Bitmap, Algorithm,
                           unprotected, concurrent_statistics>;

    alignas(4096) std::byte memory[memory_bytes];
    alignas(storage_alignment) std::byte books[books_bytes];
    metadata_arena metadata{books};
    pool_type blocks{{.on_misuse = {count_misuse}, .metadata = metadata}};

    [[nodiscard]] address base() const { return address_of(memory); }
};

island<boundary<indexed>, first_fit> indexed_island;
island<palloc::atomic, first_fit> atomic_island;
island<flat, best_fit> flat_island;

address live[memory_bytes / granule];

unsigned char* bytes_at(address block) {
    return reinterpret_cast<unsigned char*>(block);
}

bool is_filled(address block, std::uint64_t bytes, unsigned char mark) {
    for (std::uint64_t i = 0; i != bytes; ++i)
        if (bytes_at(block)[i] != mark)
            return false;
    return true;
}

template <class Island>
void live_on(Island& it) {
    CHECK(it.blocks.add({.where = {it.base(), memory_bytes}}).has_value());
    CHECK(it.blocks.capacity_bytes() == memory_bytes);

    // Until it is full: each block is filled, and holds what it was filled with.
    std::size_t count = 0;
    for (;; ++count) {
        const auto got = it.blocks.allocate(100 + count % 400);
        if (!got) {
            CHECK(got.error().code == errc::out_of_memory);
            break;
        }
        live[count] = *got;
        std::memset(bytes_at(*got), static_cast<int>(count % 251), 100 + count % 400);
    }
    CHECK(count > 100);
    CHECK(it.blocks.template observer<concurrent_statistics>().live_blocks() == count);
    for (std::size_t i = 0; i != count; ++i)
        CHECK(is_filled(live[i], 100 + i % 400, static_cast<unsigned char>(i % 251)));
    CHECK(it.blocks.explain({.bytes = memory_bytes}).cause == event::shortage::full);

    // Every second one goes; what is free is in pieces.
    for (std::size_t i = 0; i < count; i += 2)
        CHECK(it.blocks.deallocate(live[i], 100 + i % 400).has_value());
    CHECK(it.blocks.fragmentation() > 0.9);
    CHECK(!it.blocks.allocate(10'000).has_value());

    // Mistakes are answered.
    CHECK(it.blocks.deallocate(live[0], 100).error().code == errc::double_free);
    CHECK(it.blocks.deallocate(it.base() - granule, 1).error().code == errc::not_ours);
    CHECK(it.blocks.deallocate(live[1] + 1, 1).error().code == errc::not_a_block);
    CHECK(it.blocks.misuse_count() == 3);

    for (std::size_t i = 1; i < count; i += 2)
        CHECK(it.blocks.deallocate(live[i], 100 + i % 400).has_value());
    CHECK(it.blocks.used_bytes() == 0);

    // All in one piece again, aligned, resized in place, dropped at once.
    const auto whole = it.blocks.allocate(memory_bytes, 4096);
    CHECK(whole.has_value() && *whole == it.base());
    CHECK(it.blocks.resize(*whole, memory_bytes, 1'000).has_value());
    CHECK(it.blocks.allocate(4096, 4096).value_or(0) == it.base() + 4096);
    it.blocks.reset();
    CHECK(it.blocks.used_bytes() == 0);

    // No books, no chunk; and the pool goes on.
    while (it.metadata.take(storage_alignment)) {
    }
    CHECK(!it.blocks.add({.where = {it.base() + (1 << 20), memory_bytes}}).has_value());
    CHECK(it.blocks.chunk_count() == 1);
    const auto last = it.blocks.allocate(1);
    CHECK(last.has_value() && it.blocks.deallocate(*last, 1).has_value());
}

} // namespace

int main() {
    heap_is_closed = true;
    live_on(indexed_island);
    live_on(atomic_island);
    live_on(flat_island);
    heap_is_closed = false;
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
