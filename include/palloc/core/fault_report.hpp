// SPDX-License-Identifier: MIT
/// @file
/// @brief Says on stderr what a fault was about, before the program ends or goes on as it would.
#pragma once

#include <palloc/core/error.hpp>
#include <palloc/core/range.hpp>

#include <cstddef>
#include <cstdint>
#include <span>

namespace palloc::inline v0 {

/// @brief What the processor said of a fault.
struct memory_fault {
    enum class access : std::uint8_t { unknown, read, write, fetch };

    address place = 0;
    address code = 0; ///< of the instruction
    std::int64_t thread = 0;
    access kind = access::unknown;
};

/// @brief Writes a line about a fault into `text`, without a zero; answers its length, 0 where it
/// has nothing to say. Called in a signal handler.
using fault_describer = std::size_t (*)(const memory_fault& fault, std::span<char> text) noexcept;

/// @brief From now on `describe` is asked about every SIGSEGV, and the handler that was there
/// before is called afterwards; with none, the program ends as it would have.
/// @par Errors  `bad_argument`: it is so already; `os_failure`
[[nodiscard]] result<void> report_faults(fault_describer describe) noexcept;
/// @brief The handler of before takes over again.
/// @par Errors  `bad_argument`: nothing is reported; `os_failure`
result<void> stop_reporting_faults() noexcept;

} // namespace palloc::inline v0
