// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include <sys/wait.h>

#include "trace_file.hpp"

using palloc::test::temporary_file;
using palloc::test::tiny_trace;

namespace {

struct run_result {
    int status = -1;
    std::string output; ///< standard output and error
};

/// Runs the palloc-bench that was built beside this test.
run_result palloc_bench(const std::string& arguments) {
    static const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bench" /
         "palloc-bench")
            .string();
    run_result got;
    std::FILE* const pipe = popen((program + " " + arguments + " 2>&1").c_str(), "r");
    BOOST_REQUIRE(pipe != nullptr);
    std::array<char, 4096> part;
    while (const std::size_t bytes = std::fread(part.data(), 1, part.size(), pipe))
        got.output.append(part.data(), bytes);
    const int status = pclose(pipe);
    got.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return got;
}

void expect(const std::string& arguments, int status, std::string_view text) {
    const run_result got = palloc_bench(arguments);
    BOOST_TEST(got.status == status, arguments << ": " << got.status);
    BOOST_TEST(got.output.find(text) != std::string::npos,
               arguments << ": '" << text << "' in " << got.output);
}

} // namespace

BOOST_AUTO_TEST_CASE(help_everywhere) {
    expect("--help", 0, "replay");
    expect("replay --help", 0, "--budget");
    expect("replay --help", 0, "subtracted");
    expect("list --help", 0, "--pool");
    expect("golden --help", 0, "--repaired");
    expect("--version", 0, ".");
}

BOOST_AUTO_TEST_CASE(wrong_arguments_exit_with_2) {
    expect("", 2, "subcommand");
    expect("dance", 2, "subcommand");
    expect("replay --no-such-option", 2, "--no-such-option");
    expect("replay --repeat 0", 2, "--repeat");
    expect("replay --repeat many", 2, "--repeat");
    expect("replay --budget -1", 2, "--budget");
    expect("replay --pool '('", 2, "--pool '('");
    expect("replay --pool nobody_is_called_so", 2, "no composition");
    expect("list --pool nobody_is_called_so", 2, "no composition");
    expect("replay --trace /nowhere.trace.gz", 2, "/nowhere.trace.gz: cannot be opened");
    expect("golden", 2, "FILE");
    expect("golden /nowhere.trace.gz", 2, "/nowhere.trace.gz: cannot be opened");
    expect("replay --json /nowhere/file.json", 2, "/nowhere/file.json: cannot be written");
}

BOOST_AUTO_TEST_CASE(damaged_trace_exits_with_2_and_its_line) {
    const temporary_file file(std::string(tiny_trace) + "f 3 9\n");
    expect("replay --trace " + file.path().string(), 2,
           "tiny.trace:9: more operations than the header's 6");
}

BOOST_AUTO_TEST_CASE(golden_mismatch_exits_with_1) {
    const auto with_answer = [](const std::string& place) {
        return "# palloc-trace 1\npool 4 first_fit\nchunk 0x10000 4096 0xffffffffffffffff\n"
               "a 0 16 0 " +
               place + '\n';
    };
    const temporary_file same(with_answer("0x10000"));
    const temporary_file other(with_answer("0x10010"));
    const temporary_file damaged(with_answer("nowhere"));
    expect("golden " + same.path().string(), 0, "2 operations; mismatches: flat 0");
    expect("golden " + other.path().string(), 1, "flat 1");
    expect("golden " + damaged.path().string(), 2, "tiny.trace:4: ");
}

BOOST_AUTO_TEST_CASE(list_names_traces_and_compositions) {
    expect("list", 0, "sqlite");
    expect("list", 0, "std::pmr::monotonic_buffer_resource");
    const run_result some = palloc_bench("list --pool new_delete");
    BOOST_TEST(some.output.find("monotonic") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(replay_writes_tables_and_json) {
    const temporary_file file(palloc::test::gzip(tiny_trace), "tiny.trace.gz");
    const temporary_file json("", "out.json");
    expect("replay --repeat 2 --pool '^std::' --trace " + file.path().string() + " --json " +
               json.path().string(),
           0, "Winners");
    std::ifstream in(json.path());
    const nlohmann::json figures = nlohmann::json::parse(in);
    std::set<std::string> names;
    for (const auto& each : figures.at("benchmarks")) {
        names.insert(each.at("name"));
        BOOST_TEST(each.at("iterations") == 6);
        BOOST_TEST(each.at("repetitions") == 2);
    }
    // The trace has two threads.
    const std::set<std::string> expected{"tiny/std::pmr::new_delete_resource",
                                         "tiny/std::pmr::synchronized_pool_resource"};
    BOOST_TEST((names == expected));
}
