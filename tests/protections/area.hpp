// SPDX-License-Identifier: MIT
/// @file
/// @brief One area of a simulated backing under a protection: what is left to the conformance suite
/// is what all have in common.
#pragma once

#include <palloc/backings/fake.hpp>
#include <palloc/concepts/protection.hpp>

#include <utility>

namespace palloc::test {

template <class Protection>
struct simulated_area {
    explicit simulated_area(Protection chosen) : protection(std::move(chosen)) {
        (void)protection.open_area(backing, region, state, {});
    }

    [[nodiscard]] result<strength> protect() { return protection.protect(backing, region, state); }
    [[nodiscard]] strength achieved() const { return protection.achieved(state); }
    [[nodiscard]] bool is_writable() const { return !space.write_faults(where.base); }
    void fail(backing_call kind) { space.script.fail_nth(kind, 1); }

    fake_space space{};
    fake_demand_paged backing{space};
    fake_demand_paged::region region = backing.map({.bytes = 4 * 4096}).value();
    range where = backing.where(region);
    Protection protection;
    typename Protection::area_state state{};
};

} // namespace palloc::test
