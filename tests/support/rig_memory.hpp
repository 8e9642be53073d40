// SPDX-License-Identifier: MIT
/// @file
/// @brief What stands behind a backing under test: what its memory allows, and which call fails.
#pragma once

#include <palloc/backings/fake.hpp>
#include <palloc/concepts/backing.hpp>
#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cerrno>
#include <cstdint>

#include "backends/seam.hpp"
#include "page_probe.hpp"

namespace palloc::test {

/// @brief The simulated address space at the bottom of a rig; null for a real one.
template <class Rig>
[[nodiscard]] fake_space* space_of(Rig& it) {
    if constexpr (requires { it.space; })
        return &it.space;
    else if constexpr (requires { it.inner; })
        return space_of(it.inner);
    else
        return nullptr;
}

/// @brief Whether the calls of a rig's backing can be made to fail by a script.
template <class Rig>
inline constexpr bool follows_a_script = false;
template <class Rig>
    requires(
                requires(Rig& it) { it.inner; } && !requires(Rig& it) { it.script; })
inline constexpr bool follows_a_script<Rig> = follows_a_script<decltype(Rig::inner)>;
template <class Rig>
    requires requires(Rig& it) { it.space; } || requires(Rig& it) { it.script; }
inline constexpr bool follows_a_script<Rig> = true;

/// @brief The script that the backing of a rig follows; null where it follows none.
template <class Rig>
[[nodiscard]] fault_script* script_of(Rig& it) {
    if constexpr (requires { it.script; })
        return &it.script;
    else if constexpr (requires { it.space; })
        return &it.space.script;
    else if constexpr (requires { it.inner; })
        return script_of(it.inner);
    else
        return nullptr;
}

/// @brief A system call without which a real backing cannot do a call.
[[nodiscard]] constexpr os::call system_call_of([[maybe_unused]] backing_call kind) {
#if !defined(_WIN32) // there a call of a backing fails with the first that it makes
    switch (kind) {
    case backing_call::map:
    case backing_call::open_alias:
    case backing_call::replace_view:
    case backing_call::decommit:
    case backing_call::open_part:
        return os::call::map;
    case backing_call::unmap:
    case backing_call::close_alias:
    case backing_call::close_part:
        return os::call::unmap;
    case backing_call::protect:
    case backing_call::commit:
        return os::call::protect;
    case backing_call::seal:
        return os::call::add_seals;
    case backing_call::move_pages:
        return os::call::remap;
    case backing_call::make_permanent:
        return os::call::seal;
    case backing_call::store:
        return os::call::write;
    case backing_call::lock:
    case backing_call::unlock:
        return os::call::key_protect;
    case backing_call::discard: // of advise and fallocate, whichever
    case backing_call::adopt:
    case backing_call::any:
        break;
    }
#endif
    return os::call::any;
}

/// @brief Makes the `n`th call from now on fail (0: none). Answers false where none ever fails.
template <class Rig>
bool fail_nth(Rig& it, backing_call kind, std::uint64_t n) {
    if (fault_script* const script = script_of(it)) {
        script->fail_nth(kind, n);
        return true;
    }
    if constexpr (requires { it.parent.refuses; }) {
        if (kind != backing_call::unmap)
            return false;
        it.parent.refuses = n != 0;
        return true;
    }
    if constexpr (memory_may_be_touched<decltype(it.backing)> &&
                  backing_can_map<decltype(it.backing)>) {
        os::fail_nth(system_call_of(kind), n, ENOTRECOVERABLE);
        return true;
    }
    return false;
}

/// @brief Whether loads and stores succeed: asked of the kernel, or of the simulated space.
template <class Rig>
class rig_memory {
  public:
    explicit rig_memory(Rig& it) : space_(space_of(it)) {}

    [[nodiscard]] bool readable(address at) const {
        return space_ != nullptr ? !space_->read_faults(at) : probe_.readable(at);
    }
    [[nodiscard]] bool writable(address at) const {
        return space_ != nullptr ? !space_->write_faults(at) : probe_.writable(at);
    }
    /// @brief Whether that is so of both ends of a range.
    [[nodiscard]] bool readable(range part) const {
        return readable(part.base) && readable(part.base + part.bytes - 1);
    }
    [[nodiscard]] bool writable(range part) const {
        return writable(part.base) && writable(part.base + part.bytes - 1);
    }

  private:
    fake_space* space_;
    page_probe probe_;
};

} // namespace palloc::test
