// SPDX-License-Identifier: MIT
#include "written_once.hpp"

#include <palloc/core/layout.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>

#include "storage.hpp"

namespace palloc::inline v0::os {
namespace {

// The largest page of any machine that this is built for: no variable says how large one is.
constexpr std::size_t page = std::size_t{64} << 10;

constinit std::array<std::byte, 2 * page> room{};
constinit detail::spin_lock only_one_writes;

address place() noexcept {
    return align_up(address_of(room.data()), page);
}

static_assert(sizeof(written_once) <= page);

} // namespace

// All of its members are zero at first, as the room is.
written_once& trusted() noexcept {
    return *reinterpret_cast<written_once*>(place());
}

result<void> protect_trusted(permissions allowed) noexcept {
    return protect_storage({place(), page}, allowed);
}

detail::spin_lock& trusted_lock() noexcept {
    return only_one_writes;
}

} // namespace palloc::inline v0::os
