// SPDX-License-Identifier: MIT
// Remembers the mistakes that a pool reports, instead of aborting.
#pragma once

#include <palloc/pool_options.hpp>

#include <vector>

namespace palloc::test {

struct misuse_log {
    std::vector<misuse> seen;

    [[nodiscard]] misuse_policy policy() noexcept {
        return {[](void* log, const misuse& wrong) noexcept {
                    static_cast<misuse_log*>(log)->seen.push_back(wrong);
                },
                this};
    }
};

} // namespace palloc::test
