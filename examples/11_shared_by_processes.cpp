// SPDX-License-Identifier: MIT
// A pool that processes share: a container in it, and a process that dies with blocks in its hands.
#include <palloc/bridges/shared_allocator.hpp>
#include <palloc/shared.hpp>

#include <boost/container/map.hpp>
#include <boost/interprocess/offset_ptr.hpp>

#include <csignal>
#include <cstdio>
#include <functional>
#include <new>
#include <string>
#include <unistd.h>
#include <utility>

#include <sys/wait.h>

namespace {

// [container]
template <class T>
using in_segment = palloc::shared_allocator<boost::interprocess::offset_ptr<T>>;
using prices =
    boost::container::map<int, double, std::less<>, in_segment<std::pair<const int, double>>>;
// [container]

// What another program would do: it knows nothing but the name.
int other_program(const char* name) {
    // [attach]
    palloc::segment_report why;
    auto segment = palloc::shared_segment::open(name, 64, &why); // granules of 64 bytes
    if (!segment) {
        std::printf("no segment: %s\n", to_string(why.what).data());
        return 1;
    }
    palloc::shared_pool<> pool(*segment);
    auto* const found = reinterpret_cast<prices*>(segment->at(segment->root(0)));
    found->emplace(2, 2.75); // a node of its own, which the pool keeps
    // [attach]
    const auto scratch = pool.allocate(100'000); // this process's own, and no more
    if (found->at(1) != 1.5 || !scratch)
        return 1;
    std::raise(SIGKILL);
    return 0;
}

} // namespace

int main() {
    const std::string name = "/palloc-example-" + std::to_string(getpid());
    // [create]
    auto segment = palloc::shared_segment::create(name.c_str(), {.bytes = 1 << 20});
    if (!segment)
        return 1;
    palloc::shared_pool<> pool(*segment);
    const auto place = pool.allocate(sizeof(prices), alignof(prices));
    if (!place || !pool.keep(*place, sizeof(prices))) // it is to outlive this process
        return 1;
    auto* const mine = ::new (reinterpret_cast<void*>(*place)) prices(in_segment<int>(pool));
    mine->emplace(1, 1.5);
    segment->root(0) = segment->offset_of(*place); // where others find it
    // [create]
    const pid_t child = fork();
    if (child == 0)
        _exit(other_program(name.c_str()));
    int status = 0;
    waitpid(child, &status, 0);

    const auto lost = pool.reclaim();
    std::printf("%zu had died with %llu bytes; there are %zu prices\n", lost.claimants,
                static_cast<unsigned long long>(lost.bytes), mine->size());
    const bool fine = lost.claimants == 1 && lost.bytes == 100'032 && mine->at(2) == 2.75;
    mine->~prices();
    (void)pool.deallocate(*place, sizeof(prices));
    return palloc::shared_segment::unlink(name.c_str()) && fine && pool.kept_bytes() == 0 ? 0 : 1;
}
