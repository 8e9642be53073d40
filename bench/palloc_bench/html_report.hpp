// SPDX-License-Identifier: MIT
/// @file
/// @brief The figures as a page to look at: one file, with everything in it.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace palloc::bench {

/// @brief The page without figures: its template with styles, script and Chart.js put into it.
/// @param charts  the library's file; empty: the one that was configured
/// @par Errors  throws `std::runtime_error`: the template or the library is not there
[[nodiscard]] std::string empty_page(const std::filesystem::path& charts = {});

/// @brief A page that shows what `json_of` made, drawn by Chart.js.
/// @param page  of `empty_page`, which may be asked for before the figures are made
/// @par Errors  throws `std::runtime_error`: `page` has no place for figures
[[nodiscard]] std::string html_of(const nlohmann::json& figures, std::string page = empty_page());

} // namespace palloc::bench
