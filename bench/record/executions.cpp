// SPDX-License-Identifier: MIT
// Tells palloc-bench which programs a recorded process executes, so that one into which this
// library cannot be loaded (statically linked, set-uid) is missed and not just absent.
//
// A notice is a symbolic link in the folder of the rings: one system call, whole as soon as it is
// there, and allowed between vfork and exec. This library allocates nothing.
#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <spawn.h>
#include <unistd.h>

#include "loaded.hpp"
#include "ring.hpp"

namespace {

using palloc::record::look_up;
using palloc::record::notice;

struct executions {
    int (*execve)(const char*, char* const*, char* const*);
    int (*execvpe)(const char*, char* const*, char* const*);
    int (*fexecve)(int, char* const*, char* const*);
    int (*spawn)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                 char* const*, char* const*);
    int (*spawnp)(pid_t*, const char*, const posix_spawn_file_actions_t*, const posix_spawnattr_t*,
                  char* const*, char* const*);
};

/// The folder is kept, for a program may have another environment by the time it executes.
struct told {
    executions next;
    char folder[PATH_MAX];
    long long only;
};

const told& library() noexcept {
    static told made{};
    if (made.next.execve == nullptr) {
        const char* const folder = std::getenv(palloc::record::folder_variable);
        const char* const only = std::getenv(palloc::record::only_variable);
        if (folder != nullptr && std::strlen(folder) < sizeof made.folder)
            std::strcpy(made.folder, folder);
        made.only = only == nullptr ? 0 : std::strtoll(only, nullptr, 10);
        look_up(made.next.execvpe, "execvpe");
        look_up(made.next.fexecve, "fexecve");
        look_up(made.next.spawn, "posix_spawn");
        look_up(made.next.spawnp, "posix_spawnp");
        look_up(made.next.execve, "execve");
    }
    return made;
}

__attribute__((constructor)) void start() noexcept {
    (void)library();
}

void tell(notice kind, pid_t process, const char* file) noexcept {
    const told& all = library();
    if (all.folder[0] == 0 || (all.only != 0 && all.only != process))
        return;
    const int error = errno;
    char whole[2 * PATH_MAX];
    std::size_t length = 0;
    if (file[0] != '/' && getcwd(whole, PATH_MAX) != nullptr) {
        length = std::strlen(whole);
        whole[length++] = '/';
    }
    std::snprintf(whole + length, sizeof whole - length, "%s", file);
    std::timespec at{};
    clock_gettime(CLOCK_MONOTONIC, &at);
    char name[PATH_MAX + 64];
    std::snprintf(name, sizeof name, "%s/%d.%c%lld-%ld", all.folder, static_cast<int>(process),
                  static_cast<char>(kind), static_cast<long long>(at.tv_sec), at.tv_nsec);
    (void)!symlink(whole, name);
    errno = error;
}

/// The file that `execvp` takes: along the path, unless the name has a slash.
const char* found_in_path(const char* name, char (&found)[PATH_MAX]) noexcept {
    const char* path = std::getenv("PATH");
    if (std::strchr(name, '/') != nullptr)
        return name;
    for (path = path == nullptr ? "/bin:/usr/bin" : path; *path != 0;) {
        const std::size_t length = std::strcspn(path, ":");
        std::snprintf(found, sizeof found, "%.*s/%s", length == 0 ? 1 : static_cast<int>(length),
                      length == 0 ? "." : path, name);
        if (access(found, X_OK) == 0)
            return found;
        path += length + (path[length] == ':' ? 1 : 0);
    }
    return name;
}

int execute(const char* file, char* const* arguments, char* const* environment) noexcept {
    tell(notice::executes, getpid(), file);
    const int result = library().next.execve(file, arguments, environment);
    tell(notice::failed, getpid(), file);
    return result;
}

int execute_found(const char* name, char* const* arguments, char* const* environment) noexcept {
    char place[PATH_MAX];
    const char* const file = found_in_path(name, place);
    tell(notice::executes, getpid(), file);
    const int result = library().next.execvpe(name, arguments, environment);
    tell(notice::failed, getpid(), file);
    return result;
}

/// Of `execl` and its kin, the first, which is named, included.
std::size_t count_arguments(std::va_list& more) noexcept {
    std::size_t count = 1;
    while (va_arg(more, char*) != nullptr)
        ++count;
    return count;
}

/// The same, with the null behind them.
void collect(char** to, const char* first, std::va_list& more) noexcept {
    *to = const_cast<char*>(first);
    while (*to != nullptr)
        *++to = va_arg(more, char*);
}

} // namespace

PALLOC_RECORD_EXPORT int execve(const char* file, char* const* arguments,
                                char* const* environment) noexcept {
    return execute(file, arguments, environment);
}

PALLOC_RECORD_EXPORT int execv(const char* file, char* const* arguments) noexcept {
    return execute(file, arguments, environ);
}

PALLOC_RECORD_EXPORT int execvpe(const char* name, char* const* arguments,
                                 char* const* environment) noexcept {
    return execute_found(name, arguments, environment);
}

PALLOC_RECORD_EXPORT int execvp(const char* name, char* const* arguments) noexcept {
    return execute_found(name, arguments, environ);
}

// The list lies on the stack: a child of vfork may not allocate.
#define PALLOC_RECORD_COLLECT                                                                      \
    std::va_list more;                                                                             \
    va_start(more, first);                                                                         \
    auto* const arguments =                                                                        \
        static_cast<char**>(__builtin_alloca((count_arguments(more) + 1) * sizeof(char*)));        \
    va_end(more);                                                                                  \
    va_start(more, first);                                                                         \
    collect(arguments, first, more)

PALLOC_RECORD_EXPORT int execl(const char* file, const char* first, ...) noexcept {
    PALLOC_RECORD_COLLECT;
    va_end(more);
    return execute(file, arguments, environ);
}

PALLOC_RECORD_EXPORT int execlp(const char* name, const char* first, ...) noexcept {
    PALLOC_RECORD_COLLECT;
    va_end(more);
    return execute_found(name, arguments, environ);
}

PALLOC_RECORD_EXPORT int execle(const char* file, const char* first, ...) noexcept {
    PALLOC_RECORD_COLLECT;
    char* const* const environment = va_arg(more, char**);
    va_end(more);
    return execute(file, arguments, environment);
}

PALLOC_RECORD_EXPORT int fexecve(int file, char* const* arguments,
                                 char* const* environment) noexcept {
    char link[64];
    char name[PATH_MAX];
    std::snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    const ssize_t length = readlink(link, name, sizeof name - 1);
    name[length < 0 ? 0 : length] = 0;
    tell(notice::executes, getpid(), name);
    const int result = library().next.fexecve(file, arguments, environment);
    tell(notice::failed, getpid(), name);
    return result;
}

PALLOC_RECORD_EXPORT int posix_spawn(pid_t* process, const char* file,
                                     const posix_spawn_file_actions_t* actions,
                                     const posix_spawnattr_t* attributes, char* const* arguments,
                                     char* const* environment) {
    pid_t own = 0;
    const int error = library().next.spawn(&own, file, actions, attributes, arguments, environment);
    if (error == 0)
        tell(notice::spawned, own, file);
    if (error == 0 && process != nullptr)
        *process = own;
    return error;
}

PALLOC_RECORD_EXPORT int posix_spawnp(pid_t* process, const char* name,
                                      const posix_spawn_file_actions_t* actions,
                                      const posix_spawnattr_t* attributes, char* const* arguments,
                                      char* const* environment) {
    pid_t own = 0;
    const int error =
        library().next.spawnp(&own, name, actions, attributes, arguments, environment);
    char place[PATH_MAX];
    if (error == 0)
        tell(notice::spawned, own, found_in_path(name, place));
    if (error == 0 && process != nullptr)
        *process = own;
    return error;
}
