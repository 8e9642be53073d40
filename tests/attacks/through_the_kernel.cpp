// SPDX-License-Identifier: MIT
#include <cstdint>
#include <fcntl.h>
#include <optional>
#include <unistd.h>

#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "attack.hpp"
#include "ring.hpp"

namespace palloc::test {
namespace {

bool write_own_memory(const victim& v) {
    const int file = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
    if (file < 0)
        return false;
    (void)!::pwrite(file, &hostile_byte, 1, static_cast<off_t>(v.where.base + 2 * page));
    ::close(file);
    return true;
}

void write_to_process(const victim& v) {
    unsigned char byte = hostile_byte;
    const iovec from{&byte, 1};
    const iovec to{v.target(), 1};
    (void)!::process_vm_writev(::getpid(), &from, 1, &to, 1, 0);
}

/// A child pokes into this process.
bool poke(const victim& v) {
    (void)::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child == 0) {
        if (::ptrace(PTRACE_ATTACH, parent, nullptr, nullptr) != 0)
            ::_exit(1);
        int status = 0;
        (void)::waitpid(parent, &status, 0);
        (void)::ptrace(PTRACE_POKEDATA, parent, v.target(),
                       reinterpret_cast<void*>(~std::uintptr_t{0} / 0xff * 0xfe));
        (void)::ptrace(PTRACE_DETACH, parent, nullptr, nullptr);
        ::_exit(0);
    }
    int status = 1;
    (void)::waitpid(child, &status, 0);
    return status == 0;
}

class pinned_buffer : public attack {
  public:
    pinned_buffer() : attack("io_uring, buffer registered before") {}
    bool prime(const victim& v) override {
        ring_.emplace(v.target());
        return ring_->is_there();
    }
    bool strike(const victim&) override {
        ring_->write(hostile_byte);
        return true;
    }

  private:
    std::optional<ring> ring_;
};

} // namespace

void add_attacks_through_the_kernel(attacks& all) {
    add(all, "/proc/self/mem", write_own_memory);
    add(all, "process_vm_writev to itself", write_to_process);
    add(all, "ptrace by a child", poke);
    all.push_back(std::make_unique<pinned_buffer>());
}

} // namespace palloc::test
