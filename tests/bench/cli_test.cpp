// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <string>

#include "bench_program.hpp"
#include "support/skip.hpp"
#include "trace_file.hpp"

using palloc::test::expect;
using palloc::test::palloc_bench;
using palloc::test::run_result;
using palloc::test::run_shell;
using palloc::test::temporary_file;
using palloc::test::tiny_trace;

namespace {

/// Runs it on a terminal of its own, by script of util-linux; what was drawn is in the output.
run_result on_a_terminal(const std::string& arguments) {
    if (run_shell("command -v script").status != 0)
        palloc::test::skip("no script of util-linux");
    return run_shell("script -qec '" + palloc::test::palloc_bench_path() + " " + arguments +
                     "' /dev/null </dev/null");
}

const std::string some_rounds =
    "replay --repeat 10 --pool new_delete --trace bench/traces/sqlite.trace.gz";

} // namespace

BOOST_AUTO_TEST_CASE(help_everywhere) {
    expect("--help", 0, "replay");
    expect("replay --help", 0, "--budget");
    expect("replay --help", 0, "subtracted");
    expect("list --help", 0, "--pool");
    expect("golden --help", 0, "--repaired");
    expect("micro --help", 0, "--strict");
    expect("record --help", 0, "--follow");
    expect("trace --help", 0, "lifetimes");
    expect("import --help", 0, "--output");
    expect("compare --help", 0, "--confidence");
    expect("jit --help", 0, "rwx");
    expect("--version", 0, ".");
}

BOOST_AUTO_TEST_CASE(wrong_arguments_exit_with_2) {
    expect("", 2, "subcommand");
    expect("dance", 2, "subcommand");
    expect("replay --no-such-option", 2, "--no-such-option");
    expect("replay --repeat 0", 2, "--repeat");
    expect("replay --repeat many", 2, "--repeat");
    expect("replay --budget -1", 2, "--budget");
    expect("replay --baseline nobody", 2, "--baseline nobody");
    expect("replay --threads 0", 2, "--threads");
    expect("replay --limit many", 2, "--limit");
    expect("replay --html /nowhere/file.html", 2, "/nowhere/file.html: cannot be written");
    expect("record -- true", 2, "--output");
    expect("record -o /tmp/x.trace.gz -- /nowhere/program", 2, "/nowhere/program: no such program");
    expect("trace /nowhere.trace.gz", 2, "/nowhere.trace.gz: cannot be opened");
    expect("compare /nowhere/a.json /nowhere/b.json", 2, "/nowhere/a.json: cannot be opened");
    expect("import /nowhere.zst -o /tmp/x.trace.gz", 2, "/nowhere.zst: cannot be opened");
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

BOOST_AUTO_TEST_CASE(own_composition_is_listed_and_replayed_with_the_others) {
    expect("list --pool '^from_the_top'", 0, "from_the_top-flat-mmap");
    expect("list --pool '^from_the_top'", 0, "decltype(palloc::bench::from_the_top)");
    const temporary_file file(palloc::test::comb_trace(), "comb.trace");
    const temporary_file json("", "out.json");
    expect("replay --repeat 2 --pool '^from_the_top|^first_fit-flat-mmap$' --trace " +
               file.path().string() + " --json " + json.path().string(),
           0, "from_the_top-flat-mmap");
    const nlohmann::json figures = nlohmann::json::parse(palloc::test::content_of(json.path()));
    std::set<std::string> whole;
    for (const auto& each : figures.at("benchmarks"))
        if (each.value("comparable", false) && each.at("failures") == 0)
            whole.insert(each.at("composition"));
    BOOST_TEST(whole.contains("from_the_top-flat-mmap"), figures.at("benchmarks").dump());
    BOOST_TEST(whole.contains("first_fit-flat-mmap"));
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

BOOST_AUTO_TEST_CASE(every_option_of_replay_leaves_its_figures) {
    const temporary_file file(palloc::test::gzip(tiny_trace), "tiny.trace.gz");
    const temporary_file json("", "out.json");
    const std::string arguments = "replay --repeat 2 --pool '^general|^std::' --latency --perf "
                                  "--limit 64M --baseline general_purpose_shared --trace " +
                                  file.path().string() + " --json " + json.path().string();
    const run_result got = palloc_bench(arguments);
    BOOST_TEST(got.status == 0);
    for (const char* const text : {"p99.9", "ratio: of time to general_purpose_shared"})
        BOOST_TEST(got.output.find(text) != std::string::npos, text);
    const bool has_counters = got.output.find("--perf: skipped") == std::string::npos;
    std::ifstream in(json.path());
    const nlohmann::json figures = nlohmann::json::parse(in);
    for (const auto& each : figures.at("benchmarks")) {
        // tiny: three allocations, a resize, two frees and what is left.
        BOOST_TEST(each.at("latency_ns").at("allocate").at("calls") == 4);
        BOOST_TEST(each.at("latency_ns").at("free").at("calls") == 4);
        BOOST_TEST(each.at("perf").contains("instructions") == has_counters);
        BOOST_TEST(each.at("samples_peak_bytes").size() == 2u);
    }
    BOOST_TEST(figures.at("traces").at(0).at("baseline") == "general_purpose_shared");
    BOOST_TEST(figures.at("context").at("command").get<std::string>().find("--perf") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(threads_replays_as_many_copies) {
    const temporary_file file("# palloc-heap-trace 1\n# program: one   threads: 1   ops: 2   "
                              "peak-live-bytes: 24   peak-live-blocks: 1\na 0 24 16 0\nf 0 0\n");
    const temporary_file json("", "out.json");
    expect("replay --quiet --repeat 1 --threads 3 --pool '^general_purpose_shared$' --trace " +
               file.path().string() + " --json " + json.path().string(),
           0, "");
    std::ifstream in(json.path());
    const nlohmann::json trace = nlohmann::json::parse(in).at("traces").at(0);
    BOOST_TEST(trace.at("threads") == 3);
    BOOST_TEST(trace.at("operations") == 6);
    BOOST_TEST(trace.at("peak_live_bytes") == 72);
}

BOOST_AUTO_TEST_CASE(trace_and_import_tell_what_is_in_a_file) {
    const temporary_file file(palloc::test::gzip(tiny_trace), "tiny.trace.gz");
    expect("trace " + file.path().string(), 0,
           "operations    6: 3 allocations, 2 frees, 1 reallocs");
    const temporary_file heaptrack("v 10400 3\nX program --flag\na 10 0\n+ 0\n- 0\n", "h.txt");
    const temporary_file to("", "h.trace.gz");
    expect("import " + heaptrack.path().string() + " -o " + to.path().string(), 0,
           "2 operations: 1 allocations, 16 bytes; at most 16 bytes live");
    expect("trace " + to.path().string(), 0, "program --flag");
}

BOOST_AUTO_TEST_CASE(quiet_says_nothing) {
    const temporary_file file(palloc::test::gzip(tiny_trace), "tiny.trace.gz");
    const run_result got =
        palloc_bench("replay --quiet --repeat 1 --pool new_delete --trace " + file.path().string());
    BOOST_TEST(got.status == 0);
    BOOST_TEST(got.output == "");
}

BOOST_AUTO_TEST_CASE(limit_tells_who_fails_first_and_why) {
    // 64 blocks of 1000 bytes: 100 KiB hold them, 32 KiB are full.
    std::string text = "# palloc-heap-trace 1\n# program: pile   threads: 1   ops: 64   "
                       "peak-live-bytes: 64000   peak-live-blocks: 64\n";
    for (int id = 0; id != 64; ++id)
        text += "a " + std::to_string(id) + " 1000 16 0\n";
    const temporary_file file(text, "pile.trace");
    const std::string arguments =
        "replay --repeat 1 --pool 'best_fit-indexed-mmap$' --trace " + file.path().string();
    const run_result enough = palloc_bench(arguments + " --limit 100K");
    BOOST_TEST(enough.output.find("who fails first") == std::string::npos, enough.output);
    const run_result little = palloc_bench(arguments + " --limit 32K");
    BOOST_TEST(little.output.find("at operation 33; 32 requests refused: 32 full, 0 fragmented") !=
                   std::string::npos,
               little.output);
}

BOOST_AUTO_TEST_CASE(limit_tells_fragmented_from_full) {
    const temporary_file file(palloc::test::comb_trace(), "comb.trace");
    const temporary_file json("", "out.json");
    const run_result got =
        palloc_bench("replay --repeat 1 --pool '^best_fit-indexed-mmap$|monotonic' --limit 32K "
                     "--trace " +
                     file.path().string() + " --json " + json.path().string());
    BOOST_TEST(got.status == 0);
    std::ifstream in(json.path());
    const nlohmann::json figures = nlohmann::json::parse(in);
    BOOST_REQUIRE(figures.at("benchmarks").size() == 2u);
    for (const auto& each : figures.at("benchmarks")) {
        BOOST_TEST(each.at("failures") > 0, each.dump());
        BOOST_TEST(each.at("failures_fragmented") == each.at("failures"), each.dump());
        BOOST_TEST(each.at("failures_full") == 0);
    }
    BOOST_TEST(got.output.find("0 full, 8 fragmented") != std::string::npos, got.output);
}

BOOST_AUTO_TEST_CASE(a_terminal_is_shown_how_far_it_is) {
    const run_result got = on_a_terminal(some_rounds);
    BOOST_TEST(got.status == 0);
    const std::regex line(R"(\r\x1b\[K\[(#*) *\] +(\d+) %, (\d+) s left  sqlite)");
    int last_percent = 0;
    std::size_t lines = 0;
    for (std::sregex_iterator at(got.output.begin(), got.output.end(), line), end; at != end;
         ++at, ++lines) {
        const int percent = std::atoi((*at)[2].str().c_str());
        BOOST_TEST(percent >= last_percent);
        BOOST_TEST(percent <= 100);
        BOOST_TEST(std::abs((*at)[1].length() - percent * 24 / 100) <= 1);
        last_percent = percent;
    }
    BOOST_TEST(lines >= 2u, got.output);
    BOOST_TEST(last_percent > 0);
    // It is taken away before the table.
    const auto erased = got.output.rfind("\r\x1b[K");
    BOOST_TEST(got.output.find("s left", erased) == std::string::npos);
    BOOST_TEST(got.output.find("ns/op") > erased);
}

BOOST_AUTO_TEST_CASE(nobody_else_is_shown_progress) {
    const run_result piped = palloc_bench(some_rounds);
    BOOST_TEST(piped.status == 0);
    BOOST_TEST(piped.output.find_first_of("\r\x1b") == std::string::npos);
    BOOST_TEST(piped.output.find(" left") == std::string::npos);
    const run_result quiet = on_a_terminal(some_rounds + " --quiet");
    BOOST_TEST(quiet.status == 0);
    BOOST_TEST(quiet.output == "");
}

BOOST_AUTO_TEST_CASE(ctrl_c_ends_with_what_was_finished) {
    const temporary_file json("", "out.json");
    const run_result got = palloc::test::run_shell(
        "timeout -s INT 8 " + palloc::test::palloc_bench_path() +
        " replay --full --pool '^general|^std::' --json " + json.path().string());
    BOOST_TEST(got.output.find("Winners") != std::string::npos, got.output);
    BOOST_TEST(got.output.find("interrupted") != std::string::npos, got.output);
    std::ifstream in(json.path());
    BOOST_TEST(nlohmann::json::parse(in).at("traces").size() >= 1u);
}
