// SPDX-License-Identifier: MIT
// palloc-bench record on real programs.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <palloc_bench/ring_reader.hpp>
#include <palloc_bench/trace_reader.hpp>
#include <palloc_bench/trace_summary.hpp>
#include <regex>
#include <string>
#include <unistd.h>
#include <vector>

#include <sys/mman.h>

#include "bench_program.hpp"
#include "recorded.hpp"
#include "support/skip.hpp"
#include "trace_file.hpp"

namespace bench = palloc::bench;
using palloc::test::is_there;
using palloc::test::lives_by_size;
using palloc::test::palloc_bench;
using palloc::test::run_result;
using palloc::test::run_shell;
using palloc::test::workplace;

namespace {

const std::string sql =
    "\"create table t(a,b); with recursive c(x) as (select 1 union all select x+1 from c where "
    "x<3000) insert into t select x, hex(x) from c; select count(*), sum(a) from t;\"";

std::uint64_t number_before(const std::string& text, const std::string& word) {
    const std::regex pattern("([0-9,]+) " + word);
    std::smatch found;
    BOOST_REQUIRE(std::regex_search(text, found, pattern));
    std::string digits = found[1];
    digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
    return std::stoull(digits);
}

} // namespace

BOOST_AUTO_TEST_CASE(sqlite_is_recorded_as_valgrind_counts_it) {
    if (!(is_there("sqlite3")))
        palloc::test::skip("no sqlite3");
    if (!(is_there("valgrind")))
        palloc::test::skip("no valgrind");
    const workplace work;
    const std::string program = "sqlite3 :memory: " + sql;
    const run_result got = palloc_bench("record -q -o " + work / "s.trace.gz" + " -- " + program);
    BOOST_TEST(got.status == 0);
    BOOST_TEST(got.output == run_shell(program).output); // and nothing else
    const bench::trace_summary seen = bench::summarize_trace(work / "s.trace.gz");
    const std::string counted = run_shell("valgrind " + program).output;
    BOOST_TEST(seen.allocations + seen.resizes == number_before(counted, "allocs,"));
    BOOST_TEST(seen.allocated_bytes == number_before(counted, "bytes allocated"));
    BOOST_TEST(seen.threads == 1u);
    BOOST_TEST(seen.program.starts_with("sqlite3 :memory: create table"));
}

BOOST_AUTO_TEST_CASE(python_is_recorded_and_replayed) {
    const workplace work;
    const run_result got =
        palloc_bench("record -q -o " + work / "p.trace.gz" +
                     " -- env PYTHONMALLOC=malloc python3 -c 'print(sum(map(len, map(str, "
                     "range(20000)))))'");
    BOOST_TEST(got.status == 0);
    BOOST_TEST(got.output == "88890\n");
    const bench::trace_summary seen = bench::summarize_trace(work / "p.trace.gz");
    BOOST_TEST(seen.allocations > 20000u); // env, which executed python, is not in it
    BOOST_TEST(seen.program.find("python") != std::string::npos);
    palloc::test::expect("replay --repeat 1 --pool '^general_purpose$|new_delete' --trace " +
                             work / "p.trace.gz",
                         0, "general_purpose");
}

BOOST_AUTO_TEST_CASE(threads_are_told_apart) {
    if (!(is_there("xz")))
        palloc::test::skip("no xz");
    const workplace work;
    const run_result got = palloc_bench(
        "record -q -o " + work / "x.trace.gz" + " -- sh -c 'head -c 4000000 /dev/zero >" +
        work / "zeros" + "; exec xz -0 -T3 --block-size=500000 -kf " + work / "zeros'");
    BOOST_TEST(got.status == 0);
    BOOST_TEST(got.output == "");
    BOOST_TEST(bench::summarize_trace(work / "x.trace.gz").threads >= 3u);
    palloc::test::expect("replay --repeat 1 --pool '^general_purpose_shared$' --trace " +
                             work / "x.trace.gz",
                         0, "general_purpose_shared");
}

BOOST_AUTO_TEST_CASE(every_form_of_asking_is_recorded) {
    const workplace work;
    const std::string program = palloc::test::beside_the_tests("every_form");
    BOOST_TEST(
        palloc_bench("record -q --follow -o " + work / "e.trace.gz" + " -- " + program).status ==
        0);
    auto own = lives_by_size(work / "e.trace.gz");
    const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
    const std::string page_aligned = std::to_string(page);
    const std::map<std::string, std::string> alignments{
        {"5001", "16"},
        {"5005", "16"},         // calloc
        {"5011", "64"},         // memalign
        {"5120", "128"},        // aligned_alloc
        {"5021", "256"},        // posix_memalign
        {"5023", page_aligned}, // valloc
        {std::to_string((5003 + page - 1) / page * page), page_aligned},
        {"5031", "16"}, // reallocarray
        {"5051", "16"},
        {"6007", "r"},
        {"5059", "16"}, // freed by a resize to nothing
        {"5039", "16"}, // operator new, and new[]
        {"5043", "16"},
        {"5632", "512"}, // with std::align_val_t, and new[]
        {"5888", "256"},
        {"5047", "16"}, // with std::nothrow
    };
    for (const auto& [size, alignment] : alignments)
        BOOST_TEST_CONTEXT(size) {
            BOOST_REQUIRE(own.contains(size));
            BOOST_TEST(own[size].alignment == alignment);
            BOOST_TEST(own[size].born_on == "0");
            BOOST_TEST(own[size].died_on == "0");
        }
    BOOST_REQUIRE(own.contains("5081"));
    BOOST_TEST(own["5081"].born_on == "1"); // and freed on another thread
    BOOST_TEST(own["5081"].died_on == "0");
    BOOST_TEST(own["5087"].born_on == "0"); // lives on here, whatever the child does
    BOOST_TEST(own["5087"].died_on == "");
    BOOST_TEST(!own.contains("5099"));

    const auto traces = work.traces();
    BOOST_REQUIRE(traces.size() == 2u);
    auto child = lives_by_size(traces[traces[0].filename() == "e.trace.gz" ? 1 : 0]);
    BOOST_TEST(child["5099"].died_on == "0");
    BOOST_TEST(!child.contains("5087"));
    BOOST_TEST(!child.contains("5001"));

    palloc::test::expect("trace " + work / "e.trace.gz", 0, "threads       2; ");
}

BOOST_AUTO_TEST_CASE(a_killed_threads_ticket_is_passed_over) {
    // Tickets 0 to 3 were drawn; who drew the third was killed before it published.
    const workplace work;
    namespace record = palloc::record;
    const std::string name = work / "ring";
    {
        const bench::descriptor file(open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        BOOST_REQUIRE(ftruncate(file.get(), sizeof(record::ring)) == 0);
        void* const mapped =
            mmap(nullptr, sizeof(record::ring), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
        BOOST_REQUIRE(mapped != MAP_FAILED);
        auto& ring = *static_cast<record::ring*>(mapped);
        std::strcpy(ring.command, "killed");
        for (const std::uint64_t ticket : {0u, 1u, 3u}) {
            record::event& event = ring.at(ticket);
            event.address = 4096 * (ticket + 1);
            event.bytes = 100 + ticket;
            event.thread = static_cast<std::uint32_t>(ticket % 2 + 1);
            event.kind = record::event_kind::allocate;
            event.alignment_log2 = 4;
            event.published.store(ticket + 1);
        }
        ring.tickets.store(4);
        munmap(mapped, sizeof(record::ring));
    }
    bench::ring_reader reader(name, getpid(), 0, work / "hole.trace.gz");
    BOOST_TEST(reader.read_some(10) == 2u); // while it may yet be published, it is waited for
    BOOST_TEST(reader.read_some(10) == 0u);
    BOOST_TEST(reader.finish().allocated_bytes == 100u + 101 + 103);
    BOOST_TEST(bench::read_trace(work / "hole.trace.gz").operation_count() == 3u);
}

BOOST_AUTO_TEST_CASE(follow_records_each_process_in_its_own_file) {
    if (!(is_there("sqlite3")))
        palloc::test::skip("no sqlite3");
    const workplace work;
    const std::string command =
        " -- bash -c 'sqlite3 :memory: \"select 1\"; sqlite3 :memory: \"select 2\"; :'";
    BOOST_TEST(palloc_bench("record -q -o " + work / "one.trace.gz" + command).output == "1\n2\n");
    BOOST_TEST(work.traces().size() == 1u);
    BOOST_TEST(palloc_bench("record -q --follow -o " + work / "all.trace.gz" + command).output ==
               "1\n2\n");
    std::size_t sqlites = 0;
    for (const auto& file : work.traces())
        sqlites += bench::read_trace_header(file).program.starts_with("sqlite3");
    BOOST_TEST(sqlites == 2u);
}

BOOST_AUTO_TEST_CASE(heaptrack_says_the_same) {
    if (!(is_there("heaptrack") && is_there("sqlite3")))
        palloc::test::skip("no heaptrack or no sqlite3");
    const workplace work;
    const std::string program = "sqlite3 :memory: " + sql;
    for (const std::string raw : {"", "--raw "}) {
        const std::string name = raw.empty() ? "usual" : "raw";
        BOOST_REQUIRE(run_shell("heaptrack " + raw + "-o " + work / name + " " + program).status ==
                      0);
        std::string recorded;
        for (const auto& entry : std::filesystem::directory_iterator(work.folder()))
            if (entry.path().filename().native().starts_with(name))
                recorded = entry.path().string();
        palloc::test::expect("import " + recorded + " -o " + work / (name + ".trace.gz"), 0,
                             "operations");
    }
    BOOST_REQUIRE(palloc_bench("record -q -o " + work / "own.trace.gz" + " -- " + program).status ==
                  0);
    const auto usual = bench::summarize_trace(work / "usual.trace.gz");
    const auto raw = bench::summarize_trace(work / "raw.trace.gz");
    const auto own = bench::summarize_trace(work / "own.trace.gz");
    BOOST_TEST(usual.allocated_bytes == raw.allocated_bytes);
    BOOST_TEST(usual.peak_live_bytes == raw.peak_live_bytes);
    // heaptrack brings libstdc++ into the program, which reserves memory for exceptions.
    constexpr std::uint64_t reserve = 72704;
    const std::uint64_t more = raw.allocated_bytes - own.allocated_bytes;
    BOOST_TEST((more == 0 || more == reserve), more);
}
