// SPDX-License-Identifier: MIT
#include "child_process.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <vector>

#include <sys/wait.h>

namespace palloc::bench::detail {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::byte answered{1};
constexpr std::byte threw{2};

/// One message: its first byte is there only if all of it will be.
void send(int pipe, std::byte kind, std::span<const std::byte> payload) {
    std::vector<std::byte> message{kind};
    message.insert(message.end(), payload.begin(), payload.end());
    for (std::span<const std::byte> left(message); !left.empty();) {
        const ssize_t written = write(pipe, left.data(), left.size());
        if (written < 0)
            _exit(EXIT_FAILURE);
        left = left.subspan(static_cast<std::size_t>(written));
    }
}

[[noreturn]] void be_the_child(int pipe, const std::function<void(std::span<std::byte>)>& body,
                               std::size_t answer_bytes) {
    try {
        std::vector<std::byte> answer(answer_bytes);
        body(answer);
        send(pipe, answered, answer);
    } catch (const std::exception& error) {
        send(pipe, threw, std::as_bytes(std::span(std::string_view(error.what()))));
    }
    _exit(EXIT_SUCCESS);
}

/// Reads up to the end of the pipe. @return whether that came before the deadline
bool read_all(int pipe, clock::time_point deadline, std::vector<std::byte>& message) {
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
        pollfd wait{pipe, POLLIN, 0};
        const int ready = poll(&wait, 1, static_cast<int>(std::max<long>(left.count(), 0)));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return false;
        std::array<std::byte, 4096> part;
        const ssize_t got = ready < 0 ? -1 : read(pipe, part.data(), part.size());
        if (got == 0)
            return true;
        if (got < 0 && errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "pipe to the child");
        if (got > 0)
            message.insert(message.end(), part.begin(), part.begin() + got);
    }
}

int wait_for(pid_t child) {
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            throw std::system_error(errno, std::generic_category(), "waitpid");
    return status;
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status))
        return fmt::format("killed by signal {} ({})", WTERMSIG(status),
                           strsignal(WTERMSIG(status)));
    return fmt::format("exited with status {} and no answer", WEXITSTATUS(status));
}

} // namespace

tl::expected<void, std::string> run_in_child(const std::function<void(std::span<std::byte>)>& body,
                                             std::span<std::byte> answer,
                                             std::chrono::milliseconds limit) {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        throw std::system_error(errno, std::generic_category(), "pipe2");
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0)
        throw std::system_error(errno, std::generic_category(), "fork");
    if (child == 0) {
        std::signal(SIGINT, SIG_IGN); // Ctrl-C is for the parent: it lets this replay end
        close(ends[0]);
        be_the_child(ends[1], body, answer.size());
    }
    close(ends[1]);
    std::vector<std::byte> message;
    const bool in_time = read_all(ends[0], clock::now() + limit, message);
    close(ends[0]);
    if (!in_time)
        kill(child, SIGKILL);
    const int status = wait_for(child);
    if (!in_time)
        return tl::unexpected(fmt::format("killed: no answer within {} ms", limit.count()));
    if (message.empty())
        return tl::unexpected(how_it_ended(status));
    const std::span payload = std::span(message).subspan(1);
    if (message.front() == threw)
        return tl::unexpected(
            std::string(reinterpret_cast<const char*>(payload.data()), payload.size()));
    if (payload.size() != answer.size())
        return tl::unexpected(how_it_ended(status));
    std::memcpy(answer.data(), payload.data(), answer.size());
    return {};
}

} // namespace palloc::bench::detail
