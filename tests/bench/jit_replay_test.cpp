// SPDX-License-Identifier: MIT
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <unistd.h>

#include "palloc_bench/gzip_lines.hpp"
#include "palloc_bench/jit_trace.hpp"

using namespace palloc::bench;

namespace {

const std::filesystem::path traces = "bench/traces/jit";

struct trace_text {
    explicit trace_text(const std::string& text)
        : file(std::filesystem::temp_directory_path() /
               ("palloc-jit-" + std::to_string(::getpid()) + ".trace")) {
        std::ofstream(file) << "# palloc-jit-trace 1\n# program: test   ops: 1\n" << text;
    }
    ~trace_text() { std::filesystem::remove(file); }
    trace_text(const trace_text&) = delete;
    trace_text& operator=(const trace_text&) = delete;
    std::filesystem::path file;
};

} // namespace

BOOST_AUTO_TEST_SUITE(jit_replays)

BOOST_AUTO_TEST_CASE(luajit_flips_whole_areas) {
    const jit_figures told = replay_jit_trace(traces / "luajit.trace.gz");
    BOOST_TEST(told.operations == 17385u);
    BOOST_TEST(told.flips > 17000u);
    BOOST_TEST(told.rwx == 0u);
    BOOST_TEST(told.marks > 8000u);
}

BOOST_AUTO_TEST_CASE(node_wants_rwx_and_gets_two_views) {
    const jit_figures told = replay_jit_trace(traces / "node-wasm.trace.gz");
    BOOST_TEST(told.operations == 11721u);
    BOOST_TEST(told.rwx == 593u);
    BOOST_TEST(told.marks >= 593u);
}

BOOST_AUTO_TEST_CASE(parts_come_and_go) {
    const trace_text text(
        "m 0 16 ---\nu 0 0 3\nu 0 12 4\np 0 rw- 4 2\np 0 r-x 4 1\np 0 r-x\nu 0\n");
    const jit_figures told = replay_jit_trace(text.file);
    BOOST_TEST(told.operations == 7u);
    BOOST_TEST(told.changes == 3u);
}

BOOST_AUTO_TEST_CASE(what_is_no_trace_is_said) {
    for (const char* const text :
         {"x 0\n", "m 1 1 rw-\n", "m 0 0 rw-\n", "m 0 1 rwxx\n", "u 0\n", "m 0 2 rw-\nu 0 1 2\n",
          "m 0 2 rw-\nu 0 0 1\nu 0 0 1\n", "m 0 99999999999999999999 rw-\n"})
        BOOST_CHECK_THROW((void)replay_jit_trace(trace_text(text).file), trace_error);
}

BOOST_AUTO_TEST_SUITE_END()
