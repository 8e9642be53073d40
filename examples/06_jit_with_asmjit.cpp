// SPDX-License-Identifier: MIT
// Code made by an assembler library, put into a perm_alloc, called by several threads while another
// patches it. Nothing is ever writable and executable at once.
#include <palloc/perm_alloc.hpp>

#include <asmjit/x86.h>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <thread>
#include <vector>

using namespace palloc;

namespace {

using function = std::uint32_t(std::uint32_t);

/// value * factor, assembled; `at` is told where the factor lies.
std::vector<std::byte> assemble(std::uint32_t factor, std::size_t& at) {
    asmjit::CodeHolder holder;
    holder.init(asmjit::Environment::host());
    asmjit::x86::Assembler a(&holder);
    a.nop(); // the word that is patched is aligned:
    a.nop(); // mov eax, imm32 has it at its byte 1,
    a.nop(); // which is now byte 4 of the function
    a.mov(asmjit::x86::eax, factor);
    a.imul(asmjit::x86::eax, asmjit::x86::edi);
    a.ret();
    at = 4;
    const asmjit::CodeBuffer& text = holder.textSection()->buffer();
    const auto* const first = reinterpret_cast<const std::byte*>(text.data());
    return {first, first + text.size()};
}

} // namespace

int main() {
    perm_alloc code;
    std::size_t factor_at = 0;
    const auto text = assemble(3, factor_at);
    // Within the reach of a 32-bit call from this program's own functions.
    const auto block =
        code.allocate({.within = within_reach_of(reinterpret_cast<std::uintptr_t>(&assemble)),
                       .bytes = text.size()});
    if (!block || !block->write(0, text)) {
        std::puts("no executable memory");
        return 1;
    }
    std::printf("14 * 3 = %u\n", block->entry<function>()(14));

    std::atomic<bool> done = false;
    std::atomic<int> wrong = 0;
    std::vector<std::thread> callers;
    for (int i = 0; i != 2; ++i)
        callers.emplace_back([&] {
            while (!done) {
                const std::uint32_t got = block->entry<function>()(1);
                wrong += got < 3 || got > 1000 ? 1 : 0;
            }
        });
    for (std::uint32_t factor = 3; factor <= 1000; ++factor)
        if (!block->patch(factor_at, factor) || block->entry<function>()(2) != 2 * factor)
            ++wrong;
    done = true;
    for (auto& each : callers)
        each.join();
    std::printf("14 * 1000 = %u, %d wrong answers\n", block->entry<function>()(14), wrong.load());
    return code.free(*block) && wrong == 0 ? 0 : 1;
}
