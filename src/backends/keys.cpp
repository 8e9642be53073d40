// SPDX-License-Identifier: MIT
#include "keys.hpp"

#include <array>
#include <atomic>
#include <cstddef>

#include <sys/mman.h>

#include "os.hpp"
#include "written_once.hpp"

namespace palloc::inline v0::os {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;
constexpr int no_key = 0; // the key of all memory that has none

constinit thread_local std::array<unsigned, 2> openers{};

constexpr std::size_t index_of(view which) noexcept {
    return which == view::main ? 0 : 1;
}

constexpr unsigned closed_rights(view which) noexcept {
    return which == view::main ? PKEY_DISABLE_WRITE : PKEY_DISABLE_ACCESS;
}

int key_of(view which) noexcept {
    return trusted().keys[index_of(which)].load(std::memory_order_relaxed);
}

result<int> taken_key(view which) noexcept {
    if (const int key = key_of(which); key != no_key)
        return key;
    const auto fresh = key_alloc(closed_rights(which));
    if (!fresh)
        return fail(errc::not_supported, fresh.error().os_code);
    int current = no_key;
    const auto written = write_once(
        [&](written_once& there) noexcept {
            (void)there.keys[index_of(which)].compare_exchange_strong(current, *fresh);
        },
        [&](written_once& there) noexcept {
            if (current == no_key)
                there.keys[index_of(which)] = no_key;
        });
    if (written && current == no_key)
        return *fresh;
    (void)key_free(*fresh); // another thread was faster, or it cannot be kept
    if (!written)
        return tl::unexpected(written.error());
    return current;
}

} // namespace

result<void> put_under_key(range where, view which) noexcept {
    return taken_key(which).and_then(
        [&](int key) noexcept { return key_protect(where, read_write, key); });
}

result<void> take_from_key(range where) noexcept {
    return key_protect(where, read_write, 0);
}

// The rights are looked at each time: a handler that is left by a jump leaves them closed behind an
// open window.
void open_key(view which) noexcept {
    ++openers[index_of(which)];
    if (const int key = key_of(which); ::pkey_get(key) != 0)
        ::pkey_set(key, 0);
}

void close_key(view which) noexcept {
    if (--openers[index_of(which)] == 0)
        ::pkey_set(key_of(which), closed_rights(which));
}

} // namespace palloc::inline v0::os
