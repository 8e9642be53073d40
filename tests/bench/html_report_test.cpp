// SPDX-License-Identifier: MIT
// Reports of real programs, opened in a browser.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <palloc_bench/html_report.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
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

/// Bytes as the page writes them.
std::string in_words(std::uint64_t bytes) {
    const auto fixed = [](double number, int digits) {
        std::array<char, 32> text;
        const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, number);
        return std::string(text.data(), static_cast<std::size_t>(length));
    };
    const auto number = static_cast<double>(bytes);
    if (bytes >= 1048576)
        return fixed(number / 1048576, bytes < 10485760 ? 2 : 1) + " MiB";
    return bytes >= 1024 ? fixed(number / 1024, 1) + " KiB" : std::to_string(bytes) + " B";
}

/// A map's cell that is so full.
std::array<int, 3> colour_of(double share, bool dark) {
    const std::array<int, 3> empty = dark ? std::array{38, 48, 61} : std::array{226, 232, 240};
    const std::array<int, 3> full = dark ? std::array{110, 200, 255} : std::array{8, 74, 145};
    std::array<int, 3> made{};
    for (std::size_t i = 0; i != 3; ++i)
        made[i] =
            static_cast<int>(std::lround(empty[i] + (full[i] - empty[i]) * std::pow(share, 0.8)));
    return made;
}

/// Every chart has what the JSON says of the trace; so has what hovering over a map's cell shows.
void check_charts(const json& page, const json& figures, const json& trace) {
    const json& charts = page.at("charts");
    std::vector<json> cells;
    std::vector<json> detailed;
    for (const json& each : figures.at("benchmarks"))
        if (each.value("trace", "") == trace.at("name").get<std::string>()) {
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

    std::multiset<std::pair<double, double>> points, expected_points;
    for (const json& set : charts.at("scatter").at("datasets"))
        for (const json& each : set.at("data"))
            points.emplace(each.at("x"), each.at("y"));
    for (const json& each : cells)
        expected_points.emplace(each.at("real_time"),
                                each.at("peak_bytes").get<double>() / 1048576);
    BOOST_TEST((points == expected_points));
    std::vector<std::pair<double, double>> front, expected_front; // in their order
    for (const json& each : dataset(charts.at("scatter"), "Pareto front"))
        front.emplace_back(each.at("x"), each.at("y"));
    for (const json& name : trace.at("pareto_front")) {
        const auto member = std::find_if(cells.begin(), cells.end(), [&](const json& each) {
            return each.at("composition") == name;
        });
        BOOST_REQUIRE(member != cells.end());
        expected_front.emplace_back(member->at("real_time"),
                                    member->at("peak_bytes").get<double>() / 1048576);
    }
    BOOST_TEST((front == expected_front));
    // And they are those of the cells that none beats.
    for (const auto& [ns, mebibytes] : expected_points) {
        const bool beaten = std::any_of(
            expected_points.begin(), expected_points.end(), [&, x = ns, y = mebibytes](auto& by) {
                return by != std::pair(x, y) && by.first <= x && by.second <= y;
            });
        const bool marked =
            std::find(front.begin(), front.end(), std::pair(ns, mebibytes)) != front.end();
        BOOST_TEST(marked == !beaten);
    }
    const json& bars = dataset(charts.at("bars"), "ns an operation");
    BOOST_REQUIRE(bars.size() == cells.size());
    const json& spans = charts.at("bars").at("spans");
    BOOST_REQUIRE(spans.size() == cells.size());
    for (std::size_t i = 0; i != cells.size(); ++i) {
        BOOST_TEST(bars[i].get<double>() == cells[i].at("real_time").get<double>());
        const auto samples = cells[i].at("samples_ns").get<std::vector<double>>();
        const auto [least, most] = std::minmax_element(samples.begin(), samples.end());
        BOOST_TEST(spans[i].at(0).get<double>() == *least);
        BOOST_TEST(spans[i].at(1).get<double>() == *most);
    }
    for (const json& each : detailed) {
        const std::string label = shortened(each.at("composition"));
        const json& run = each.at("memory_over_run");
        const json& line = dataset(charts.at("memory"), label);
        BOOST_REQUIRE(line.size() == run.size());
        for (std::size_t i = 0; i != run.size(); ++i)
            BOOST_REQUIRE(line[i].at("y").get<double>() ==
                          run[i].at("held_bytes").get<double>() / 1048576);
        using points_of_line = std::vector<std::pair<double, double>>;
        points_of_line telling, fragmentation;
        for (const json& moment : run)
            if (!moment.at("fragmentation").is_null())
                telling.emplace_back(moment.at("operation"), moment.at("fragmentation"));
        if (!telling.empty())
            for (const json& point : dataset(charts.at("fragmentation"), label))
                fragmentation.emplace_back(point.at("x"), point.at("y"));
        BOOST_TEST((fragmentation == telling));
        for (const auto& [chart, kind] :
             {std::pair(&charts.at("latency"), "allocate"), {&page.at("frees"), "free"}}) {
            const json& percentiles = dataset(*chart, label);
            BOOST_REQUIRE(percentiles.size() == 5u);
            std::size_t i = 0;
            for (const char* const mark : {"p50", "p90", "p99", "p99.9", "max"})
                BOOST_TEST(percentiles[i++].get<double>() ==
                               std::max(each.at("latency_ns").at(kind).at(mark).get<double>(), 1.0),
                           kind << " " << mark);
        }
        // A class that only others have is a gap.
        std::vector<double> sizes, expected_sizes;
        for (const json& at : dataset(charts.at("sizes"), label))
            if (!at.is_null())
                sizes.push_back(at.get<double>());
        for (const json& size : each.at("size_classes"))
            expected_sizes.push_back(std::max(size.at("ns").get<double>(), 1.0));
        BOOST_TEST(sizes == expected_sizes, boost::test_tools::per_element());
    }
    for (const auto& [id, name] : {std::pair("map-worst", "map_worst"), {"map-end", "map_end"}}) {
        const json& seen = charts.at(id).at("datasets").at(0).at("data");
        const auto mapped = std::find_if(detailed.begin(), detailed.end(), [&](const json& each) {
            return each.at("composition") == trace.at("winner");
        });
        const json& map = (mapped == detailed.end() ? detailed.front() : *mapped).at(name);
        const json& live = map.at("cell_live_bytes");
        BOOST_REQUIRE(seen.size() == live.size());
        const auto cell_bytes = map.at("cell_bytes").get<std::uint64_t>();
        const auto rest = map.at("range_bytes").get<std::uint64_t>() % cell_bytes;
        for (std::size_t i = 0; i != seen.size(); ++i) {
            const bool is_short = i + 1 == seen.size() && rest != 0;
            BOOST_REQUIRE(
                seen[i].at("share").get<double>() ==
                std::min(live[i].get<double>() / static_cast<double>(is_short ? rest : cell_bytes),
                         1.0));
        }
        if (seen.empty())
            continue;
        const json& colours = page.at("colours").at(id);
        BOOST_TEST(colours.size() >= std::min<std::size_t>(seen.size(), 9));
        for (const json& cell : colours) {
            const auto index = cell.at("index").get<std::size_t>();
            const auto expected =
                colour_of(seen[index].at("share").get<double>(), page.at("theme") == "dark");
            for (std::size_t i = 0; i != 3; ++i)
                BOOST_TEST(std::abs(cell.at("rgb").at(i).get<int>() - expected[i]) <= 1,
                           id << ", cell " << index << ": " << cell.at("rgb").dump());
        }
        const json& hover = page.at("hover").at(id);
        const auto index = hover.at("index").get<std::size_t>();
        BOOST_TEST(hover.at("opacity").get<double>() > 0);
        const auto begin = index * cell_bytes;
        const auto range = map.at("range_bytes").get<std::uint64_t>();
        const std::string percent = std::to_string(
            static_cast<int>(std::floor(100 * seen[index].at("share").get<double>() + 0.5)));
        const std::vector<std::string> lines{
            in_words(begin) + " to " + in_words(std::min(begin + cell_bytes, range)),
            percent + " % full: " + in_words(live[index].get<std::uint64_t>()) + " live",
            map.at("cell_blocks").at(index).dump() + " blocks begin here",
            "largest free stretch " +
                in_words(map.at("cell_largest_free_bytes").at(index).get<std::uint64_t>())};
        BOOST_TEST(hover.at("lines").get<std::vector<std::string>>() == lines,
                   boost::test_tools::per_element());
    }
}

json look_at(const palloc::test::temporary_file& html) {
    const auto looked = run_shell("/usr/bin/python3 -B tests/bench/look_at_report.py " +
                                  html.path().string() + " " + screenshots().string());
    BOOST_REQUIRE_MESSAGE(looked.status == 0, looked.output);
    json seen = json::parse(looked.output.substr(looked.output.find('{')));
    BOOST_TEST(seen.at("errors").dump() == "[]");
    return seen;
}

void need_a_browser() {
    if (run_shell("command -v chromium && command -v chromedriver && /usr/bin/python3 -c 'import "
                  "selenium'")
            .status != 0)
        palloc::test::skip("no chromium, chromedriver or python3-selenium");
}

std::string record(const palloc::test::temporary_file& to, const std::string& program) {
    const auto got =
        palloc_bench("record -q -o " + to.path().string() + " -- " + program + " >/dev/null");
    BOOST_REQUIRE_MESSAGE(got.status == 0, got.output);
    return to.path().string();
}

} // namespace

BOOST_AUTO_TEST_CASE(from_programs_to_their_report) {
    need_a_browser();
    for (const char* const program : {"sqlite3", "python3", "xz"})
        if (run_shell(std::string("command -v ") + program).status != 0)
            palloc::test::skip(std::string("no ") + program);
    const palloc::test::temporary_file sqlite("", "sqlite3.trace.gz");
    const palloc::test::temporary_file python("", "python3.trace.gz");
    const palloc::test::temporary_file xz("", "xz.trace.gz");
    const std::string traces =
        record(sqlite, "sqlite3 :memory: 'create table t(a,b); with recursive c(x) as (select 1 "
                       "union all select x+1 from c where x<4000) insert into t select x, hex(x) "
                       "from c; select b, count(*) from t group by a % 7;'") +
        ' ' +
        record(python, "env PYTHONMALLOC=malloc python3 -c 'import json; d = [{str(i): [i] * 5} "
                       "for i in range(1000)]; json.loads(json.dumps(d))'") +
        ' ' +
        record(xz, "sh -c 'head -c 2000000 /dev/urandom >" + xz.path().string() +
                       ".in; exec xz -0 -T3 --block-size=400000 -kfc " + xz.path().string() +
                       ".in'");
    const palloc::test::temporary_file html("", "report.html");
    const palloc::test::temporary_file figures_file("", "report.json");
    const auto ran = palloc_bench(
        "replay --repeat 2 --pool '^general|^std::|best_fit-indexed|first_fit-boundary' --trace " +
        traces + " --html " + html.path().string() + " --json " + figures_file.path().string());
    BOOST_TEST(ran.status == 0, ran.output);
    BOOST_TEST(ran.output.find("report: " + html.path().string()) != std::string::npos);
    const json figures = json::parse(content_of(figures_file.path()));
    BOOST_REQUIRE(figures.at("traces").size() == 3u);
    BOOST_TEST(figures.at("traces").at(2).at("threads") > 1);
    const json seen = look_at(html);
    for (const std::string& view : views) {
        BOOST_REQUIRE(seen.at(view).size() == 3u);
        BOOST_TEST(std::filesystem::file_size(screenshots() / ("report-" + view + ".png")) >
                   10000u);
        for (std::size_t i = 0; i != 3; ++i)
            BOOST_TEST_CONTEXT(view << ", trace " << i) {
                const json& page = seen.at(view).at(i);
                const json& trace = figures.at("traces").at(i);
                check_charts(page, figures, trace);
                BOOST_TEST(page.at("overflow").get<int>() <= 0); // nothing to scroll to the side
                BOOST_TEST(page.at("theme") == view.substr(view.find('-') + 1));
                BOOST_TEST(page.at("outside").dump() == "[]"); // it needs nothing else
                BOOST_TEST(page.at("winner") == trace.at("winner"));
                BOOST_TEST(page.at("reason") == trace.at("reason"));
                BOOST_TEST(page.at("cpp") == trace.at("cpp"));
                for (const char* const fact :
                     {"compiler", "commit", "kernel", "command", "host_name", "cpu"})
                    BOOST_TEST(page.at("context").get<std::string>().find(
                                   figures.at("context").at(fact).get<std::string>()) !=
                               std::string::npos);
            }
    }
}

BOOST_AUTO_TEST_CASE(the_page_names_who_failed_and_why) {
    need_a_browser();
    const palloc::test::temporary_file comb(palloc::test::comb_trace(), "comb.trace");
    const palloc::test::temporary_file html("", "limited.html");
    BOOST_REQUIRE(palloc_bench("replay --quiet --repeat 1 --limit 32K --pool "
                               "'^best_fit-indexed-mmap$|new_delete' --trace " +
                               comb.path().string() + " --html " + html.path().string())
                      .status == 0);
    const json seen = look_at(html);
    for (const std::string& view : views) {
        const std::string failed = seen.at(view).at(0).at("failed");
        // First at an operation, full, fragmented, what happened; the texts of a row's cells.
        BOOST_TEST(failed.find("50404 requests refused") != std::string::npos, failed);
        BOOST_TEST(failed.find("46088 requests refused") != std::string::npos, failed);
    }
}

BOOST_AUTO_TEST_CASE(page_keeps_what_would_end_its_script) {
    const std::string page =
        palloc::bench::html_of({{"evil", "</script><script>alert(1)</script><!--"}});
    BOOST_TEST(page.find("alert(1)</script>") == std::string::npos);
    BOOST_TEST(page.find("\\u003c/script>") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(figures_that_name_a_place_of_the_page_stay_figures) {
    const std::string page = palloc::bench::html_of({{"program", "/*CHARTS*//*STYLE*/"}});
    BOOST_TEST(page.find("\"/*CHARTS*//*STYLE*/\"") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_missing_library_is_named) {
    BOOST_CHECK_EXCEPTION((void)palloc::bench::empty_page("/nowhere/chart.js"), std::runtime_error,
                          [](const std::runtime_error& error) {
                              return std::string(error.what()).starts_with("/nowhere/chart.js: ");
                          });
}
