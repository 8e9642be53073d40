// SPDX-License-Identifier: MIT
#include "html_report.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace palloc::bench {
namespace {

std::string content_of(const std::filesystem::path& file, const std::string& otherwise) {
    std::ifstream in(file, std::ios::binary);
    if (!in)
        throw std::runtime_error(file.string() + ": " + otherwise);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// Within a script element, "</script" ends it and "<!--" changes what ends it.
std::string safe_in_script(std::string_view json) {
    std::string safe;
    for (const char c : json)
        if (c == '<')
            safe += "\\u003c";
        else
            safe += c;
    return safe;
}

void put(std::string& page, std::string_view place, const std::string& content) {
    const std::size_t at = page.find(place);
    if (at == std::string::npos)
        throw std::runtime_error("the report's template lacks " + std::string(place));
    page.replace(at, place.size(), content);
}

} // namespace

std::string empty_page(const std::filesystem::path& charts) {
    const std::filesystem::path folder(PALLOC_BENCH_REPORT);
    const std::string library = content_of(charts.empty() ? PALLOC_BENCH_CHARTS : charts,
                                           "is missing; install the package libjs-chart.js");
    std::string page = content_of(folder / "page.html", "is missing");
    put(page, "/*STYLE*/", content_of(folder / "page.css", "is missing"));
    put(page, "/*PAGE*/", content_of(folder / "page.js", "is missing"));
    put(page, "/*CHARTS*/", library);
    return page;
}

std::string html_of(const nlohmann::json& figures, std::string page) {
    put(page, "/*FIGURES*/", safe_in_script(figures.dump()));
    return page;
}

} // namespace palloc::bench
