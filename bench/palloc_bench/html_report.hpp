// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures as a page to look at: one file, with everything in it.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace palloc::bench {

/// @brief A page that shows what `json_of` made, drawn by Chart.js, which is put into the page.
/// @par Errors  throws `std::runtime_error`: the page's template or the library is not there
[[nodiscard]] std::string html_of(const nlohmann::json& figures);

} // namespace palloc::bench
