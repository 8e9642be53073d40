// SPDX-License-Identifier: MIT
// Reports of real programs, opened in a browser.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <palloc_bench/html_report.hpp>
#include <string>
#include <vector>

#include "bench_program.hpp"
#include "support/skip.hpp"
#include "trace_file.hpp"

using nlohmann::json;
using palloc::test::content_of;
using palloc::test::palloc_bench;
using palloc::test::run_shell;

namespace {

const std::vector<std::string> views{"desktop-light", "desktop-dark", "phone-light", "phone-dark"};

/// Screenshots stay in the build folder.
std::filesystem::path screenshots() {
    return std::filesystem::path(palloc::test::palloc_bench_path()).parent_path().parent_path() /
           "screenshots";
}

const json& dataset(const json& chart, const std::string& label) {
    for (const json& each : chart.at("datasets"))
        if (each.at("label") == label)
            return each.at("data");
    BOOST_FAIL("no line " + label);
    std::abort();
}

std::string shortened(std::string name) {
    for (const std::string part : {"std::pmr::", "_resource"})
        if (const auto at = name.find(part); at != std::string::npos)
            name.erase(at, part.size());
    return name;
}

/// Every chart has what the JSON says of the first trace.
void check_charts(const json& charts, const json& figures) {
    const json& trace = figures.at("traces").at(0);
    std::vector<json> cells;
    std::vector<json> detailed;
    for (const json& each : figures.at("benchmarks"))
        if (each.value("trace", "") == trace.at("name")) {
            if (each.value("comparable", false))
                cells.push_back(each);
            if (each.contains("memory_over_run"))
                detailed.push_back(each);
        }
    BOOST_REQUIRE(!detailed.empty());
    for (const auto& [id, chart] : charts.items()) {
        BOOST_TEST(chart.at("drawn") == true, id);
        BOOST_TEST(chart.at("width").get<double>() > 200, id);
        BOOST_TEST(chart.at("height").get<double>() > 50, id);
    }
    BOOST_TEST(charts.size() == 8u);

    std::size_t points = 0;
    for (const json& each : charts.at("scatter").at("datasets"))
        points += each.at("data").size();
    BOOST_TEST(points == cells.size());
    BOOST_TEST(dataset(charts.at("scatter"), "Pareto front").size() ==
               trace.at("pareto_front").size());
    const json& bars = dataset(charts.at("bars"), "ns an operation");
    BOOST_REQUIRE(bars.size() == cells.size());
    for (std::size_t i = 0; i != cells.size(); ++i)
        BOOST_TEST(bars[i].get<double>() == cells[i].at("real_time").get<double>());
    for (const json& each : detailed) {
        const std::string label = shortened(each.at("composition"));
        const json& run = each.at("memory_over_run");
        const json& line = dataset(charts.at("memory"), label);
        BOOST_REQUIRE(line.size() == run.size());
        for (std::size_t i = 0; i != run.size(); ++i)
            BOOST_REQUIRE(line[i].at("y").get<double>() ==
                          run[i].at("held_bytes").get<double>() / 1048576);
        const auto telling = std::count_if(run.begin(), run.end(), [](const json& at) {
            return !at.at("fragmentation").is_null();
        });
        if (telling != 0)
            BOOST_TEST(dataset(charts.at("fragmentation"), label).size() ==
                       static_cast<std::size_t>(telling));
        const json& allocate = each.at("latency_ns").at("allocate");
        const json& percentiles = dataset(charts.at("latency"), label);
        BOOST_REQUIRE(percentiles.size() == 5u);
        BOOST_TEST(percentiles[2].get<double>() == std::max(allocate.at("p99").get<double>(), 1.0));
        const json& sizes = dataset(charts.at("sizes"), label);
        const auto shown =
            std::count_if(sizes.begin(), sizes.end(), [](const json& at) { return !at.is_null(); });
        BOOST_TEST(static_cast<std::size_t>(shown) == each.at("size_classes").size());
    }
    for (const auto& [id, name] : {std::pair("map-worst", "map_worst"), {"map-end", "map_end"}}) {
        const json& seen = charts.at(id).at("datasets").at(0).at("data");
        const auto mapped = std::find_if(detailed.begin(), detailed.end(), [&](const json& each) {
            return each.at("composition") == trace.at("winner");
        });
        const json& map = (mapped == detailed.end() ? detailed.front() : *mapped).at(name);
        const json& live = map.at("cell_live_bytes");
        BOOST_REQUIRE(seen.size() == live.size());
        for (std::size_t i = 0; i + 1 < seen.size(); ++i)
            BOOST_REQUIRE(
                seen[i].at("share").get<double>() ==
                std::min(live[i].get<double>() / map.at("cell_bytes").get<double>(), 1.0));
    }
}

void check_report(const std::string& name, const std::string& trace, const std::string& options) {
    if (run_shell("command -v chromium && command -v chromedriver && /usr/bin/python3 -c 'import "
                  "selenium'")
            .status != 0)
        palloc::test::skip("no chromium, chromedriver or python3-selenium");
    const palloc::test::temporary_file html("", name + ".html");
    const palloc::test::temporary_file figures_file("", name + ".json");
    const auto ran = palloc_bench("replay " + options + " --trace " + trace + " --html " +
                                  html.path().string() + " --json " + figures_file.path().string());
    BOOST_TEST(ran.status == 0, ran.output);
    BOOST_TEST(ran.output.find("report: " + html.path().string()) != std::string::npos);
    const auto looked = run_shell("/usr/bin/python3 -B tests/bench/look_at_report.py " +
                                  html.path().string() + " " + screenshots().string());
    BOOST_REQUIRE_MESSAGE(looked.status == 0, looked.output);
    const json seen = json::parse(looked.output.substr(looked.output.find('{')));
    const json figures = json::parse(content_of(figures_file.path()));
    BOOST_TEST(seen.at("errors").dump() == "[]");
    for (const std::string& view : views)
        BOOST_TEST_CONTEXT(view) {
            const json& page = seen.at(view);
            check_charts(page.at("charts"), figures);
            BOOST_TEST(page.at("overflow").get<int>() <= 0); // nothing to scroll to the side
            BOOST_TEST(page.at("theme") == view.substr(view.find('-') + 1));
            BOOST_TEST(page.at("outside").dump() == "[]"); // it needs nothing else
            BOOST_TEST(page.at("winner") == figures.at("traces").at(0).at("winner"));
            BOOST_TEST(page.at("reason") == figures.at("traces").at(0).at("reason"));
            BOOST_TEST(page.at("cpp") == figures.at("traces").at(0).at("cpp"));
            for (const char* const fact : {"compiler", "commit", "kernel", "command"})
                BOOST_TEST(page.at("context").get<std::string>().find(
                               figures.at("context").at(fact).get<std::string>()) !=
                           std::string::npos);
            BOOST_TEST(std::filesystem::file_size(screenshots() / (name + "-" + view + ".png")) >
                       10000u);
        }
}

std::string record(const palloc::test::temporary_file& to, const std::string& program) {
    const auto got =
        palloc_bench("record -q -o " + to.path().string() + " -- " + program + " >/dev/null");
    BOOST_REQUIRE_MESSAGE(got.status == 0, got.output);
    return to.path().string();
}

const std::string few = "--repeat 3 --pool '^general|^std::|best_fit-indexed|first_fit-boundary'";

} // namespace

BOOST_AUTO_TEST_CASE(sqlite_from_program_to_report) {
    if (run_shell("command -v sqlite3").status != 0)
        palloc::test::skip("no sqlite3");
    const palloc::test::temporary_file trace("", "sqlite3.trace.gz");
    check_report("sqlite3",
                 record(trace,
                        "sqlite3 :memory: 'create table t(a,b); with recursive c(x) as "
                        "(select 1 union all select x+1 from c where x<20000) insert into t "
                        "select x, hex(x) from c; select b, count(*) from t group by a % 7;'"),
                 few);
}

BOOST_AUTO_TEST_CASE(python_from_program_to_report) {
    const palloc::test::temporary_file trace("", "python3.trace.gz");
    check_report("python3",
                 record(trace, "env PYTHONMALLOC=malloc python3 -c 'import json; d = [{str(i): "
                               "[i] * 5} for i in range(4000)]; json.loads(json.dumps(d))'"),
                 few);
}

BOOST_AUTO_TEST_CASE(threads_from_program_to_report) {
    if (run_shell("command -v xz").status != 0)
        palloc::test::skip("no xz");
    const palloc::test::temporary_file trace("", "xz.trace.gz");
    check_report("xz",
                 record(trace, "sh -c 'head -c 3000000 /dev/urandom >" + trace.path().string() +
                                   ".in; exec xz -0 -T3 --block-size=400000 -kfc " +
                                   trace.path().string() + ".in'"),
                 few);
}

BOOST_AUTO_TEST_CASE(page_keeps_what_would_end_its_script) {
    const std::string page =
        palloc::bench::html_of({{"evil", "</script><script>alert(1)</script><!--"}});
    BOOST_TEST(page.find("alert(1)</script>") == std::string::npos);
    BOOST_TEST(page.find("\\u003c/script>") != std::string::npos);
}
