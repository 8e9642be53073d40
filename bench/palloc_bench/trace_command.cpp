// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <memory>

#include "commands.hpp"
#include "trace_summary.hpp"

namespace palloc::bench {

void add_trace_command(CLI::App& program) {
    CLI::App* const command = program.add_subcommand(
        "trace", "What is in heap traces: operations, threads, sizes, lifetimes, peak, frees on "
                 "other threads, growth by realloc.");
    const auto files = std::make_shared<std::vector<std::string>>();
    command->add_option("file", *files, "Heap traces")->type_name("FILE")->required();
    command->callback([files] {
        for (const std::string& file : *files)
            fmt::print("{}\n", text_of(summarize_trace(file)));
    });
}

} // namespace palloc::bench
