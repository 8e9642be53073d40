// SPDX-License-Identifier: MIT
#include "progress.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <unistd.h>

namespace palloc::bench {
namespace {

std::atomic<bool> asked{false};

void on_interrupt(int) {
    asked.store(true);
    std::signal(SIGINT, SIG_DFL);
}

} // namespace

progress::progress(bool quiet) : visible_(!quiet && isatty(STDERR_FILENO) == 1) {
    asked.store(false);
    struct sigaction action{};
    action.sa_handler = on_interrupt;
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
}

progress::~progress() {
    clear();
    std::signal(SIGINT, SIG_DFL);
}

bool progress::interrupted() noexcept {
    return asked.load();
}

bool progress::show(const std::string& what, double share) {
    constexpr std::chrono::milliseconds between{100};
    const clock::time_point now = clock::now();
    if (visible_ && now - last_ >= between) {
        last_ = now;
        drawn_ = true;
        share = std::clamp(share, 0.0, 1.0);
        const double used = std::chrono::duration<double>(now - begin_).count();
        constexpr double enough_to_tell = 0.02;
        const std::string left = share < enough_to_tell
                                     ? ""
                                     : fmt::format(", {:.0f} s left", used * (1 - share) / share);
        constexpr int width = 24;
        const auto full = static_cast<std::size_t>(share * width);
        fmt::print(stderr, "\r\x1b[K[{:<{}}] {:3.0f} %{}  {}", std::string(full, '#'), width,
                   100 * share, left, what);
        std::fflush(stderr);
    }
    return interrupted();
}

void progress::clear() {
    if (drawn_) {
        fmt::print(stderr, "\r\x1b[K");
        std::fflush(stderr);
    }
    drawn_ = false;
}

} // namespace palloc::bench
