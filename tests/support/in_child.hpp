// SPDX-License-Identifier: MIT
/// @file
/// @brief Something done in a child of fork, which is all that happens to it.
#pragma once

#if defined(_WIN32)
#include "skip.hpp"
#else
#include <type_traits>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>
#endif

namespace palloc::test {

#if defined(_WIN32)

/// @brief There is no such thing: the case is skipped.
[[noreturn]] inline void needs_fork() {
    skip("it forks, which Windows does not");
}
template <class Act>
[[nodiscard]] int in_child(Act&&, unsigned = 60) {
    needs_fork();
}

#else

/// @brief What became of a child that was forked by hand: its exit status, or minus the signal that
/// killed it.
[[nodiscard]] inline int end_of(pid_t child) {
    int status = 0;
    if (child <= 0 || ::waitpid(child, &status, 0) != child)
        return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// @brief For cases that do so where nothing may be thrown.
inline void needs_fork() {}

/// @brief Forks, and exits with what `act` answers there: an int, or a bool that is true for 0. A
/// child that hangs is killed by SIGALRM after `seconds`. Answers the child, for `end_of`.
template <class Act>
[[nodiscard]] pid_t start_child(Act&& act, unsigned seconds = 60) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(seconds);
        if constexpr (std::is_same_v<decltype(act()), bool>)
            ::_exit(act() ? 0 : 1);
        else
            ::_exit(act());
    }
    return child;
}

/// @brief The same, and waits for its end.
template <class Act>
[[nodiscard]] int in_child(Act&& act, unsigned seconds = 60) {
    return end_of(start_child(std::forward<Act>(act), seconds));
}

#endif

} // namespace palloc::test
