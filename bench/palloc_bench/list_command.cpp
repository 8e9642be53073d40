// SPDX-License-Identifier: MIT
#include <fmt/format.h>
#include <memory>

#include "commands.hpp"
#include "composition.hpp"
#include "trace_reader.hpp"

namespace palloc::bench {
namespace {

void list(const std::string& pools) {
    const auto chosen = compositions_matching(pools);
    fmt::print("Traces\n");
    for (const auto& file : bundled_traces()) {
        const trace_header header = read_trace_header(file);
        fmt::print("  {:10} {:7} operations, {:2} threads: {}\n", trace_name(file),
                   header.operations, header.threads, header.program);
    }
    fmt::print("\nCompositions (+: may be shared by threads)\n");
    for (const composition* each : chosen)
        fmt::print("  {} {}\n      {}\n", each->is_concurrent ? '+' : ' ', each->name, each->cpp);
}

} // namespace

void add_list_command(CLI::App& program) {
    CLI::App* const command =
        program.add_subcommand("list", "The bundled traces, and the compositions with their C++.");
    const auto pools = std::make_shared<std::string>(".");
    command->add_option("--pool", *pools, "Only compositions whose name this REGEX finds")
        ->type_name("REGEX");
    command->callback([pools] { list(*pools); });
}

} // namespace palloc::bench
