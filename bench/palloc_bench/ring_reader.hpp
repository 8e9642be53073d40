// SPDX-License-Identifier: MIT
/// @file
/// @brief Reads the ring of a recorded process, and writes its trace.
#pragma once

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <poll.h>
#include <record/ring.hpp>
#include <stdexcept>
#include <string>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "trace_writer.hpp"

namespace palloc::bench {

namespace detail {

inline constexpr unsigned most_alignment_log2 = 30;

[[noreturn]] inline void fail(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

} // namespace detail

/// @brief A file descriptor that is closed with the object.
class descriptor {
  public:
    explicit descriptor(int number) noexcept : number_(number) {}
    descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    descriptor& operator=(descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~descriptor() {
        if (number_ >= 0)
            close(number_);
    }
    [[nodiscard]] int get() const noexcept { return number_; }

  private:
    int number_;
};

/// @brief What one process wrote while it executed one program.
class ring_reader {
  public:
    ring_reader(const std::filesystem::path& from, int process, int program,
                std::filesystem::path part)
        : process_(process), program_(program), part_(std::move(part)) {
        const descriptor file(open(from.c_str(), O_RDWR | O_CLOEXEC));
        struct stat facts{};
        if (file.get() < 0 || fstat(file.get(), &facts) != 0)
            detail::fail("a recorded process's ring");
        if (static_cast<std::uint64_t>(facts.st_size) < sizeof(record::ring))
            throw std::runtime_error("a recorded process's ring is too short");
        void* const mapped =
            mmap(nullptr, sizeof(record::ring), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        if (mapped == MAP_FAILED)
            detail::fail("mmap");
        ring_ = static_cast<record::ring*>(mapped);
        alive_ = descriptor(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
        std::string command(ring_->command, sizeof ring_->command);
        command.resize(command.find_last_not_of('\0') + 1);
        writer_.emplace(part_, command);
    }
    ring_reader(const ring_reader&) = delete;
    ring_reader& operator=(const ring_reader&) = delete;
    ~ring_reader() {
        ring_->closed.store(1);
        munmap(ring_, sizeof(record::ring));
    }

    [[nodiscard]] int process() const noexcept { return process_; }
    [[nodiscard]] int program() const noexcept { return program_; }
    [[nodiscard]] const std::filesystem::path& part() const noexcept { return part_; }
    [[nodiscard]] bool ended() const noexcept { return ended_; }
    void end() noexcept { ended_ = true; }

    /// @brief Looks whether the process still runs.
    void look() noexcept {
        pollfd wait{alive_.get(), POLLIN, 0};
        if (alive_.get() < 0 ? kill(process_, 0) != 0 && errno == ESRCH : poll(&wait, 1, 0) > 0)
            ended_ = true;
    }

    /// @brief Writes what is published. @return how many events that were
    std::uint64_t read_some(std::uint64_t most) {
        const std::uint64_t from = ring_->read.load(std::memory_order_relaxed);
        std::uint64_t at = from;
        for (; at - from < most; ++at) {
            record::event& next = ring_->at(at);
            if (next.published.load(std::memory_order_acquire) != at + 1)
                break;
            take(next);
        }
        ring_->read.store(at, std::memory_order_release);
        return at - from;
    }

    /// @brief Writes all that is left of a process that has ended.
    trace_writer::totals finish() {
        const std::uint64_t end = ring_->tickets.load();
        std::uint64_t at = ring_->read.load();
        for (const std::uint64_t most = at + record::ring::capacity; at < end && at < most; ++at)
            if (record::event& next = ring_->at(at); next.published.load() == at + 1)
                take(next);
        ring_->read.store(at);
        return writer_->finish();
    }

  private:
    void take(const record::event& what) {
        const std::uint64_t bytes = std::min(what.bytes, largest_block_bytes);
        const unsigned alignment =
            std::min<unsigned>(what.alignment_log2, detail::most_alignment_log2);
        switch (what.kind) {
        case record::event_kind::allocate:
            return writer_->allocate(what.address, bytes, std::uint64_t{1} << alignment,
                                     what.thread);
        case record::event_kind::release:
            return writer_->release(what.address, what.thread);
        case record::event_kind::resize_begin:
            return writer_->begin_resize(what.address, what.thread);
        case record::event_kind::resize_end:
            return writer_->end_resize(what.address, bytes, what.thread);
        }
    }

    int process_;
    int program_;
    std::filesystem::path part_;
    record::ring* ring_ = nullptr;
    descriptor alive_{-1};
    bool ended_ = false;
    std::optional<trace_writer> writer_;
};

} // namespace palloc::bench
