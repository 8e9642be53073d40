// SPDX-License-Identifier: MIT
/// @file
/// @brief All protections, and what requests may say to each.
#pragma once

#include <palloc/core/permissions.hpp>
#include <palloc/protections/unprotected.hpp>
#include <palloc/protections/write_xor_execute.hpp>

#include <tuple>
#include <vector>

#include "support/skeleton_protections.hpp"

namespace palloc::test {

using protection_models = std::tuple<unprotected,       //
                                     write_xor_execute, //
                                     closes_areas,      //
                                     one_permission_an_area>;

/// @brief Different wishes of requests, the default one first.
template <class Protection>
[[nodiscard]] std::vector<typename Protection::attributes> attribute_models() {
    return {{}};
}
template <>
[[nodiscard]] inline std::vector<one_permission_an_area::attributes>
attribute_models<one_permission_an_area>() {
    return {{}, {permissions::read}, {permissions::read_execute}, {permissions::none}};
}

template <>
[[nodiscard]] inline std::vector<write_xor_execute::attributes>
attribute_models<write_xor_execute>() {
    return {{},
            {.wanted = permissions::read},
            {.wanted = permissions::read_execute},
            {.wanted = permissions::none},
            {.wanted = permissions::read_write, .alone = true},
            {.wanted = permissions::read_execute, .alone = true, .deferred = true}};
}

} // namespace palloc::test
