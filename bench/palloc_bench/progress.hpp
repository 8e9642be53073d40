// SPDX-License-Identifier: MIT
/// @file
/// @brief How far a run is, on a terminal; and Ctrl-C, which lets it end early.
#pragma once

#include <chrono>
#include <string>

namespace palloc::bench {

/// @brief A line on stderr that is written over; nothing where stderr is no terminal.
///
/// While it lives, the first Ctrl-C is taken for the wish to see what there is so far; a second one
/// ends the process.
class progress {
  public:
    explicit progress(bool quiet);
    ~progress();
    progress(const progress&) = delete;
    progress& operator=(const progress&) = delete;

    /// @param share  done of the whole, 0 to 1
    /// @return whether Ctrl-C was pressed
    bool show(const std::string& what, double share);

    /// @brief Takes the line away, for other output.
    void clear();

    [[nodiscard]] static bool interrupted() noexcept;

  private:
    using clock = std::chrono::steady_clock;

    bool visible_;
    bool drawn_ = false;
    clock::time_point begin_ = clock::now();
    clock::time_point last_{};
};

} // namespace palloc::bench
