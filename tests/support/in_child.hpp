// SPDX-License-Identifier: MIT
/// @file
/// @brief Something done in a child of fork, which is all that happens to it.
#pragma once

#include <type_traits>
#include <unistd.h>

#include <sys/wait.h>

namespace palloc::test {

/// @brief What became of a child that was forked by hand: its exit status, or minus the signal that
/// killed it.
[[nodiscard]] inline int end_of(pid_t child) {
    int status = 0;
    if (child <= 0 || ::waitpid(child, &status, 0) != child)
        return -1000;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/// @brief Forks, and exits with what `act` answers there: an int, or a bool that is true for 0. A
/// child that hangs is killed by SIGALRM after `seconds`.
template <class Act>
[[nodiscard]] int in_child(Act&& act, unsigned seconds = 60) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(seconds);
        if constexpr (std::is_same_v<decltype(act()), bool>)
            ::_exit(act() ? 0 : 1);
        else
            ::_exit(act());
    }
    return end_of(child);
}

} // namespace palloc::test
