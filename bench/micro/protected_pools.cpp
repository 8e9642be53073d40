// SPDX-License-Identifier: MIT
// What does protection take? A pool of 64 KiB beside the bare system calls; reading beside reading;
// a write-rare call beside the call that it makes.
#include <palloc/backings/memfd.hpp>
#include <palloc/bridges/frozen.hpp>
#include <palloc/pmalloc.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <map>
#include <memory>
#include <memory_resource>
#include <stdexcept>
#include <string>
#include <unistd.h>

#include <sys/mman.h>

#include "question.hpp"

namespace palloc::bench::micro {
namespace {

constexpr std::size_t pool_bytes = 64 << 10;
constexpr int read_write = PROT_READ | PROT_WRITE;

/// The calls that seal memory, and no other.
void bare_calls(benchmark::State& state) {
    for (auto _ : state) {
        const int file = ::memfd_create("bare", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (file < 0 || ::ftruncate(file, pool_bytes) != 0)
            throw std::runtime_error("memfd_create");
        void* const memory = ::mmap(nullptr, pool_bytes, read_write, MAP_SHARED, file, 0);
        std::memset(memory, 1, pool_bytes);
        const std::string path = "/proc/self/fd/" + std::to_string(file);
        const int reader = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        (void)::mmap(memory, pool_bytes, PROT_READ, MAP_SHARED | MAP_FIXED, reader, 0);
        if (::fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) !=
            0)
            throw std::runtime_error("F_ADD_SEALS");
        ::close(reader);
        ::close(file);
        ::munmap(memory, pool_bytes);
    }
}

void pool_life(benchmark::State& state) {
    for (auto _ : state) {
        const auto pool = pmalloc::create({.name = "bench", .refill_bytes = pool_bytes}).value();
        std::memset(pool->alloc(pool_bytes).value(), 1, pool_bytes);
        if (pool->protect().value() != strength::sealed)
            throw std::runtime_error("not sealed");
    }
}

using table = std::pmr::map<std::uint64_t, std::pmr::string>;
constexpr std::uint64_t entries = 4096;

table sample() {
    table made;
    for (std::uint64_t i = 0; i != entries; ++i)
        made.emplace(i * 7919 % 65536, "a value that is longer than a string holds inside");
    return made;
}

/// The same pool and pages, protected or not.
void reads(benchmark::State& state, bool is_protected) {
    const auto pool =
        pmalloc::create({.name = is_protected ? "protected" : "plain", .refill_bytes = 4 << 20})
            .value();
    const table& values = *make_in<table>(*pool, sample()).value();
    if (is_protected && pool->protect().value() != strength::sealed)
        throw std::runtime_error("not sealed");
    std::uint64_t key = 1;
    for (auto _ : state) {
        key = key * 6364136223846793005 + 1442695040888963407;
        auto found = values.find((key >> 40) % entries * 7919 % 65536);
        benchmark::DoNotOptimize(found->second.front());
    }
}

/// The same memory as on a machine without protection keys.
struct keyless_memfd : memfd {
    using memfd::memfd;
    void lock() = delete;
};
static_assert(backing_has_keys<memfd> && !backing_has_keys<keyless_memfd>);

using rare_pool = basic_pmalloc<write_rare, memfd>;
using keyless_rare_pool = basic_pmalloc<write_rare, keyless_memfd>;

template <class Pool>
struct rarely_written {
    typename Pool::handle pool =
        Pool::create({.name = "rare", .mode = pmalloc_mode::wr}, write_rare{}).value();
    const std::uint64_t* word = pool->template make<std::uint64_t>(0U).value();
    strength achieved = pool->protect().value();
};

/// One mapping of one page, as a window without keys has it.
void bare_window(benchmark::State& state) {
    const int file = ::memfd_create("bare", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, 4096) != 0)
        throw std::runtime_error("memfd_create");
    for (auto _ : state) {
        void* const view = ::mmap(nullptr, 4096, read_write, MAP_SHARED, file, 0);
        (void)::madvise(view, 4096, MADV_DONTFORK);
        __atomic_fetch_add(static_cast<std::uint64_t*>(view), 1, __ATOMIC_SEQ_CST);
        ::munmap(view, 4096);
    }
    ::close(file);
}
void window_without_keys(benchmark::State& state) {
    const rarely_written<keyless_rare_pool> it;
    for (auto _ : state)
        if (!it.pool->add(it.word, 1))
            throw std::runtime_error("add");
}
void window_by_key(benchmark::State& state) {
    const rarely_written<rare_pool> it;
    if (it.achieved != strength::guarded)
        throw not_on_this_machine("no protection keys");
    for (auto _ : state)
        if (!it.pool->add(it.word, 1))
            throw std::runtime_error("add");
}

void bare_copy(benchmark::State& state) {
    const int file = ::memfd_create("bare", MFD_CLOEXEC);
    if (file < 0 || ::ftruncate(file, 4096) != 0)
        throw std::runtime_error("memfd_create");
    const std::uint64_t value = 1;
    for (auto _ : state)
        if (::pwrite(file, &value, sizeof value, 64) != sizeof value)
            throw std::runtime_error("pwrite");
    ::close(file);
}
void copy_without_keys(benchmark::State& state) {
    const rarely_written<keyless_rare_pool> it;
    for (auto _ : state)
        if (!it.pool->assign(it.word, 1))
            throw std::runtime_error("assign");
}

} // namespace

question ask_protected_pools() {
    question all;
    all.experiments = {
        {.name = "protected/64 KiB, bare calls", .measure = bare_calls},
        {.name = "protected/64 KiB, pmalloc", .measure = pool_life},
        {.name = "protected/read, plain", .measure = [](auto& state) { reads(state, false); }},
        {.name = "protected/read, sealed", .measure = [](auto& state) { reads(state, true); }},
        {.name = "protected/window, bare calls", .measure = bare_window},
        {.name = "protected/window without keys", .measure = window_without_keys},
        {.name = "protected/window by key", .measure = window_by_key},
        {.name = "protected/copy, bare call", .measure = bare_copy},
        {.name = "protected/copy without keys", .measure = copy_without_keys},
    };
    const auto against = [](std::string text, double limit, std::string value, std::string per) {
        return bar{.text = std::move(text),
                   .wanted = demand::at_most,
                   .limit = limit,
                   .unit = "×",
                   .value = {"protected/" + std::move(value)},
                   .per = reading{"protected/" + std::move(per)}};
    };
    all.bars = {
        against("create, fill, protect, destroy 64 KiB, of the bare system calls", 2,
                "64 KiB, pmalloc", "64 KiB, bare calls"),
        against("reading a protected map, of the same map unprotected", 1.10, "read, sealed",
                "read, plain"),
        against("write-rare window without keys, of the bare system calls", 1.3,
                "window without keys", "window, bare calls"),
        against("write-rare copy without keys, of a bare pwrite", 1.3, "copy without keys",
                "copy, bare call"),
        {.text = "write-rare window by protection key",
         .wanted = demand::at_most,
         .limit = 60,
         .unit = " ns",
         .value = {"protected/window by key"}},
    };
    return all;
}

} // namespace palloc::bench::micro
