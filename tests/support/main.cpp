// SPDX-License-Identifier: MIT
/// @file
/// @brief The main of every test program: Boost.Test runs the cases, stdout is their TAP report.
///
/// What failed and where is on stderr. A case that asserts nothing has failed.
#include <boost/cstdlib.hpp>
#include <boost/test/execution_monitor.hpp>
#include <boost/test/results_collector.hpp>
#include <boost/test/tree/observer.hpp>
#include <boost/test/tree/traverse.hpp>
#include <boost/test/tree/visitor.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <utility>

#if defined(_WIN32)
#include <fcntl.h>
#include <io.h>
#endif

#include "skip.hpp"

namespace {

namespace ut = boost::unit_test;

class tap_reporter final : public ut::test_observer {
  public:
    void skip_case(std::string why) { skipped_ = std::move(why); }
    [[nodiscard]] bool all_passed() const { return !failed_; }

    // Boost calls observers in ascending priority; ours looks at what its collector (3) has
    // counted.
    int priority() override { return 4; }

    void test_start(ut::counter_t cases, ut::test_unit_id) override {
        std::printf("1..%lu\n", static_cast<unsigned long>(cases));
    }

    void test_unit_start(const ut::test_unit& unit) override {
        skipped_.reset();
        if (unit.p_type == ut::TUT_CASE)
            line("# " + name_of(unit)); // the last one names the case that a crash was in
    }

    void test_unit_finish(const ut::test_unit& unit, unsigned long) override {
        if (unit.p_type != ut::TUT_CASE)
            return;
        const ut::test_results& results = ut::results_collector.results(unit.p_id);
        const bool asserts = results.p_assertions_passed + results.p_assertions_failed != 0;
        if (!results.passed())
            report("not ok", unit);
        else if (skipped_)
            report("ok", unit, " # SKIP " + *skipped_);
        else if (asserts)
            report("ok", unit);
        else
            report("not ok", unit, " (it asserts nothing)");
    }

    void test_unit_skipped(const ut::test_unit& unit, ut::const_string why) override {
        struct visitor final : ut::test_tree_visitor {
            void visit(const ut::test_case& unit) override {
                self->report("ok", unit, " # SKIP " + why);
            }
            tap_reporter* self{};
            std::string why;
        } each_case;
        each_case.self = this;
        each_case.why.assign(why.begin(), why.end());
        ut::traverse_test_tree(unit, each_case);
    }

  private:
    // '#' would begin a directive.
    static std::string name_of(const ut::test_unit& unit) {
        std::string name = unit.full_name();
        std::replace(name.begin(), name.end(), '#', '.');
        return name;
    }

    void report(std::string verdict, const ut::test_unit& unit, const std::string& remark = {}) {
        failed_ = failed_ || verdict != "ok";
        line(verdict + " " + std::to_string(++reported_) + " - " + name_of(unit) + remark);
    }

    // Flushed, so that neither a crash loses a line nor a forked child repeats it.
    static void line(const std::string& text) {
        std::puts(text.c_str());
        std::fflush(stdout);
    }

    std::optional<std::string> skipped_;
    unsigned long reported_ = 0;
    bool failed_ = false;
};

tap_reporter& reporter() {
    static tap_reporter instance;
    return instance;
}

bool init() {
    ut::framework::register_observer(reporter());
    return true;
}

} // namespace

void palloc::test::skip(std::string why) {
    reporter().skip_case(std::move(why));
    throw boost::execution_aborted(); // how Boost ends a case without calling it failed
}

namespace {

void set_unless_set(const char* name, const char* value) {
#if defined(_WIN32)
    if (std::getenv(name) == nullptr)
        (void)_putenv_s(name, value);
#else
    setenv(name, value, 0);
#endif
}

} // namespace

int main(int argc, char* argv[]) {
#if defined(_WIN32)
    _setmode(_fileno(stdout), _O_BINARY); // lines end as everywhere
#endif
    // stdout is the report's, and signals belong to the tests and the sanitizers.
    set_unless_set("BOOST_TEST_LOG_SINK", "stderr");
    set_unless_set("BOOST_TEST_CATCH_SYSTEM_ERRORS", "no");
    set_unless_set("BOOST_TEST_COLOR_OUTPUT", "no");
    const int status = ut::unit_test_main(&init, argc, argv);
    return status == boost::exit_success && reporter().all_passed() ? EXIT_SUCCESS : EXIT_FAILURE;
}
