// SPDX-License-Identifier: MIT
// The C++ that reports show compiles, for every composition there is, and runs.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <palloc_bench/commands.hpp>
#include <palloc_bench/paste.hpp>
#include <set>
#include <sstream>
#include <string>

#include "bench_program.hpp"
#include "trace_file.hpp"

namespace bench = palloc::bench;

namespace {

const std::string compile = "g++ -std=c++20 -Wall -Wextra -Werror -Iinclude -Ibench/palloc_bench ";

} // namespace

BOOST_AUTO_TEST_CASE(every_composition_compiles_as_it_is_shown) {
    std::set<std::string> includes;
    std::string bodies;
    int number = 0;
    for (const bench::composition* each : bench::compositions_matching(".")) {
        std::istringstream lines(bench::cpp_of(*each, "program " + std::to_string(number)));
        bodies += "namespace n" + std::to_string(number++) + " {\n";
        for (std::string line; std::getline(lines, line);)
            if (line.starts_with("#include"))
                includes.insert(line + '\n');
            else
                bodies += line + '\n';
        bodies += "}\n";
    }
    std::string all;
    for (const std::string& each : includes)
        all += each;
    const palloc::test::temporary_file file(all + bodies, "all.cpp");
    const auto got = palloc::test::run_shell(compile + "-fsyntax-only " + file.path().string());
    BOOST_TEST(got.status == 0, got.output);
}

BOOST_AUTO_TEST_CASE(winner_of_a_replay_compiles_and_serves_a_container) {
    const palloc::test::temporary_file json("", "out.json");
    BOOST_REQUIRE(palloc::test::palloc_bench("replay --quiet --repeat 1 --pool '^general_purpose$' "
                                             "--trace bench/traces/sqlite.trace.gz --json " +
                                             json.path().string())
                      .status == 0);
    const auto figures = nlohmann::json::parse(palloc::test::content_of(json.path()));
    const auto& trace = figures.at("traces").at(0);
    BOOST_TEST(trace.at("winner") == "general_purpose");
    const palloc::test::temporary_file file(
        trace.at("cpp").get<std::string>() + "int main() { use_sqlite_memory(); }\n", "w.cpp");
    const std::string program = (file.path().parent_path() / "w").string();
    std::string library = palloc::test::palloc_bench_path();
    library = std::filesystem::path(library).parent_path().parent_path() / "src" / "libpalloc.a";
    const auto built = palloc::test::run_shell(compile + file.path().string() + " " + library +
                                               " -lpthread -o " + program);
    BOOST_TEST(built.status == 0, built.output);
    BOOST_TEST(palloc::test::run_shell(program).status == 0);
}
