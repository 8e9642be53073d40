// SPDX-License-Identifier: MIT
/// @file
/// @brief An io_uring with one registered buffer: the kernel keeps the pages of the buffer pinned,
/// and writes into them whatever happens to the mapping.
#pragma once

#include <cstdint>
#include <cstring>
#include <unistd.h>

#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>

namespace palloc::test {

class ring {
  public:
    /// @brief Registers the page at `buffer`.
    explicit ring(void* buffer) : buffer_(buffer) {
        file_ = static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters_));
        if (file_ < 0)
            return;
        const iovec whole{buffer, 4096};
        is_there_ =
            ::syscall(SYS_io_uring_register, file_, IORING_REGISTER_BUFFERS, &whole, 1) == 0;
    }
    ring(const ring&) = delete;
    ring& operator=(const ring&) = delete;
    ~ring() {
        if (file_ >= 0)
            ::close(file_);
    }

    [[nodiscard]] bool is_there() const { return is_there_; }

    /// @brief Lets the kernel read `byte` from a pipe into the buffer.
    void write(unsigned char byte) {
        int ends[2];
        if (::pipe(ends) != 0 || ::write(ends[1], &byte, 1) != 1)
            return;
        auto* const submissions = static_cast<char*>(
            map(parameters_.sq_off.array + parameters_.sq_entries * sizeof(unsigned),
                IORING_OFF_SQ_RING));
        auto* const entries = static_cast<io_uring_sqe*>(
            map(parameters_.sq_entries * sizeof(io_uring_sqe), IORING_OFF_SQES));
        if (submissions == MAP_FAILED || entries == MAP_FAILED)
            return;
        std::memset(entries, 0, sizeof *entries);
        entries->opcode = IORING_OP_READ_FIXED;
        entries->fd = ends[0];
        entries->addr = address_of(buffer_);
        entries->len = 1;
        entries->off = ~std::uint64_t{0};
        auto* const tail = reinterpret_cast<unsigned*>(submissions + parameters_.sq_off.tail);
        const unsigned mask =
            *reinterpret_cast<unsigned*>(submissions + parameters_.sq_off.ring_mask);
        reinterpret_cast<unsigned*>(submissions + parameters_.sq_off.array)[*tail & mask] = 0;
        __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
        ::syscall(SYS_io_uring_enter, file_, 1, 1, IORING_ENTER_GETEVENTS, nullptr, 0);
        ::close(ends[0]);
        ::close(ends[1]);
    }

  private:
    [[nodiscard]] void* map(std::size_t bytes, std::uint64_t what) const {
        return ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file_,
                      static_cast<off_t>(what));
    }

    io_uring_params parameters_{};
    void* buffer_;
    int file_ = -1;
    bool is_there_ = false;
};

} // namespace palloc::test
