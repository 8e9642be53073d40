// SPDX-License-Identifier: MIT
// Asks for memory in every form there is, each with a size of its own, for the recorder's test.
#include <cstddef>
#include <cstdlib>
#include <malloc.h>
#include <new>
#include <thread>
#include <unistd.h>

#include <sys/wait.h>

namespace {

/// Where each block passes, so that no compiler leaves one out.
void* volatile seen;

void* kept(void* block) {
    seen = block;
    return seen;
}

void all_forms() {
    void* aligned = nullptr;
    if (posix_memalign(&aligned, 256, 5021) != 0)
        std::abort();
    std::free(kept(aligned));
    std::free(kept(std::malloc(5001)));
    std::free(kept(std::calloc(5, 1001)));
    std::free(kept(memalign(64, 5011)));
    std::free(kept(std::aligned_alloc(128, 5120)));
    std::free(kept(valloc(5023)));
    std::free(kept(pvalloc(5003)));
    std::free(kept(reallocarray(nullptr, 3, 1677)));
    std::free(kept(std::realloc(kept(std::malloc(5051)), 6007)));
    // No block in return: it was freed.
    seen = std::realloc(kept(std::malloc(5059)), 0);
    if (seen != nullptr)
        std::free(seen);
    operator delete(kept(operator new(5039)));
    operator delete[](kept(operator new[](5043)));
    operator delete(kept(operator new(5632, std::align_val_t{512})), std::align_val_t{512});
    operator delete[](kept(operator new[](5888, std::align_val_t{256})), std::align_val_t{256});
    operator delete(kept(operator new(5047, std::nothrow)), std::nothrow);
}

} // namespace

int main() {
    all_forms();
    void* passed = nullptr;
    std::thread([&] { passed = kept(std::malloc(5081)); }).join();
    std::free(passed);
    void* const inherited = kept(std::malloc(5087));
    const pid_t child = fork();
    if (child == 0) {
        std::free(inherited);
        std::free(kept(std::malloc(5099)));
        _exit(0);
    }
    int status = 1;
    return waitpid(child, &status, 0) == child ? status : 1;
}
