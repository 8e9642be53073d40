// SPDX-License-Identifier: MIT
/// @file
/// @brief All protections.
#pragma once

#include <palloc/protections/unprotected.hpp>

#include <tuple>

namespace palloc::test {

using protection_models = std::tuple<unprotected>;

} // namespace palloc::test
