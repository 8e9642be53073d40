// SPDX-License-Identifier: MIT
#define _CRT_RAND_S // NOLINT: what the system's header asks for, before any other
#include "os.hpp"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "../fault_points.hpp"
#include "system.hpp"

namespace palloc::inline v0::os {
namespace {

constinit fault_points<call> faults;

/// @brief Makes the call, or pretends that it failed. What answers a null pointer, a null handle or
/// FALSE has failed. Keeps the caller's last error.
template <class SystemCall>
auto through(call kind, SystemCall&& make) noexcept -> result<decltype(make())> {
    if (const int code = faults.next(kind); code != 0)
        return fail(errc::os_failure, code);
    const DWORD kept = ::GetLastError();
    auto answer = make();
    const DWORD failure = ::GetLastError();
    ::SetLastError(kept);
    if (!answer)
        return fail(errc::os_failure, static_cast<std::int32_t>(failure));
    return answer;
}

/// @brief The same for calls that answer nothing but whether they succeeded.
template <class SystemCall>
result<void> done(call kind, SystemCall&& make) noexcept {
    return through(kind, make).map([](auto) noexcept {});
}
/// @brief For those that answer a place.
template <class SystemCall>
result<address> place(call kind, SystemCall&& make) noexcept {
    return through(kind, make).map([](void* at) noexcept { return reinterpret_cast<address>(at); });
}

void* pointer(address at) noexcept {
    return reinterpret_cast<void*>(at);
}
DWORD high(std::uint64_t number) noexcept {
    return static_cast<DWORD>(number >> 32);
}
DWORD low(std::uint64_t number) noexcept {
    return static_cast<DWORD>(number & 0xffff'ffff);
}

DWORD protection_of(permissions allowed) noexcept {
    switch (allowed) {
    case permissions::none:
        return PAGE_NOACCESS;
    case permissions::read:
        return PAGE_READONLY;
    case permissions::read_write:
        return PAGE_READWRITE;
    case permissions::read_execute:
        return PAGE_EXECUTE_READ;
    }
    return PAGE_NOACCESS;
}
permissions permissions_in(DWORD protection) noexcept {
    switch (protection & 0xff) {
    case PAGE_READONLY:
    case PAGE_WRITECOPY:
        return permissions::read;
    case PAGE_READWRITE:
        return permissions::read_write;
    case PAGE_EXECUTE_READ:
        return permissions::read_execute;
    default:
        return permissions::none;
    }
}

const SYSTEM_INFO& facts() noexcept {
    static const SYSTEM_INFO told = [] {
        SYSTEM_INFO answer{};
        ::GetSystemInfo(&answer);
        return answer;
    }();
    return told;
}

struct type_and_protection {
    DWORD type;
    DWORD protection;
};
type_and_protection words_for(kind_of_pages kind) noexcept {
    switch (kind) {
    case kind_of_pages::addresses:
        return {MEM_RESERVE, PAGE_NOACCESS};
    case kind_of_pages::committed:
        return {MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE};
    case kind_of_pages::large:
        return {MEM_RESERVE | MEM_COMMIT | MEM_LARGE_PAGES, PAGE_READWRITE};
    case kind_of_pages::placeholder:
        return {MEM_RESERVE | reserve_placeholder, PAGE_NOACCESS};
    }
    return {};
}

/// @brief What is younger than Windows 8; null where it is missing.
struct young_calls {
    using allocate_2 = void*(WINAPI*)(HANDLE, void*, SIZE_T, ULONG, ULONG, extended_parameter*,
                                      ULONG);
    using map_view_3 = void*(WINAPI*)(HANDLE, HANDLE, void*, ULONG64, SIZE_T, ULONG, ULONG,
                                      extended_parameter*, ULONG);
    using unmap_view_2 = BOOL(WINAPI*)(HANDLE, void*, ULONG);

    allocate_2 allocate = find<allocate_2>("VirtualAlloc2");
    map_view_3 map_view = find<map_view_3>("MapViewOfFile3");
    unmap_view_2 unmap_view = find<unmap_view_2>("UnmapViewOfFile2");

    template <class Function>
    static Function find(const char* name) noexcept {
        const HMODULE library = ::GetModuleHandleW(L"kernelbase.dll");
        if (library == nullptr)
            return nullptr;
        // By way of what every function pointer may be cast to and from.
        using any_function = void (*)();
        const auto found = reinterpret_cast<any_function>(::GetProcAddress(library, name));
        return reinterpret_cast<Function>(found);
    }
};
const young_calls& young() noexcept {
    static const young_calls found;
    return found;
}

/// @brief Whether a placeholder can be made here, and be given back.
bool try_placeholder() noexcept {
    if (young().allocate == nullptr || young().map_view == nullptr || young().unmap_view == nullptr)
        return false;
    const auto [type, protection] = words_for(kind_of_pages::placeholder);
    void* const made = young().allocate(nullptr, nullptr, facts().dwAllocationGranularity, type,
                                        protection, nullptr, 0);
    return made != nullptr && ::VirtualFree(made, 0, MEM_RELEASE) != 0;
}

DWORD view_protection(view_kind kind) noexcept {
    return kind == view_kind::writer   ? PAGE_READWRITE
           : kind == view_kind::reader ? PAGE_READONLY
                                       : PAGE_EXECUTE_READ;
}

} // namespace

void fail_nth(call kind, std::uint64_t n, int code) noexcept {
    faults.fail_nth(kind, n, code);
}

std::uint64_t calls(call kind) noexcept {
    return faults.calls(kind);
}

std::size_t page_bytes() noexcept {
    return facts().dwPageSize;
}

std::size_t granularity() noexcept {
    return facts().dwAllocationGranularity;
}

range user_space() noexcept {
    const auto first = reinterpret_cast<address>(facts().lpMinimumApplicationAddress);
    return {first, reinterpret_cast<address>(facts().lpMaximumApplicationAddress) + 1 - first};
}

std::uint64_t ticks() noexcept {
    LARGE_INTEGER now{};
    (void)::QueryPerformanceCounter(&now);
    return static_cast<std::uint64_t>(now.QuadPart);
}

std::size_t large_page_bytes() noexcept {
    static const std::size_t bytes = ::GetLargePageMinimum();
    return bytes;
}

result<address> allocate(address at, std::uint64_t bytes, kind_of_pages kind) noexcept {
    const auto [type, protection] = words_for(kind);
    if (kind != kind_of_pages::placeholder)
        return place(call::allocate,
                     [&] { return ::VirtualAlloc(pointer(at), bytes, type, protection); });
    if (young().allocate == nullptr) // the older call knows none
        return fail(errc::not_supported);
    return place(call::allocate, [&] {
        return young().allocate(nullptr, pointer(at), bytes, type, protection, nullptr, 0);
    });
}

result<address> allocate_within(range within, std::uint64_t alignment, std::uint64_t bytes,
                                kind_of_pages kind) noexcept {
    if (young().allocate == nullptr)
        return fail(errc::not_supported);
    // No requirement is a zero.
    address_requirements wished{};
    if (within != anywhere) {
        wished.lowest = pointer(within.base);
        wished.highest = pointer(within.base + within.bytes - 1);
    }
    wished.alignment = alignment > granularity() ? alignment : 0;
    extended_parameter parameter{.pointer = &wished};
    const auto [type, protection] = words_for(kind);
    return place(call::allocate, [&] {
        return young().allocate(nullptr, nullptr, bytes, type, protection, &parameter, 1);
    });
}

result<void> commit(range where, permissions allowed) noexcept {
    return done(call::commit, [&] {
        return ::VirtualAlloc(pointer(where.base), where.bytes, MEM_COMMIT, protection_of(allowed));
    });
}

result<void> decommit(range where) noexcept {
    return done(call::decommit,
                [&] { return ::VirtualFree(pointer(where.base), where.bytes, MEM_DECOMMIT); });
}

result<void> release(address base) noexcept {
    return done(call::release, [&] { return ::VirtualFree(pointer(base), 0, MEM_RELEASE); });
}

result<void> protect(range where, permissions allowed) noexcept {
    return done(call::protect, [&] {
        DWORD before = 0;
        return ::VirtualProtect(pointer(where.base), where.bytes, protection_of(allowed), &before);
    });
}

result<pages_there> query(address at) noexcept {
    MEMORY_BASIC_INFORMATION told{};
    return through(call::query, [&] { return ::VirtualQuery(pointer(at), &told, sizeof told); })
        .map([&](SIZE_T) noexcept {
            const bool is_committed = told.State == MEM_COMMIT;
            return pages_there{
                .where = {reinterpret_cast<address>(told.BaseAddress), told.RegionSize},
                .allocation = reinterpret_cast<address>(told.AllocationBase),
                .is_free = told.State == MEM_FREE,
                .is_committed = is_committed,
                .is_placed_writable =
                    permissions_in(told.AllocationProtect) == permissions::read_write,
                .allowed = is_committed ? permissions_in(told.Protect) : permissions::none};
        });
}

result<handle> make_section(std::uint64_t bytes, bool executable) noexcept {
    return through(call::section, [&] {
        return ::CreateFileMappingW(INVALID_HANDLE_VALUE, nullptr,
                                    executable ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE,
                                    high(bytes), low(bytes), nullptr);
    });
}

result<void> close(handle it) noexcept {
    bool closed = false;
    auto answer = done(call::close, [&] {
        closed = true;
        return ::CloseHandle(it);
    });
    if (!closed)
        (void)::CloseHandle(it);
    return answer;
}

result<address> map_view(handle section, std::uint64_t offset, std::uint64_t bytes, view_kind kind,
                         address at) noexcept {
    const DWORD access = kind == view_kind::writer   ? FILE_MAP_WRITE
                         : kind == view_kind::reader ? FILE_MAP_READ
                                                     : FILE_MAP_READ | FILE_MAP_EXECUTE;
    return place(call::map, [&] {
        return ::MapViewOfFileEx(section, access, high(offset), low(offset), bytes, pointer(at));
    });
}

result<void> unmap_view(address base) noexcept {
    return done(call::unmap, [&] { return ::UnmapViewOfFile(pointer(base)); });
}

bool has_placeholders() noexcept {
    static const bool there = try_placeholder();
    return there;
}

result<void> map_over(handle section, std::uint64_t offset, range placeholder,
                      view_kind kind) noexcept {
    if (young().map_view == nullptr)
        return fail(errc::not_supported);
    return done(call::map, [&] {
        return young().map_view(section, ::GetCurrentProcess(), pointer(placeholder.base), offset,
                                placeholder.bytes, replace_placeholder, view_protection(kind),
                                nullptr, 0);
    });
}

result<void> unmap_to_placeholder(address base) noexcept {
    if (young().unmap_view == nullptr)
        return fail(errc::not_supported);
    return done(call::unmap, [&] {
        return young().unmap_view(::GetCurrentProcess(), pointer(base), preserve_placeholder);
    });
}

result<void> split_placeholder(range first) noexcept {
    return done(call::split, [&] {
        return ::VirtualFree(pointer(first.base), first.bytes, MEM_RELEASE | preserve_placeholder);
    });
}

result<void> take_large_page_privilege() noexcept {
    HANDLE token = nullptr;
    const auto opened = done(call::token, [&] {
        return ::OpenProcessToken(::GetCurrentProcess(), TOKEN_ADJUST_PRIVILEGES | TOKEN_QUERY,
                                  &token);
    });
    if (!opened)
        return opened;
    TOKEN_PRIVILEGES wished{};
    wished.PrivilegeCount = 1;
    wished.Privileges[0].Attributes = SE_PRIVILEGE_ENABLED;
    // Succeeds where the user does not have the privilege, and says so in the last error alone.
    auto taken = done(call::token, [&]() -> BOOL {
        return ::LookupPrivilegeValueW(nullptr, L"SeLockMemoryPrivilege",
                                       &wished.Privileges[0].Luid) != 0 &&
               ::AdjustTokenPrivileges(token, FALSE, &wished, 0, nullptr, nullptr) != 0 &&
               ::GetLastError() == ERROR_SUCCESS;
    });
    (void)close(token);
    if (!taken && taken.error().os_code == not_all_assigned)
        return fail(errc::not_supported, not_all_assigned);
    return taken;
}

result<void> random(std::span<std::byte> into) noexcept {
    return done(call::random, [&] {
        unsigned drawn = 0;
        for (std::size_t i = 0; i != into.size(); ++i) {
            if (i % sizeof drawn == 0 && ::rand_s(&drawn) != 0)
                return false;
            into[i] = static_cast<std::byte>(drawn >> 8 * (i % sizeof drawn));
        }
        return true;
    });
}

result<void> flush_instructions(range changed) noexcept {
    auto flushed = done(call::flush, [&] {
        return ::FlushInstructionCache(::GetCurrentProcess(), pointer(changed.base), changed.bytes);
    });
    if (flushed)
        ::FlushProcessWriteBuffers();
    return flushed;
}

} // namespace palloc::inline v0::os
