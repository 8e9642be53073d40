// SPDX-License-Identifier: MIT
/// @file
/// @brief All protections, and what requests may say to each.
#pragma once

#include <palloc/concepts/protection.hpp>
#include <palloc/core/permissions.hpp>
#include <palloc/protections/keyed.hpp>
#include <palloc/protections/one_of.hpp>
#include <palloc/protections/permanent.hpp>
#include <palloc/protections/read_only.hpp>
#include <palloc/protections/sealed.hpp>
#include <palloc/protections/unprotected.hpp>
#include <palloc/protections/write_rare.hpp>
#include <palloc/protections/write_xor_execute.hpp>

#include <tuple>
#include <type_traits>
#include <vector>

#include "support/skeleton_protections.hpp"

namespace palloc::test {

using protection_models = std::tuple<unprotected,                //
                                     read_only,                  //
                                     sealed,                     //
                                     permanent,                  //
                                     write_rare,                 //
                                     keyed,                      //
                                     one_of<write_rare, sealed>, //
                                     write_xor_execute,          //
                                     one_permission_an_area>;

/// @brief One of each, that takes what this machine has.
template <class Protection>
[[nodiscard]] Protection make_protection() {
    if constexpr (std::is_constructible_v<Protection, demand>)
        return Protection(demand::best_effort);
    else
        return Protection{};
}

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
