// SPDX-License-Identifier: MIT
#include "measuring.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <exception>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <unistd.h>
#include <utility>

namespace palloc::bench::micro {
namespace {

constexpr double repetition_seconds = 0.02;

/// Keeps the figures of all repetitions, and in the end shows the least and the median.
class reporter final : public benchmark::BenchmarkReporter {
  public:
    reporter(std::ostream& table, std::ostream* json_file, std::size_t name_columns)
        : console_(&table == &std::cout && isatty(STDOUT_FILENO) != 0
                       ? benchmark::ConsoleReporter::OO_Color
                       : benchmark::ConsoleReporter::OO_None),
          name_columns_(name_columns) {
        SetOutputStream(&table);
        console_.SetOutputStream(&table);
        if (json_file != nullptr) {
            json_ = std::make_unique<benchmark::JSONReporter>();
            json_->SetOutputStream(json_file);
        }
    }

    bool ReportContext(const Context& context) override {
        Context narrow = context;
        narrow.name_field_width = name_columns_;
        std::stringstream facts;
        console_.SetErrorStream(&facts);
        const bool go_on = console_.ReportContext(narrow);
        for (std::string line; std::getline(facts, line);)
            if (!line.starts_with("***WARNING*** Library was built as DEBUG")) // no loop is in it
                GetOutputStream() << line << std::endl;
        return go_on && (!json_ || json_->ReportContext(context));
    }

    void ReportRuns(const std::vector<Run>& runs) override {
        for (Run run : runs) {
            if (run.run_type == Run::RT_Iteration)
                keep(run);
            benchmark::BenchmarkName plain; // the rest of it says how it was measured
            plain.function_name = std::move(run.run_name.function_name);
            run.run_name = std::move(plain);
            runs_.push_back(std::move(run));
        }
    }

    /// Interleaved benchmarks end in any order.
    void Finalize() override {
        std::ranges::stable_sort(runs_, {}, &Run::family_index);
        std::vector<Run> shown;
        std::ranges::copy_if(runs_, std::back_inserter(shown), [](const Run& run) {
            return run.repetitions == 1 || run.aggregate_name == "min" ||
                   run.aggregate_name == "median";
        });
        console_.ReportRuns(shown);
        console_.Finalize();
        if (json_) {
            json_->ReportRuns(runs_);
            json_->Finalize();
        }
    }

    [[nodiscard]] const figures& measured() const noexcept { return measured_; }

  private:
    void keep(const Run& run) {
        samples& kept = measured_[run.run_name.function_name];
        const bool by_processor = run.run_name.time_type.empty();
        kept.ns.push_back(by_processor ? run.GetAdjustedCPUTime() : run.GetAdjustedRealTime());
        for (const auto& [counter, value] : run.counters)
            kept.counters[counter].push_back(value);
    }

    benchmark::ConsoleReporter console_;
    std::unique_ptr<benchmark::JSONReporter> json_;
    std::size_t name_columns_;
    std::vector<Run> runs_;
    figures measured_;
};

void enter(const experiment& it, outcome& got) {
    const auto run = [&](benchmark::State& state) {
        try {
            it.measure(state);
        } catch (const not_on_this_machine& reason) {
            state.SkipWithError(reason.what());
            got.skipped[it.name] = reason.what();
        } catch (const std::exception& error) {
            state.SkipWithError(error.what());
            got.failed[it.name] = error.what();
        }
    };
    auto* const entry = benchmark::RegisterBenchmark(it.name.c_str(), run);
    entry->Repetitions(it.repetitions);
    if (it.iterations != 0)
        entry->Iterations(it.iterations);
    else
        entry->MinTime(repetition_seconds);
    if (it.times_itself)
        entry->UseManualTime();
    entry->ComputeStatistics(
        "min", [](const std::vector<double>& times) { return std::ranges::min(times); });
}

void interleave_repetitions() {
    std::array<char*, 2> flags{const_cast<char*>("palloc-bench"),
                               const_cast<char*>("--benchmark_enable_random_interleaving=true")};
    int count = flags.size();
    benchmark::Initialize(&count, flags.data());
}

} // namespace

outcome measure(const std::vector<experiment>& experiments, std::ostream& table,
                std::ostream* json_file) {
    interleave_repetitions();
    outcome got;
    std::size_t name_columns = 0;
    for (const experiment& each : experiments) {
        enter(each, got);
        name_columns = std::max(name_columns, each.name.size() + std::string("_median").size());
    }
    reporter shown(table, json_file, name_columns);
    benchmark::RunSpecifiedBenchmarks(&shown);
    benchmark::ClearRegisteredBenchmarks();
    got.measured = shown.measured();
    for (const auto* unmeasured : {&got.failed, &got.skipped})
        for (const auto& [name, why] : *unmeasured)
            got.measured.erase(name);
    return got;
}

} // namespace palloc::bench::micro
