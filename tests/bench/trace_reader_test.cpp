// SPDX-License-Identifier: MIT
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <ostream>
#include <palloc_bench/trace_reader.hpp>
#include <set>
#include <zlib.h>

#include "trace_file.hpp"

namespace bench = palloc::bench;
namespace data = boost::unit_test::data;
using palloc::test::temporary_file;
using palloc::test::tiny_trace;

namespace {

/// What is wrong with the file, or nothing.
std::string error_of(std::string_view content) {
    const temporary_file file(content);
    try {
        (void)bench::read_trace(file.path());
        return {};
    } catch (const bench::trace_error& error) {
        const std::string text = error.what();
        BOOST_TEST(text.starts_with(file.path().string()), text << " names the file");
        return text.substr(file.path().string().size());
    }
}

std::string with(std::string_view from, std::string_view to) {
    std::string text(tiny_trace);
    return text.replace(text.find(from), from.size(), to);
}

/// How many whole lines a piece of a compressed file has.
std::size_t lines_before(const std::string& piece) {
    z_stream stream{};
    constexpr int with_gzip_header = 16 + MAX_WBITS;
    BOOST_REQUIRE(inflateInit2(&stream, with_gzip_header) == Z_OK);
    std::string text(std::size_t{1} << 20, '\0');
    std::string from = piece;
    stream.next_in = reinterpret_cast<Bytef*>(from.data());
    stream.avail_in = static_cast<uInt>(from.size());
    stream.next_out = reinterpret_cast<Bytef*>(text.data());
    stream.avail_out = static_cast<uInt>(text.size());
    (void)inflate(&stream, Z_SYNC_FLUSH);
    text.resize(stream.total_out);
    inflateEnd(&stream);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

struct damage {
    std::string content;
    std::string error; ///< how it begins, behind the file's name

    friend std::ostream& operator<<(std::ostream& out, const damage& d) { return out << d.error; }
};

const std::vector<damage> damages{
    {"", ":1: the file is empty"},
    {palloc::test::gzip(""), ":1: the file is empty"},
    {"# palloc-heap-trace 1\n", ":2: the second header line is missing"},
    {with("trace 1", "trace 2"), ":1: is not '# palloc-heap-trace 1'"},
    {with("# program", "# progran"), ":2: the header does not begin with '# program: '"},
    {with("   ops: 6", ""), ":2: the header lacks '   ops: '"},
    {with("ops: 6", "ops: 6x"), ":2: the header's '   ops: 6x' is not a count"},
    {with("ops: 6", "ops: 99999999999999999999"), ":2: the header's"},
    {with("threads: 2", "threads: -2"), ":2: the header's"},
    {with("ops: 6", "ops: 0"), ":2: the trace has no operations"},
    {with("ops: 6", "ops: 5"), ":8: more operations than the header's 5"},
    {with("ops: 6", "ops: 7"), ":9: the file ends; the header says 7 operations, it has 6"},
    {with("threads: 2", "threads: 3"), ":9: the file ends; the header says 3 threads, it has 2"},
    {with("threads: 2", "threads: 1"), ":6: thread 1 of a trace of 1"},
    {with("bytes: 140", "bytes: 141"), ":9: the file ends; the header says 141 peak-live-bytes"},
    {with("blocks: 2", "blocks: 1"), ":9: the file ends; the header says 1 peak-live-blocks"},
    {with("a 1 0", "a 2 0"), ":4: the new id is 2; the next in order is 1"},
    {with("a 1 0", "a 0 0"), ":4: the new id is 0; the next in order is 1"},
    {with("r 1 3", "r 1 4"), ":7: the new id is 4; the next in order is 3"},
    {with("f 0 0", "f 2 0"), ":5: id 2 was never allocated"},
    {with("r 1 3", "r 9 3"), ":7: id 9 was never allocated"},
    {with("f 2 0", "f 0 0"), ":8: id 0 is freed already"},
    {with("f 2 0", "f 1 0"), ":8: id 1 is freed already"},
    {with("r 1 3", "r 0 3"), ":7: id 0 is freed already"},
    {with("a 2 100", "a 2 2000000000000"), ":6: the size is more than"},
    {with("a 2 100", "a 2 99999999999999999999"), ":6: the size is more than"},
    {with("r 1 3 40", "r 1 3 18446744073709551615"), ":7: the size is more than"},
    {with("a 2 100", "a 2 -1"), ":6: the size is missing or not a number"},
    {with("a 2 100", "a 2  100"), ":6: the size is missing or not a number"},
    {with("a 2 100 16", "a 2 100 24"), ":6: the alignment 24 is not a power of two"},
    {with("a 2 100 16", "a 2 100 0"), ":6: the alignment 0 is not a power of two"},
    {with("a 2 100 16", "a 2 100 4294967296"), ":6: the alignment is more than"},
    {with("a 2 100 16 1", "a 2 100 16 2"), ":6: thread 2 comes before thread 1"},
    {with("a 2 100 16 1", "a 2 100 16 1 1"), ":6: there is more on the line"},
    {with("a 2 100 16 1", "a 2 100 16 1 "), ":6: there is more on the line"},
    {with("a 2 100 16 1", "a 2 100 16"), ":6: the thread is missing or not a number"},
    {with("f 0 0", "f 0"), ":5: the thread is missing or not a number"},
    {with("f 0 0", "f 0x 0"), ":5: the id is missing or not a number"},
    {with("f 0 0", "x 0 0"), ":5: 'x' is no operation"},
    {with("f 0 0", ""), ":5: is not an operation"},
    {with("f 0 0", "f"), ":5: is not an operation"},
    {with("f 0 0", std::string(70000, 'f')), ":5: the line is longer than"},
    {std::string(tiny_trace.substr(0, tiny_trace.size() - 1)), ":8: the line is truncated"},
    {std::string(tiny_trace.substr(0, 30)), ":2: the line is truncated"},
};

} // namespace

BOOST_DATA_TEST_CASE(damaged_trace_is_refused_by_line, data::make(damages), bad) {
    const std::string error = error_of(bad.content);
    BOOST_TEST(error.starts_with(bad.error), "'" << error << "' begins with '" << bad.error << "'");
}

BOOST_AUTO_TEST_CASE(missing_file_is_named) {
    BOOST_CHECK_EXCEPTION((void)bench::read_trace("/nowhere/x.trace.gz"), bench::trace_error,
                          [](const bench::trace_error& error) {
                              return std::string_view(error.what())
                                  .starts_with("/nowhere/x.trace.gz: cannot be opened");
                          });
}

BOOST_AUTO_TEST_CASE(tiny_trace_is_decoded) {
    const temporary_file file(palloc::test::gzip(tiny_trace), "tiny.trace.gz");
    const bench::trace got = bench::read_trace(file.path());
    BOOST_TEST(got.name == "tiny");
    BOOST_TEST(got.program == "by hand");
    BOOST_TEST(got.operation_count() == 6u);
    BOOST_TEST(got.peak_live_bytes == 140u);
    BOOST_TEST(got.peak_live_blocks == 2u);
    BOOST_TEST(got.peak_at == 5u);
    BOOST_TEST(got.largest_bytes == 112u);
    BOOST_TEST(got.largest_alignment == 64u);
    BOOST_TEST(got.slots == 3u); // thread 1 may not take the slot that thread 0 freed
    BOOST_REQUIRE(got.threads() == 2u);
    BOOST_TEST(got.lanes[0].operations.size() == 4u);
    BOOST_REQUIRE(got.lanes[1].operations.size() == 2u);

    const bench::operation second = got.lanes[0].operations[1];
    BOOST_TEST((second.kind == bench::operation_kind::allocate));
    BOOST_TEST(second.bytes == 64u); // size 0, a multiple of the alignment
    BOOST_TEST(second.alignment_log2 == 6u);
    const bench::operation resize = got.lanes[1].operations[1];
    BOOST_TEST((resize.kind == bench::operation_kind::resize));
    BOOST_TEST(resize.slot == second.slot);
    BOOST_TEST(resize.bytes == 48u);
    BOOST_TEST(resize.turn == 1u);
}

BOOST_AUTO_TEST_CASE(random_traces_keep_their_order_and_blocks) {
    std::mt19937_64 random(palloc::test::seed());
    for (int round = 0; round != 20; ++round) {
        BOOST_TEST_CONTEXT("PALLOC_SEED=" << palloc::test::seed() << " round " << round) {
            const auto expected = palloc::test::make_random_trace(random, 1 + random() % 7, 9000);
            const temporary_file file(expected.text);
            const bench::trace got = bench::read_trace(file.path());
            BOOST_REQUIRE(got.threads() == expected.threads);
            BOOST_TEST(got.peak_live_bytes == expected.peak_live_bytes);
            BOOST_TEST(got.windows == 3u);

            std::vector<std::size_t> at(expected.threads);
            std::vector<std::uint32_t> turns(got.slots);
            std::map<std::uint64_t, std::uint32_t> slot_of_live;
            std::set<std::uint32_t> used;
            bool same = true;
            for (std::size_t i = 0; i != expected.steps.size() && same; ++i) {
                const auto& step = expected.steps[i];
                const bench::lane& lane = got.lanes[step.thread];
                const std::size_t mine = at[step.thread]++;
                BOOST_REQUIRE(mine < lane.operations.size());
                const bench::operation op = lane.operations[mine];
                const auto part =
                    std::find_if(lane.segments.begin(), lane.segments.end(),
                                 [&](const bench::segment& s) { return mine < s.end; });
                same = part != lane.segments.end() && part->window == i / bench::window_operations;
                same = same && op.turn == turns[op.slot]++;
                if (step.kind == 'a')
                    same = same && used.insert(op.slot).second;
                else
                    same = same &&
                           op.slot == slot_of_live.at(step.kind == 'r' ? step.old_id : step.id);
                if (step.kind == 'f')
                    used.erase(op.slot);
                else
                    slot_of_live[step.id] = op.slot;
                if (step.kind != 'f')
                    same = same && op.bytes >= step.bytes && op.bytes < step.bytes + 80 &&
                           std::uint64_t{1} << op.alignment_log2 == step.alignment;
            }
            BOOST_TEST(same);
        }
    }
}

BOOST_AUTO_TEST_CASE(truncated_compression_is_refused_wherever_it_ends) {
    std::mt19937_64 random(palloc::test::seed());
    const std::string whole =
        palloc::test::gzip(palloc::test::make_random_trace(random, 2, 400).text);
    std::set<std::size_t> lines;
    // Of fewer than its header's ten bytes, zlib says nothing but that they are no lines.
    for (std::size_t length = 10; length < whole.size(); length += 61) {
        const std::size_t line = lines_before(whole.substr(0, length)) + 1;
        const std::string expected = ":" + std::to_string(line) + ": the compressed file is ";
        lines.insert(line);
        BOOST_TEST(error_of(whole.substr(0, length)).starts_with(expected),
                   "cut at " << length << ": " << error_of(whole.substr(0, length)));
    }
    BOOST_TEST(lines.size() > 10u);
}

BOOST_AUTO_TEST_CASE(flipped_bits_are_refused_or_harmless) {
    std::mt19937_64 random(palloc::test::seed());
    const std::string whole = palloc::test::gzip(tiny_trace);
    std::size_t refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; bit += 5) {
        std::string flipped = whole;
        flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
        refused += !error_of(flipped).empty();
    }
    BOOST_TEST(refused > whole.size()); // all but some of the ten bytes of gzip's own header
}
