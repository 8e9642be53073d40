// SPDX-License-Identifier: MIT
// Does to the recorder what ends badly where it is not prepared, for its test:
//     hard_endings forks     children by fork beside threads, by _Fork and by clone, each with a
//                            block of its own size
//     hard_endings crash     dies of a write to nowhere, right behind an allocation
//     hard_endings waits     allocates until the trace grows, which it finds beside its own name
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <sys/syscall.h>
#include <sys/wait.h>

namespace {

// Volatile, so that no compiler leaves a block out.
void use(std::size_t bytes) {
    void* const volatile block = std::malloc(bytes);
    std::free(block);
}

bool ends_well(pid_t child, std::size_t bytes) {
    if (child == 0) {
        for (int i = 0; i != 1000; ++i)
            use(bytes);
        _exit(0);
    }
    int status = 1;
    return waitpid(child, &status, 0) == child && status == 0;
}

int forks() {
    use(7001);
    bool well = ends_well(_Fork(), 7003);
    well = ends_well(static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)), 7005) && well;
    std::atomic<bool> enough = false;
    std::vector<std::thread> others;
    for (int i = 0; i != 3; ++i)
        others.emplace_back([&] {
            while (!enough.load())
                use(7007);
        });
    for (int i = 0; i != 10; ++i)
        well = ends_well(fork(), 7009) && well;
    enough.store(true);
    for (std::thread& each : others)
        each.join();
    use(7011);
    return well ? 0 : 1;
}

int waits(const std::filesystem::path& folder) {
    constexpr int most_rounds = 10000;
    for (int round = 0; round != most_rounds; ++round) {
        for (int i = 0; i != 10000; ++i)
            use(static_cast<std::size_t>(std::rand() % 5000));
        for (const auto& entry : std::filesystem::directory_iterator(folder))
            if (entry.path().extension() == ".part" && entry.file_size() > 50000)
                return 0;
    }
    return 1;
}

} // namespace

int main(int count, char** arguments) {
    const std::string_view what = count > 1 ? arguments[1] : "";
    if (what == "forks")
        return forks();
    if (what == "waits" && count > 2)
        return waits(arguments[2]);
    if (what != "crash")
        return 2;
    use(8001);
    [[maybe_unused]] void* const volatile lost = std::malloc(8003);
    *static_cast<volatile int*>(nullptr) = 1; // NOLINT(clang-analyzer-core.NullDereference)
    return 2;
}
