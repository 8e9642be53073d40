// SPDX-License-Identifier: MIT
/// @file
/// @brief Whether this thread may map memory at this moment: how the flags of a call reach the
/// backings and the books beneath a composition, whose calls carry no flags.
#pragma once

#include <palloc/core/version.hpp>

namespace palloc::inline v0::detail {

inline constinit thread_local bool mapping_is_barred = false;

/// @brief Bars mapping for as long as it lives, unless it is allowed.
class mapping_gate {
  public:
    explicit mapping_gate(bool may_map) noexcept : before_(mapping_is_barred) {
        mapping_is_barred = before_ || !may_map;
    }
    mapping_gate(const mapping_gate&) = delete;
    mapping_gate& operator=(const mapping_gate&) = delete;
    ~mapping_gate() { mapping_is_barred = before_; }

  private:
    bool before_;
};

} // namespace palloc::inline v0::detail
