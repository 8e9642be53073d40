// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <memory>

#include "commands.hpp"
#include "heaptrack_import.hpp"

namespace palloc::bench {

void add_import_command(CLI::App& program) {
    CLI::App* const command = program.add_subcommand(
        "import", "Makes a heap trace of a file that heaptrack recorded (.zst, .gz, raw or not).");
    struct files {
        std::string from;
        std::string to;
    };
    const auto given = std::make_shared<files>();
    command->add_option("file", given->from, "heaptrack's file")->type_name("FILE")->required();
    command->add_option("-o,--output", given->to, "Where the trace goes")
        ->type_name("FILE")
        ->required();
    command->callback([given] {
        const trace_writer::totals totals = import_heaptrack(given->from, given->to);
        fmt::print("{}: {} operations: {} allocations, {} bytes; at most {} bytes live\n",
                   given->to, totals.header.operations, totals.allocations, totals.allocated_bytes,
                   totals.header.peak_live_bytes);
    });
    command->footer(
        "heaptrack tells neither threads nor alignments, and writes a realloc as a\n"
        "free and an allocation: the trace has one thread. Its usual files name blocks\n"
        "by size and call stack, so lifetimes of blocks that share both may be\n"
        "exchanged; `heaptrack --raw` names every block.");
}

} // namespace palloc::bench
