// SPDX-License-Identifier: MIT
// palloc-bench: which allocator should a program have, measured on its own allocations.
#include <palloc/core/version.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fmt/format.h>

#include "commands.hpp"
#include "gzip_lines.hpp"
#include "jit_trace.hpp"

namespace {

constexpr int exit_usage = 2;

int complain(const std::exception& error, int status) {
    fmt::print(stderr, "palloc-bench: {}\n", error.what());
    return status;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App program("Which allocator serves a program best, measured on its own allocations.",
                     "palloc-bench");
    program.set_version_flag("--version", PALLOC_VERSION);
    program.require_subcommand(1);
    int status = EXIT_SUCCESS;
    palloc::bench::add_record_command(program, status);
    palloc::bench::add_import_command(program);
    palloc::bench::add_trace_command(program);
    palloc::bench::add_replay_command(program, status);
    palloc::bench::add_compare_command(program);
    palloc::bench::add_list_command(program);
    palloc::bench::add_golden_command(program, status);
    palloc::bench::add_jit_command(program);
    palloc::bench::add_micro_command(program, status);
    try {
        program.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return program.exit(error) == EXIT_SUCCESS ? EXIT_SUCCESS : exit_usage;
    } catch (const palloc::bench::usage_error& error) {
        return complain(error, exit_usage);
    } catch (const palloc::bench::trace_error& error) {
        return complain(error, exit_usage);
    } catch (const std::exception& error) {
        return complain(error, EXIT_FAILURE);
    }
    return status;
}
