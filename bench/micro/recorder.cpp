// SPDX-License-Identifier: MIT
// What does being recorded cost a program? Real ones, alone and under `palloc-bench record`, in
// turn.
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <stdexcept>
#include <string>
#include <string_view>

#include "question.hpp"

namespace palloc::bench::micro {
namespace {

struct workload {
    std::string_view name;
    std::string_view needs;
    std::string_view command;
};

constexpr std::array workloads{
    workload{"sqlite3", "sqlite3",
             "sqlite3 :memory: 'create table t(a,b); with recursive c(x) as (select 1 union all "
             "select x+1 from c where x<150000) insert into t select x, hex(x) from c; create "
             "index i on t(b); select count(*) from t where b like \"%AB%\";'"},
    workload{
        "python3", "python3",
        "env PYTHONMALLOC=malloc python3 -c 'import json\nd = [{str(i): [str(i)] * 5} for i in "
        "range(60000)]\njson.loads(json.dumps(d))'"},
};

double seconds_of(const std::string& command) {
    const auto begin = std::chrono::steady_clock::now();
    if (std::system(command.c_str()) != 0)
        throw std::runtime_error("failed: " + command);
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

experiment running(const workload& what, bool is_recorded) {
    return {.name = fmt::format("recorder/{}/{}", what.name, is_recorded ? "recorded" : "alone"),
            .measure =
                [=](benchmark::State& state) {
                    if (std::system(fmt::format("command -v {} >/dev/null", what.needs).c_str()) !=
                        0)
                        throw std::runtime_error(fmt::format("no {}", what.needs));
                    std::string folder =
                        (std::filesystem::temp_directory_path() / "palloc-XXXXXX").string();
                    if (mkdtemp(folder.data()) == nullptr)
                        throw std::runtime_error("no folder for traces");
                    const std::string command =
                        is_recorded
                            ? fmt::format("{} record -q -o {}/t.trace.gz -- {} >/dev/null",
                                          std::filesystem::read_symlink("/proc/self/exe").string(),
                                          folder, what.command)
                            : fmt::format("{} >/dev/null", what.command);
                    while (state.KeepRunning())
                        state.SetIterationTime(seconds_of(command));
                    std::filesystem::remove_all(folder);
                },
            .times_itself = true,
            .iterations = 1,
            .repetitions = 5};
}

} // namespace

question ask_recorder() {
    question asked;
    for (const workload& each : workloads) {
        asked.experiments.push_back(running(each, false));
        asked.experiments.push_back(running(each, true));
        asked.bars.push_back({.text = fmt::format("{} recorded, times its time alone", each.name),
                              .wanted = demand::at_most,
                              .limit = 3,
                              .value = {fmt::format("recorder/{}/recorded", each.name)},
                              .per = reading{fmt::format("recorder/{}/alone", each.name)}});
    }
    return asked;
}

} // namespace palloc::bench::micro
