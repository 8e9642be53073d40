// SPDX-License-Identifier: MIT
// Writing, summarizing and rearranging traces.
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <numeric>
#include <ostream>
#include <palloc_bench/heaptrack_import.hpp>
#include <palloc_bench/trace_reader.hpp>
#include <palloc_bench/trace_summary.hpp>
#include <palloc_bench/trace_writer.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "bench_program.hpp"
#include "trace_file.hpp"

namespace bench = palloc::bench;
namespace data = boost::unit_test::data;
using palloc::test::temporary_file;

namespace {

std::string text_of(const std::filesystem::path& file) {
    bench::gzip_lines lines(file);
    std::string text;
    for (std::string_view line; lines.next(line);)
        text += std::string(line) + '\n';
    return text;
}

} // namespace

BOOST_AUTO_TEST_CASE(writer_makes_the_text_that_addresses_tell) {
    std::mt19937_64 random(palloc::test::seed());
    for (const std::size_t threads : {1u, 5u}) {
        const auto expected = palloc::test::make_random_trace(random, threads, 20000);
        const temporary_file file("", "w.trace.gz");
        bench::trace_writer writer(file.path(), "at random");
        std::map<std::uint64_t, std::uint64_t> address_of; // by id
        std::uint64_t next_address = 16;
        for (const auto& step : expected.steps) {
            const std::uint64_t thread = step.thread + 100;
            if (step.kind == 'f') {
                writer.release(address_of[step.id], thread);
            } else if (step.kind == 'a') {
                writer.allocate(address_of[step.id] = next_address += 16, step.bytes,
                                step.alignment, thread);
            } else {
                writer.begin_resize(address_of[step.old_id], thread);
                writer.end_resize(address_of[step.id] = next_address += 16, step.bytes, thread);
            }
        }
        const auto totals = writer.finish();
        BOOST_TEST(text_of(file.path()) == expected.text);
        BOOST_TEST(totals.header.peak_live_bytes == expected.peak_live_bytes);
        BOOST_TEST(bench::read_trace(file.path()).operation_count() == expected.steps.size());
    }
}

BOOST_AUTO_TEST_CASE(writer_makes_the_best_of_what_it_missed) {
    const temporary_file file("", "w.trace.gz");
    bench::trace_writer writer(file.path(), "two\nlines");
    writer.release(64, 1); // from before the recording
    writer.allocate(64, 100, 16, 1);
    writer.allocate(64, 50, 16, 1); // its free was missed
    writer.begin_resize(64, 1);
    writer.allocate(64, 10, 32, 2); // has the address before the resize returns
    writer.end_resize(128, 70, 1);
    writer.begin_resize(128, 1);
    writer.end_resize(0, 1 << 20, 1); // failed: the block lives on
    writer.begin_resize(128, 1);
    writer.release(128, 1); // to size 0
    writer.begin_resize(256, 2);
    writer.end_resize(256, 30, 2); // of a block from before
    writer.begin_resize(64, 2);    // never returns
    const auto totals = writer.finish();
    BOOST_TEST(text_of(file.path()) ==
               "# palloc-heap-trace 1\n"
               "# program: two lines   threads: 2   ops: 8   peak-live-bytes: 100   "
               "peak-live-blocks: 2\n"
               "a 0 100 16 0\nf 0 0\na 1 50 16 0\na 2 10 32 1\nr 1 3 70 0\nf 3 0\na 4 30 16 1\n"
               "f 2 1\n");
    BOOST_TEST(totals.unknown_releases == 1u);
    BOOST_TEST(totals.missed_releases == 1u);
    (void)bench::read_trace(file.path());
}

BOOST_AUTO_TEST_CASE(unfinished_trace_is_refused) {
    const temporary_file file("", "w.trace.gz");
    {
        bench::trace_writer writer(file.path(), "cut");
        writer.allocate(16, 1, 16, 0);
    }
    BOOST_CHECK_THROW((void)bench::read_trace(file.path()), bench::trace_error);
}

BOOST_AUTO_TEST_CASE(summary_counts_what_the_steps_are) {
    std::mt19937_64 random(palloc::test::seed());
    const auto expected = palloc::test::make_random_trace(random, 3, 30000);
    const temporary_file file(expected.text);
    const bench::trace_summary got = bench::summarize_trace(file.path());
    std::map<char, std::uint64_t> kinds;
    std::map<std::uint64_t, std::pair<std::size_t, std::size_t>> born; // thread, step
    std::map<std::uint64_t, std::uint64_t> bytes, resizes;
    std::vector<std::uint64_t> sizes, by_thread(expected.threads), ages;
    std::uint64_t allocated = 0, cross = 0, grown = 0, shrunk = 0, over_aligned = 0, copied = 0;
    std::uint64_t longest = 0, live = 0, peak = 0, peak_at = 0;
    for (std::size_t i = 0; i != expected.steps.size(); ++i) {
        const auto& step = expected.steps[i];
        ++kinds[step.kind];
        ++by_thread[step.thread];
        const std::uint64_t old = step.kind == 'r' ? step.old_id : step.id;
        if (step.kind != 'a') {
            const auto [thread, begun] = born[old];
            cross += thread != step.thread;
            ages.push_back(i - begun);
            live -= bytes[old];
        }
        if (step.kind == 'r') {
            grown += step.bytes > bytes[old];
            shrunk += step.bytes < bytes[old];
            copied += std::min(step.bytes, bytes[old]);
            longest = std::max(longest, resizes[step.id] = resizes[old] + 1);
        }
        if (step.kind != 'f') {
            born[step.id] = {step.thread, i};
            bytes[step.id] = step.bytes;
            sizes.push_back(step.bytes);
            allocated += step.bytes;
            over_aligned += step.alignment > 16;
            live += step.bytes;
        }
        if (live > peak) {
            peak = live;
            peak_at = i + 1;
        }
    }
    const auto aged = [&](std::size_t least, std::size_t most) {
        return static_cast<std::uint64_t>(std::count_if(
            ages.begin(), ages.end(), [&](auto age) { return least <= age && age <= most; }));
    };
    std::sort(sizes.begin(), sizes.end());
    // The size that so many percent of the others do not exceed.
    const auto percentile = [&](std::size_t percent) {
        return sizes[(sizes.size() - 1) * percent / 100];
    };
    BOOST_TEST(got.operations == 30000u);
    BOOST_TEST(got.allocations == kinds['a']);
    BOOST_TEST(got.releases == kinds['f']);
    BOOST_TEST(got.resizes == kinds['r']);
    BOOST_TEST(got.allocated_bytes == allocated);
    BOOST_TEST(got.cross_thread == cross);
    BOOST_TEST(got.grown == grown);
    BOOST_TEST(got.shrunk == shrunk);
    BOOST_TEST(got.copied_bytes == copied);
    BOOST_TEST(got.longest_growth == longest);
    BOOST_TEST(longest > 2u);
    BOOST_TEST(got.lived.to_16 == aged(0, 16));
    BOOST_TEST(got.lived.to_256 == aged(17, 256));
    BOOST_TEST(got.lived.to_4096 == aged(257, 4096));
    BOOST_TEST(got.lived.to_65536 == aged(4097, 65536));
    BOOST_TEST(got.lived.longer == 0u); // the next case has such
    BOOST_TEST(got.size_p50 == percentile(50));
    BOOST_TEST(got.size_p90 == percentile(90));
    BOOST_TEST(got.size_p99 == percentile(99));
    BOOST_TEST(got.threads == 3u);
    BOOST_TEST(got.by_thread == by_thread, boost::test_tools::per_element());
    BOOST_TEST(got.peak_at == peak_at);
    BOOST_TEST(got.live_bytes_at_end == live);
    BOOST_TEST(got.lived.never == expected.left_over);
    BOOST_TEST(got.over_aligned == over_aligned);
    BOOST_TEST(got.peak_live_bytes == expected.peak_live_bytes);
    BOOST_TEST(got.size_max == 299u);
    std::uint64_t from = 0;
    for (std::size_t i = 0; i != got.by_size.size(); ++i) {
        const std::uint64_t to = std::uint64_t{1} << i;
        const auto first = std::lower_bound(sizes.begin(), sizes.end(), from);
        const auto last = std::upper_bound(sizes.begin(), sizes.end(), to);
        BOOST_TEST(got.by_size[i].blocks == static_cast<std::uint64_t>(last - first), to);
        BOOST_TEST(got.by_size[i].bytes == std::accumulate(first, last, std::uint64_t{0}), to);
        from = to + 1;
    }
    const std::string text = bench::text_of(got);
    for (const char* const word : {"lifetimes", "reallocs", "peak", "thread 0"})
        BOOST_TEST(text.find(word) != std::string::npos, word);
}

BOOST_AUTO_TEST_CASE(summary_of_a_trace_by_hand) {
    // A hundred blocks of 1 to 100 bytes, of which the first lives longest and one grows twice.
    std::string body;
    std::size_t operations = 0;
    const auto line = [&](const std::string& text) {
        body += text + '\n';
        ++operations;
    };
    for (int i = 0; i != 100; ++i)
        line("a " + std::to_string(i) + ' ' + std::to_string(i + 1) + " 16 0");
    line("r 99 100 200 0");
    line("r 100 101 300 0"); // most are live: 1 to 99, and 300
    line("r 101 102 10 0");
    for (int i = 0; i != 33000; ++i) {
        line("a " + std::to_string(103 + i) + " 5 16 0");
        line("f " + std::to_string(103 + i) + " 0");
    }
    line("f 0 0"); // 66103 operations old
    line("f 1 0");
    const temporary_file file("# palloc-heap-trace 1\n# program: by hand   threads: 1   ops: " +
                              std::to_string(operations) +
                              "   peak-live-bytes: 5250   peak-live-blocks: 101\n" + body);
    const bench::trace_summary got = bench::summarize_trace(file.path());
    BOOST_TEST(got.peak_live_bytes == 5250u);
    BOOST_TEST(got.peak_at == 102u);
    BOOST_TEST(got.grown == 2u);
    BOOST_TEST(got.shrunk == 1u);
    BOOST_TEST(got.copied_bytes == 100u + 200 + 10);
    BOOST_TEST(got.longest_growth == 3u);
    BOOST_TEST(got.lived.to_16 == 33000u + 3);
    BOOST_TEST(got.lived.longer == 2u);
    BOOST_TEST(got.lived.never == 98u);
    BOOST_TEST(got.size_p50 == 5u);
    BOOST_TEST(got.size_max == 300u);
    BOOST_TEST(got.live_bytes_at_end == 4950u - 3 + 10);
    BOOST_TEST(got.by_size[9].peak_live_bytes == 300u); // 257 to 512
    const std::string text = bench::text_of(got);
    BOOST_TEST(text.find("peak          5250 bytes at operation 102; 101 blocks") !=
                   std::string::npos,
               text);
    BOOST_TEST(text.find("reallocs      2 grow, 1 shrink; 310 bytes to copy; one block had 3, "
                         "one after the other") != std::string::npos,
               text);
}

BOOST_AUTO_TEST_CASE(size_classes_end_at_powers_of_two) {
    BOOST_TEST(bench::size_class_of(0) == 0u);
    BOOST_TEST(bench::size_class_of(1) == 0u);
    BOOST_TEST(bench::size_class_of(16) == 4u);
    BOOST_TEST(bench::size_class_of(17) == 5u);
    BOOST_TEST(bench::size_class_of(bench::largest_block_bytes) < bench::trace_summary::classes);
}

BOOST_AUTO_TEST_CASE(one_thread_becomes_many_each_with_blocks_of_its_own) {
    std::mt19937_64 random(palloc::test::seed());
    const temporary_file file(palloc::test::make_random_trace(random, 1, 9000).text);
    const bench::trace once = bench::read_trace(file.path());
    const bench::trace thrice = bench::with_threads(bench::read_trace(file.path()), 3);
    BOOST_REQUIRE(thrice.threads() == 3u);
    BOOST_TEST(thrice.operation_count() == 27000u);
    BOOST_TEST(thrice.peak_live_bytes == 3 * once.peak_live_bytes);
    BOOST_TEST(thrice.slots == 3 * once.slots);
    for (std::size_t copy = 0; copy != 3; ++copy)
        for (std::size_t i = 0; i != 9000; ++i) {
            const bench::operation& was = once.lanes[0].operations[i];
            const bench::operation& is = thrice.lanes[copy].operations[i];
            BOOST_REQUIRE(is.slot == was.slot + copy * once.slots);
            BOOST_REQUIRE(is.turn == was.turn);
            BOOST_REQUIRE(is.bytes == was.bytes);
        }
    BOOST_TEST(thrice.lanes[2].segments.back().end == 9000u);
}

BOOST_AUTO_TEST_CASE(many_threads_are_dealt_out_to_fewer) {
    std::mt19937_64 random(palloc::test::seed());
    const auto expected = palloc::test::make_random_trace(random, 7, 9000);
    const temporary_file file(expected.text);
    const bench::trace two = bench::with_threads(bench::read_trace(file.path()), 2);
    BOOST_REQUIRE(two.threads() == 2u);
    BOOST_TEST(two.operation_count() == 9000u);
    BOOST_TEST(two.lanes[0].operations.size() + two.lanes[1].operations.size() == 9000u);
    // Turns of a slot still rise in the order over all threads.
    std::vector<std::uint32_t> turns(two.slots);
    std::vector<std::size_t> at(2);
    for (std::size_t i = 0; i != 9000; ++i) {
        const std::size_t thread = expected.steps[i].thread % 2;
        const bench::operation& op = two.lanes[thread].operations[at[thread]++];
        BOOST_REQUIRE(op.turn == turns[op.slot]++);
    }
}

namespace {

struct damage {
    std::string content;
    std::string error;
    friend std::ostream& operator<<(std::ostream& out, const damage& d) { return out << d.error; }
};

const std::string head = "v 10400 3\nX program --flag\n";
const std::vector<damage> damages{
    {"", ":1: the file is empty"},
    {"# palloc\n", ":1: is not heaptrack's"},
    {"v x 3\n", ":1: the version is missing"},
    {"v 10400 3\n", ":2: the file ends before"},
    {"v 10400 3\n+ 0\n", ":2: an allocation before"},
    {head, ": has no allocations"},
    {head + "+ 0\n", ":3: call 0 was never described"},
    {head + "a 10 0\n- 0\n", ":4: more blocks of call 0 freed than allocated"},
    {head + "a 10 0\n- 5\n", ":4: call 5 was never described"},
    {head + "a zz 0\n", ":3: the size is missing or not a number"},
    {head + "a fffffffffffffff 0\n", ":3: the size is more than"},
    {head + "+\n", ":3: the number is missing"},
    {head + "?\n", ":3: '?' is no line of heaptrack"},
    {head + "+ 10 1", ":3: the line is truncated"},
};

} // namespace

BOOST_DATA_TEST_CASE(damaged_heaptrack_file_is_refused_by_line, data::make(damages), bad) {
    const temporary_file file(bad.content, "heaptrack.txt");
    const auto to = file.path().parent_path() / "to.trace.gz";
    BOOST_CHECK_EXCEPTION((void)bench::import_heaptrack(file.path(), to), bench::trace_error,
                          [&](const bench::trace_error& error) {
                              const std::string text = error.what();
                              BOOST_TEST(text.starts_with(file.path().string() + bad.error), text);
                              return true;
                          });
    BOOST_TEST(!std::filesystem::exists(to));
}

BOOST_AUTO_TEST_CASE(heaptrack_blocks_are_told_apart_as_far_as_can_be) {
    // A string with a line end in it, two calls, the first used twice.
    const temporary_file file(head + "s 5 a\n+ 9\na 10 1\na 20 2\n+ 0\n+ 0\n+ 1\n- 0\n- 1\n",
                              "heaptrack.txt");
    const auto to = file.path().parent_path() / "to.trace.gz";
    const auto totals = bench::import_heaptrack(file.path(), to);
    BOOST_TEST(totals.allocated_bytes == 64u);
    BOOST_TEST(text_of(to).ends_with("a 0 16 16 0\na 1 16 16 0\na 2 32 16 0\nf 1 0\nf 2 0\n"));
    const temporary_file raw(head + "+ 10 1 a0\n+ 20 2 b0\n- a0\n+ 30 1 a0\n- a0\n- ff\n", "raw");
    (void)bench::import_heaptrack(raw.path(), to);
    BOOST_TEST(text_of(to).ends_with("a 0 16 16 0\na 1 32 16 0\nf 0 0\na 2 48 16 0\nf 2 0\n"));
}
