// SPDX-License-Identifier: MIT
#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <thread>
#include <ucontext.h>
#include <unistd.h>

#include "attack.hpp"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace palloc::test {
namespace {

bool open_every_key(const victim& v) {
    if (!has_keys())
        return false;
    key_rights::open_all();
    store_at(v.target());
    return true;
}

/// Alters the rights in the frame that a signal handler returns to.
bool forge_rights(const victim& v) {
    if (!has_keys())
        return false;
#if defined(__x86_64__)
    struct sigaction forging{};
    forging.sa_flags = SA_SIGINFO;
    forging.sa_sigaction = [](int, siginfo_t*, void* context) {
        unsigned a = 0;
        unsigned b = 0;
        unsigned c = 0;
        unsigned d = 0;
        __get_cpuid_count(0xd, 9, &a, &b, &c, &d); // where PKRU lies in the saved state
        auto* const saved =
            reinterpret_cast<char*>(static_cast<ucontext_t*>(context)->uc_mcontext.fpregs);
        std::memset(saved + b, 0, sizeof(std::uint32_t));
        std::uint64_t features = 0; // present in this frame
        std::memcpy(&features, saved + 512, sizeof features);
        features |= std::uint64_t{1} << 9;
        std::memcpy(saved + 512, &features, sizeof features);
    };
    ::sigaction(SIGUSR1, &forging, nullptr);
    ::raise(SIGUSR1);
#endif
    store_at(v.target());
    return true;
}

void* aim = nullptr;

void store_in_handler(const victim& v) {
    aim = v.target();
    struct sigaction storing{};
    storing.sa_handler = [](int) { *static_cast<volatile unsigned char*>(aim) = hostile_byte; };
    ::sigaction(SIGUSR2, &storing, nullptr);
    survive([] { ::raise(SIGUSR2); });
}

class store_by_older_thread : public attack {
  public:
    store_by_older_thread() : attack("store by older thread") {}
    ~store_by_older_thread() override {
        go_ = true;
        if (thread_.joinable())
            thread_.join();
    }
    bool prime(const victim& v) override {
        thread_ = std::thread([this, place = v.target()] {
            while (!go_)
                std::this_thread::yield();
            store_at(place);
        });
        return true;
    }
    bool strike(const victim&) override {
        go_ = true;
        thread_.join();
        return true;
    }

  private:
    std::atomic<bool> go_ = false;
    std::thread thread_;
};

void read_into(const victim& v) {
    int ends[2];
    if (::pipe(ends) == 0 && ::write(ends[1], &hostile_byte, 1) == 1)
        (void)!::read(ends[0], v.target(), 1);
}

} // namespace

void add_attacks_by_instructions(attacks& all) {
    add(all, "direct store", [](const victim& v) { store_at(v.target()); });
    add(all, "read(2) into it", read_into);
    add(all, "WRPKRU, store", open_every_key);
    add(all, "store in a signal handler", store_in_handler);
    add(all, "sigreturn with forged PKRU", forge_rights);
    all.push_back(std::make_unique<store_by_older_thread>());
}

} // namespace palloc::test
