// SPDX-License-Identifier: MIT
#include <palloc/core/fault_report.hpp>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <span>
#include <ucontext.h>
#include <unistd.h>

#ifdef __aarch64__
#include <asm/sigcontext.h>
#endif

#include "os.hpp"

namespace palloc::inline v0 {
namespace {

constinit std::atomic<fault_describer> describing = nullptr;
struct sigaction before; // written before `describing` is set, read while it is

#if defined(__x86_64__)
constexpr int instruction_pointer = REG_RIP;
#elif defined(__i386__)
constexpr int instruction_pointer = REG_EIP;
#elif defined(__aarch64__)
/// What the exception syndrome says, one of the records that the kernel leaves behind the
/// registers.
memory_fault::access kind_of(const mcontext_t& machine) noexcept {
    const std::span<const unsigned char> records(machine.__reserved);
    _aarch64_ctx head{};
    for (std::size_t at = 0; records.size() - at >= sizeof(esr_context); at += head.size) {
        std::memcpy(&head, &records[at], sizeof head);
        if (head.magic == ESR_MAGIC) {
            esr_context syndrome{};
            std::memcpy(&syndrome, &records[at], sizeof syndrome);
            const auto class_of_exception = syndrome.esr >> 26 & 0x3f;
            constexpr std::uint64_t fetch_abort = 0x20;
            constexpr std::uint64_t data_abort = 0x24;
            constexpr std::uint64_t write_bit = 1U << 6;
            return class_of_exception == fetch_abort  ? memory_fault::access::fetch
                   : class_of_exception != data_abort ? memory_fault::access::unknown
                   : (syndrome.esr & write_bit) != 0  ? memory_fault::access::write
                                                      : memory_fault::access::read;
        }
        if (head.size < sizeof head || head.size > records.size() - at)
            break; // the last, or not what we know
    }
    return memory_fault::access::unknown;
}
#endif

memory_fault facts_of(const siginfo_t& info, [[maybe_unused]] const void* context) noexcept {
    memory_fault fault{.place = address_of(info.si_addr), .thread = os::thread_number()};
#if defined(__x86_64__) || defined(__i386__)
    const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    constexpr long long write_bit = 1 << 1;
    constexpr long long fetch_bit = 1 << 4;
    fault.code = static_cast<std::uintptr_t>(registers[instruction_pointer]);
    fault.kind = (registers[REG_ERR] & fetch_bit) != 0   ? memory_fault::access::fetch
                 : (registers[REG_ERR] & write_bit) != 0 ? memory_fault::access::write
                                                         : memory_fault::access::read;
#elif defined(__aarch64__)
    const auto& machine = static_cast<const ucontext_t*>(context)->uc_mcontext;
    fault.code = machine.pc;
    fault.kind = kind_of(machine);
#endif
    return fault;
}

/// What would have happened without us.
void go_on(int signal, siginfo_t* info, void* context) noexcept {
    if ((before.sa_flags & SA_SIGINFO) != 0)
        return before.sa_sigaction(signal, info, context);
    if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN)
        return before.sa_handler(signal);
    // The instruction faults once more, and then there is nobody to catch it.
    (void)os::signal_action(signal, &before, nullptr);
    if (info->si_code <= 0) // sent by a process: there is no instruction
        (void)os::raise(signal);
}

void handle(int signal, siginfo_t* info, void* context) {
    std::array<char, 512> text{};
    if (const fault_describer describe = describing; describe != nullptr && info->si_code > 0)
        if (const std::size_t length = describe(facts_of(*info, context), text); length != 0)
            (void)os::write(STDERR_FILENO, std::span(text).first(length));
    go_on(signal, info, context);
}

} // namespace

result<void> report_faults(fault_describer describe) noexcept {
    if (describing.load() != nullptr || describe == nullptr)
        return fail(errc::bad_argument);
    if (const auto asked = os::signal_action(SIGSEGV, nullptr, &before); !asked)
        return asked;
    describing = describe;
    struct sigaction ours{};
    ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    ours.sa_sigaction = handle;
    auto set = os::signal_action(SIGSEGV, &ours, nullptr);
    if (!set)
        describing = nullptr;
    return set;
}

result<void> stop_reporting_faults() noexcept {
    if (describing.load() == nullptr)
        return fail(errc::bad_argument);
    auto restored = os::signal_action(SIGSEGV, &before, nullptr);
    if (restored)
        describing = nullptr;
    return restored;
}

} // namespace palloc::inline v0
