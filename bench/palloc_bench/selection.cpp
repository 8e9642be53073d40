// SPDX-License-Identifier: MIT
// What the subcommands choose from.
#include <algorithm>
#include <fmt/format.h>
#include <regex>
#include <system_error>

#include "commands.hpp"
#include "compositions.hpp"

namespace palloc::bench {

std::vector<const composition*> compositions_matching(const std::string& regex) {
    std::vector<const composition*> chosen;
    try {
        const std::regex wanted(regex);
        for (const composition& each : compositions())
            if (std::regex_search(each.name.begin(), each.name.end(), wanted))
                chosen.push_back(&each);
    } catch (const std::regex_error& error) {
        throw usage_error(fmt::format("--pool '{}': {}", regex, error.what()));
    }
    if (chosen.empty())
        throw usage_error(fmt::format("--pool '{}': no composition has such a name", regex));
    return chosen;
}

std::vector<std::filesystem::path> bundled_traces() {
    const std::filesystem::path folder(PALLOC_BENCH_TRACES);
    std::error_code failed;
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(folder, failed))
        if (entry.path().native().ends_with(".trace.gz"))
            found.push_back(entry.path());
    if (found.empty())
        throw usage_error(fmt::format("no traces in {}: name some with --trace", folder.string()));
    std::sort(found.begin(), found.end());
    return found;
}

} // namespace palloc::bench
