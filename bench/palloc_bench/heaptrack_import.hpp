// SPDX-License-Identifier: MIT
/// @file
/// @brief Reads the files of heaptrack, the recorder that people already have.
#pragma once

#include <cstddef>
#include <filesystem>

#include "trace_writer.hpp"

namespace palloc::bench {

/// @brief Writes a heap trace of what a heaptrack file says, compressed by zstd, gzip or not.
///
/// Both of heaptrack's formats are read. The raw one (`heaptrack --raw`) names blocks by address.
/// The interpreted one, heaptrack's usual, names them by size and call stack only: of blocks that
/// share both, a free is taken for the one allocated last, so sizes and peaks are right, and
/// lifetimes of such blocks may be exchanged. Neither has threads, alignments or reallocs, which
/// heaptrack writes as a free and an allocation: the trace has one thread and alignment 16.
/// @par Errors  throws `trace_error`, with the line of `from` where it is wrong
trace_writer::totals import_heaptrack(const std::filesystem::path& from,
                                      const std::filesystem::path& to);

} // namespace palloc::bench
