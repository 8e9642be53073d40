// SPDX-License-Identifier: MIT
// The library that `palloc-bench record` loads in front of a program's allocator.
//
// It runs inside foreign programs, so it uses nothing but libc: no C++ runtime, no exceptions, no
// memory of the allocator that it watches.
#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <sys/mman.h>

#include "loaded.hpp"
#include "ring.hpp"

namespace {

using palloc::record::event;
using palloc::record::event_kind;
using palloc::record::look_up;
using palloc::record::ring;

/// The allocator behind this library.
struct allocator {
    void* (*malloc)(std::size_t);
    void (*free)(void*);
    void* (*calloc)(std::size_t, std::size_t);
    void* (*realloc)(void*, std::size_t);
    void* (*memalign)(std::size_t, std::size_t);
    void* (*aligned_alloc)(std::size_t, std::size_t);
    int (*posix_memalign)(void**, std::size_t, std::size_t);
    void* (*valloc)(std::size_t);
    void* (*pvalloc)(std::size_t);
};

enum class stage : std::uint32_t { untouched, resolving, resolved, ready };

allocator next;
std::atomic<stage> reached{stage::untouched};

/// What a child must not take over from its parent, whose events would have the child's among them.
/// It lies in a page that the kernel empties in each child with memory of its own, also in one that
/// was made past libc's `fork` (`_Fork`, clone), where no handler runs.
struct process_state {
    std::atomic<ring*> current;
    std::atomic<bool> begun; ///< false: a child, that has not looked whether it is to be recorded
};
process_state unrecorded{nullptr, true};
std::atomic<process_state*> state{&unrecorded};
ring* latest = nullptr; ///< outlives the state

std::atomic<std::uint32_t> threads{0};
pid_t recorder_process = 0;

// initial-exec: the first use of a thread-local variable must not allocate.
#define PALLOC_RECORD_LOCAL __thread __attribute__((tls_model("initial-exec")))
PALLOC_RECORD_LOCAL std::uint32_t thread_number = 0;
/// Within a call of ours: an allocator that calls itself through us is recorded once.
PALLOC_RECORD_LOCAL bool busy = false;

/// Serves what `dlsym` may allocate while it looks for the allocator.
alignas(16) char early[std::size_t{64} * 1024];
std::atomic<std::size_t> early_used{0};

void* allocate_early(std::size_t bytes) noexcept {
    const std::size_t at = early_used.fetch_add((bytes + 31) & ~std::size_t{15});
    if (bytes > sizeof early || at + bytes + 16 > sizeof early)
        return nullptr;
    std::memcpy(early + at, &bytes, sizeof bytes);
    return early + at + 16;
}
bool is_early(const void* block) noexcept {
    return block >= early && block < early + sizeof early;
}
std::size_t early_bytes(const void* block) noexcept {
    std::size_t bytes = 0;
    std::memcpy(&bytes, static_cast<const char*>(block) - 16, sizeof bytes);
    return bytes;
}

/// @return false: not yet, or by another caller right now
bool resolve() noexcept {
    stage was = stage::untouched;
    if (!reached.compare_exchange_strong(was, stage::resolving))
        return was >= stage::resolved;
    look_up(next.malloc, "malloc");
    look_up(next.free, "free");
    look_up(next.calloc, "calloc");
    look_up(next.realloc, "realloc");
    look_up(next.memalign, "memalign");
    look_up(next.aligned_alloc, "aligned_alloc");
    look_up(next.posix_memalign, "posix_memalign");
    look_up(next.valloc, "valloc");
    look_up(next.pvalloc, "pvalloc");
    reached.store(stage::resolved);
    return true;
}

long long number_in(const char* variable) noexcept {
    const char* const text = std::getenv(variable);
    return text == nullptr ? 0 : std::strtoll(text, nullptr, 10);
}

void read_command(ring& to) noexcept {
    const int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return;
    (void)!read(file, to.command, sizeof to.command - 1);
    close(file);
}

/// Makes a ring, whole before it gets the name by which it is found. A process has several, one
/// after the other, where it executes several programs.
ring* make_ring(const char* folder) noexcept {
    char hidden[PATH_MAX];
    char shown[PATH_MAX];
    const int process = getpid();
    std::snprintf(hidden, sizeof hidden, "%s/.%d", folder, process);
    const int file = open(hidden, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        return nullptr;
    void* mapped = MAP_FAILED;
    // Room is taken now: a full disk would be a signal to the program later.
    if (posix_fallocate(file, 0, sizeof(ring)) == 0)
        mapped = mmap(nullptr, sizeof(ring), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped == MAP_FAILED) {
        unlink(hidden);
        return nullptr;
    }
    ring* const made = static_cast<ring*>(mapped);
    made->magic = ring::right_magic;
    made->process = process;
    read_command(*made);
    for (int program = 0; program != 10000; ++program) {
        std::snprintf(shown, sizeof shown, "%s/%d.%d", folder, process, program);
        if (link(hidden, shown) == 0)
            break;
    }
    unlink(hidden);
    return made;
}

void begin() noexcept {
    const char* const folder = std::getenv(palloc::record::folder_variable);
    const long long only = number_in(palloc::record::only_variable);
    recorder_process = static_cast<pid_t>(number_in(palloc::record::recorder_variable));
    process_state& mine = *state.load();
    mine.begun.store(true);
    if (folder != nullptr && (only == 0 || only == getpid()))
        mine.current.store(latest = make_ring(folder));
}

void make_state() noexcept {
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    void* const made =
        mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (made == MAP_FAILED)
        return; // the first state serves, until a child is made past fork
    madvise(made, page, MADV_WIPEONFORK);
    state.store(static_cast<process_state*>(made));
}

/// In a child, which has its parent's ring mapped.
void be_the_child() noexcept {
    state.load()->current.store(nullptr);
    if (latest != nullptr)
        munmap(latest, sizeof(ring));
    latest = nullptr;
    begin();
}

/// Where to write; null: nowhere.
ring* own_ring() noexcept {
    process_state& mine = *state.load(std::memory_order_acquire);
    ring* const current = mine.current.load(std::memory_order_acquire);
    if (current != nullptr || mine.begun.load() || mine.begun.exchange(true))
        return current;
    const int error = errno;
    be_the_child();
    errno = error;
    return mine.current.load();
}

__attribute__((constructor)) void start() noexcept {
    const int error = errno;
    resolve();
    stage was = stage::resolved;
    if (reached.compare_exchange_strong(was, stage::ready)) {
        make_state();
        begin();
        busy = true; // what the registration itself allocates is not the program's
        pthread_atfork(nullptr, nullptr, be_the_child);
        busy = false;
    }
    errno = error;
}

/// @return false: nobody reads any more
bool wait_for_room(ring& to, std::uint64_t ticket) noexcept {
    const int error = errno;
    bool room = true;
    for (unsigned tries = 0; ticket - to.read.load(std::memory_order_acquire) >= ring::capacity;
         ++tries) {
        constexpr unsigned tries_a_look = 1000;
        if (to.closed.load() != 0 || (tries % tries_a_look == tries_a_look - 1 &&
                                      kill(recorder_process, 0) != 0 && errno == ESRCH)) {
            state.load()->current.store(nullptr);
            room = false;
            break;
        }
        const std::timespec moment{0, 50'000};
        nanosleep(&moment, nullptr);
    }
    errno = error;
    return room;
}

void note(event_kind kind, const void* address, std::size_t bytes, std::size_t alignment) noexcept {
    ring* const to = own_ring();
    if (to == nullptr)
        return;
    if (thread_number == 0)
        thread_number = threads.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::uint64_t ticket = to->tickets.fetch_add(1, std::memory_order_relaxed);
    if (ticket - to->read.load(std::memory_order_acquire) >= ring::capacity &&
        !wait_for_room(*to, ticket))
        return;
    event& mine = to->at(ticket);
    mine.address = reinterpret_cast<std::uintptr_t>(address);
    mine.bytes = bytes;
    mine.thread = thread_number;
    mine.kind = kind;
    mine.alignment_log2 = static_cast<std::uint8_t>(__builtin_ctzll(alignment));
    mine.published.store(ticket + 1, std::memory_order_release);
}

constexpr std::size_t usual_alignment = 16;

class visit {
  public:
    visit() noexcept : outermost_(!busy) { busy = true; }
    ~visit() {
        if (outermost_)
            busy = false;
    }
    visit(const visit&) = delete;
    visit& operator=(const visit&) = delete;

    void* allocated(void* block, std::size_t bytes,
                    std::size_t alignment = usual_alignment) const noexcept {
        if (outermost_ && block != nullptr)
            note(event_kind::allocate, block, bytes,
                 alignment > usual_alignment ? alignment : usual_alignment);
        return block;
    }
    [[nodiscard]] bool outermost() const noexcept { return outermost_; }

  private:
    bool outermost_;
};

bool is_power_of_two(std::size_t n) noexcept {
    return n != 0 && (n & (n - 1)) == 0;
}

} // namespace

PALLOC_RECORD_EXPORT void* malloc(std::size_t bytes) noexcept {
    if (reached.load(std::memory_order_acquire) < stage::resolved && !resolve())
        return allocate_early(bytes);
    const visit now;
    return now.allocated(next.malloc(bytes), bytes);
}

PALLOC_RECORD_EXPORT void free(void* block) noexcept {
    if (block == nullptr || is_early(block))
        return;
    if (reached.load(std::memory_order_acquire) < stage::resolved && !resolve())
        return;
    const visit now;
    if (now.outermost())
        note(event_kind::release, block, 0, 1);
    next.free(block);
}

PALLOC_RECORD_EXPORT void* calloc(std::size_t count, std::size_t bytes) noexcept {
    if (reached.load(std::memory_order_acquire) < stage::resolved && !resolve()) {
        std::size_t all = 0;
        return __builtin_mul_overflow(count, bytes, &all) ? nullptr : allocate_early(all);
    }
    const visit now;
    return now.allocated(next.calloc(count, bytes), count * bytes);
}

PALLOC_RECORD_EXPORT void* realloc(void* block, std::size_t bytes) noexcept {
    if (block == nullptr)
        return malloc(bytes);
    if (is_early(block)) {
        void* const fresh = malloc(bytes);
        if (fresh != nullptr)
            std::memcpy(fresh, block, early_bytes(block) < bytes ? early_bytes(block) : bytes);
        return fresh;
    }
    if (reached.load(std::memory_order_acquire) < stage::resolved && !resolve())
        return nullptr;
    const visit now;
    if (!now.outermost())
        return next.realloc(block, bytes);
    note(event_kind::resize_begin, block, 0, 1);
    void* const fresh = next.realloc(block, bytes);
    // Of size 0, no block in return means that the old one was freed.
    if (fresh == nullptr && bytes == 0)
        note(event_kind::release, block, 0, 1);
    else
        note(event_kind::resize_end, fresh, bytes, usual_alignment);
    return fresh;
}

PALLOC_RECORD_EXPORT void* reallocarray(void* block, std::size_t count,
                                        std::size_t bytes) noexcept {
    std::size_t all = 0;
    if (__builtin_mul_overflow(count, bytes, &all)) {
        errno = ENOMEM;
        return nullptr;
    }
    return realloc(block, all);
}

PALLOC_RECORD_EXPORT void* memalign(std::size_t alignment, std::size_t bytes) noexcept {
    if (!resolve())
        return nullptr;
    const visit now;
    // glibc rounds other alignments up; what counts is what was asked for.
    return now.allocated(next.memalign(alignment, bytes), bytes,
                         is_power_of_two(alignment) ? alignment : usual_alignment);
}

PALLOC_RECORD_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t bytes) noexcept {
    if (!resolve())
        return nullptr;
    const visit now;
    return now.allocated(next.aligned_alloc(alignment, bytes), bytes,
                         is_power_of_two(alignment) ? alignment : usual_alignment);
}

PALLOC_RECORD_EXPORT int posix_memalign(void** block, std::size_t alignment,
                                        std::size_t bytes) noexcept {
    if (!resolve())
        return ENOMEM;
    const visit now;
    const int error = next.posix_memalign(block, alignment, bytes);
    if (error == 0)
        now.allocated(*block, bytes, alignment);
    return error;
}

PALLOC_RECORD_EXPORT void* valloc(std::size_t bytes) noexcept {
    if (!resolve())
        return nullptr;
    const visit now;
    return now.allocated(next.valloc(bytes), bytes,
                         static_cast<std::size_t>(sysconf(_SC_PAGESIZE)));
}

PALLOC_RECORD_EXPORT void* pvalloc(std::size_t bytes) noexcept {
    if (!resolve())
        return nullptr;
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    const visit now;
    return now.allocated(next.pvalloc(bytes), (bytes + page - 1) / page * page, page);
}
