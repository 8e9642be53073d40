// SPDX-License-Identifier: MIT
/// @file
/// @brief Which programs a recording missed: executed, and never heard of again.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "elf_program.hpp"

namespace palloc::bench {

/// @brief Takes what recorded processes tell of programs that they execute, in that order, and the
///   rings that those programs make.
class executed_programs {
  public:
    /// @brief `process` becomes `file`.
    void executes(int process, const std::filesystem::path& file) {
        give_up(process);
        awaited_[process] = file;
    }
    /// @brief It could not.
    void failed(int process) { awaited_.erase(process); }
    /// @brief `process` began as `file`, some time ago: its ring may be there.
    void spawned(int process, const std::filesystem::path& file) {
        if (!heard_of_.contains(process))
            awaited_[process] = file;
    }
    void made_ring(int process) {
        awaited_.erase(process);
        ++heard_of_[process];
    }

    /// @brief Rings of it so far.
    [[nodiscard]] int programs_of(int process) const {
        const auto found = heard_of_.find(process);
        return found == heard_of_.end() ? 0 : found->second;
    }

    /// @brief Why nothing is known of what it executed last; empty: it is, or it executed nothing.
    [[nodiscard]] std::string why_missed(int process) const {
        const auto found = awaited_.find(process);
        return found == awaited_.end() ? "" : why(found->second);
    }

    /// @brief Why each that was missed was; no sentence twice.
    /// @par Complexity  O(n log n) in what was executed
    [[nodiscard]] std::vector<std::string> all_missed() {
        while (!awaited_.empty())
            give_up(awaited_.begin()->first);
        std::sort(missed_.begin(), missed_.end());
        missed_.erase(std::unique(missed_.begin(), missed_.end()), missed_.end());
        return std::exchange(missed_, {});
    }

  private:
    static std::string why(const std::filesystem::path& file) {
        return why_not_recordable(file).value_or(
            fmt::format("{}: the recorder did not begin in it, as where LD_PRELOAD is taken out of "
                        "a program's environment",
                        file.string()));
    }

    void give_up(int process) {
        if (const auto found = awaited_.find(process); found != awaited_.end()) {
            missed_.push_back(why(found->second));
            awaited_.erase(found);
        }
    }

    std::map<int, std::filesystem::path> awaited_; // by process
    std::map<int, int> heard_of_;
    std::vector<std::string> missed_;
};

} // namespace palloc::bench
