// SPDX-License-Identifier: MIT
/// @file
/// @brief For cases that this machine cannot run.
#pragma once

#include <string>

namespace palloc::test {

/// @brief Ends the running case here; it is reported as skipped, with the reason.
/// @pre  Called on the thread that runs the case.
[[noreturn]] void skip(std::string why);

} // namespace palloc::test
