// SPDX-License-Identifier: MIT
#include <csignal>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

#include <sys/resource.h>
#include <sys/wait.h>

#include "commands.hpp"
#include "recording.hpp"

namespace palloc::bench {
namespace {

struct record_arguments {
    recording_options options;
    bool quiet = false;
};

void tell(const recorded_program& what) {
    const trace_writer::totals& totals = what.totals;
    fmt::print(stderr,
               "palloc-bench: {}: {} operations of {} threads: {} allocations, {} bytes; at most "
               "{} bytes live\n",
               what.file.string(), totals.header.operations, totals.header.threads,
               totals.allocations, totals.allocated_bytes, totals.header.peak_live_bytes);
    if (totals.unknown_releases != 0)
        fmt::print(stderr, "palloc-bench: {} frees of blocks from before the recording left out\n",
                   totals.unknown_releases);
}

/// Ends as the program did, a signal included, but without a second core file.
void end_like(int wait_status, int& status) {
    if (WIFEXITED(wait_status)) {
        status = WEXITSTATUS(wait_status);
        return;
    }
    const rlimit nothing{0, 0};
    setrlimit(RLIMIT_CORE, &nothing);
    std::fflush(nullptr);
    std::signal(WTERMSIG(wait_status), SIG_DFL);
    std::raise(WTERMSIG(wait_status));
}

void run(const record_arguments& given, int& status) {
    const recording got = record(given.options);
    if (!given.quiet)
        for (const recorded_program& each : got.programs)
            tell(each);
    for (const std::string& why : got.missed)
        fmt::print(stderr, "palloc-bench: not recorded: {}\n", why);
    if (!got.why_not_own.empty())
        fmt::print(stderr, "palloc-bench: nothing was recorded of the program itself: {}\n",
                   got.why_not_own);
    else if (!got.has_own)
        fmt::print(stderr,
                   "palloc-bench: {}: nothing was recorded of the program itself; it has an "
                   "allocator of its own linked in, or started another program{}\n",
                   given.options.command.front(),
                   given.options.follow ? "" : " (--follow records those)");
    end_like(got.wait_status, status);
}

} // namespace

void add_record_command(CLI::App& program, int& status) {
    CLI::App* const command =
        program.add_subcommand("record", "Runs a program and records its allocations, for replay: "
                                         "palloc-bench record -o FILE -- PROGRAM ARGUMENTS...");
    const auto given = std::make_shared<record_arguments>();
    command->add_option("-o,--output", given->options.file, "Where the trace goes")
        ->type_name("FILE")
        ->required();
    command->add_flag("--follow", given->options.follow,
                      "Record child processes too, each to FILE with its process number before "
                      "the suffix");
    command->add_flag("-q,--quiet", given->quiet, "Say nothing where all went well");
    command->add_option("program", given->options.command, "Program and arguments, behind --")
        ->required();
    command->positionals_at_end();
    command->footer(
        "Recorded are malloc, calloc, realloc, reallocarray, free, memalign, aligned_alloc,\n"
        "posix_memalign, valloc and pvalloc, and with them operator new and delete, of all\n"
        "threads, in the one order in which they happened. The program must be dynamically\n"
        "linked, and not set-uid. Its output and signals are its own; the exit status is the\n"
        "program's. A program that crashes leaves a valid trace up to there.");
    command->callback([given, &status] { run(*given, status); });
}

} // namespace palloc::bench
