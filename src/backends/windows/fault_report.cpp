// SPDX-License-Identifier: MIT
#include <palloc/core/fault_report.hpp>

#include <array>
#include <atomic>

#include "system.hpp"

namespace palloc::inline v0 {
namespace {

constinit std::atomic<fault_describer> describing = nullptr;
constinit std::atomic<void*> ours = nullptr;

memory_fault facts_of(const EXCEPTION_RECORD& record) noexcept {
    memory_fault fault{.place = record.ExceptionInformation[1],
                       .code = reinterpret_cast<address>(record.ExceptionAddress),
                       .thread = static_cast<std::int64_t>(::GetCurrentThreadId())};
    switch (record.ExceptionInformation[0]) {
    case 0:
        fault.kind = memory_fault::access::read;
        break;
    case 1:
        fault.kind = memory_fault::access::write;
        break;
    case 8:
        fault.kind = memory_fault::access::fetch;
        break;
    default:
        break;
    }
    return fault;
}

/// Whoever else wants to handle the exception does so afterwards.
LONG CALLBACK handle(EXCEPTION_POINTERS* what) noexcept {
    const EXCEPTION_RECORD& record = *what->ExceptionRecord;
    if (record.ExceptionCode != EXCEPTION_ACCESS_VIOLATION || record.NumberParameters < 2)
        return EXCEPTION_CONTINUE_SEARCH;
    std::array<char, 512> text{};
    if (const fault_describer describe = describing; describe != nullptr)
        if (const std::size_t length = describe(facts_of(record), text); length != 0) {
            DWORD written = 0;
            (void)::WriteFile(::GetStdHandle(STD_ERROR_HANDLE), text.data(),
                              static_cast<DWORD>(length), &written, nullptr);
        }
    return EXCEPTION_CONTINUE_SEARCH;
}

} // namespace

result<void> report_faults(fault_describer describe) noexcept {
    if (describing.load() != nullptr || describe == nullptr)
        return fail(errc::bad_argument);
    describing = describe;
    ours = ::AddVectoredExceptionHandler(1, handle);
    if (ours.load() == nullptr) {
        describing = nullptr;
        return fail(errc::os_failure, static_cast<std::int32_t>(::GetLastError()));
    }
    return {};
}

result<void> stop_reporting_faults() noexcept {
    if (describing.load() == nullptr)
        return fail(errc::bad_argument);
    if (::RemoveVectoredExceptionHandler(ours.load()) == 0)
        return fail(errc::os_failure, static_cast<std::int32_t>(::GetLastError()));
    describing = nullptr;
    return {};
}

} // namespace palloc::inline v0
