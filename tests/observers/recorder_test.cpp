// SPDX-License-Identifier: MIT
#include <palloc/observers/recorder.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace palloc;
using kind = event::kind;

std::string trace_of(const recorder& it) {
    std::string text;
    it.write_trace("test", [&](std::string_view piece) {
        BOOST_TEST(piece.ends_with('\n'));
        text.append(piece);
    });
    return text;
}

event allocated(address base, std::uint64_t asked, std::uint64_t alignment = 1) {
    return {.what = kind::allocate,
            .where = {base, (asked + 63) / 64 * 64},
            .asked = asked,
            .alignment = alignment};
}
event released(address base) {
    return {.what = kind::release, .where = {base, 64}};
}

BOOST_AUTO_TEST_CASE(writes_what_happened_as_a_heap_trace) {
    std::array<trace_record, 20> notes;
    recorder it(notes);
    it.on({.what = kind::add_chunk, .where = {0x1000, 4096}});
    it.on(released(0x1040)); // from before
    it.on(allocated(0x1000, 10));
    it.on(allocated(0x2000, 100, 4096));
    it.on({.what = kind::fail, .asked = 5});
    it.on(released(0x1000));
    it.on({.what = kind::resize, .where = {0x2000, 192}, .asked = 128});
    it.on(allocated(0x1000, 30));
    std::thread([&] { it.on(released(0x2000)); }).join();
    BOOST_TEST(trace_of(it) == "# palloc-heap-trace 1\n"
                               "# program: test   threads: 2   ops: 6   peak-live-bytes: 222   "
                               "peak-live-blocks: 2\n"
                               "a 0 10 16 0\n"
                               "a 1 100 4096 0\n"
                               "f 0 0\n"
                               "r 1 2 192 0\n"
                               "a 3 30 16 0\n"
                               "f 2 1\n");
    BOOST_TEST(it.notes().size() == 7);
    BOOST_TEST(it.dropped() == 0);
}

BOOST_AUTO_TEST_CASE(a_reset_frees_all_that_lives) {
    std::array<trace_record, 20> notes;
    recorder it(notes);
    for (address base = 0x1000; base <= 0x3000; base += 0x1000)
        it.on(allocated(base, 8));
    it.on(released(0x2000));
    it.on({.what = kind::reset});
    it.on(allocated(0x1000, 8));
    const std::string trace = trace_of(it);
    BOOST_TEST(trace.ends_with("f 1 0\nf 0 0\nf 2 0\na 3 8 16 0\n"));
    BOOST_TEST(trace.find("ops: 7   peak-live-bytes: 24   peak-live-blocks: 3\n") !=
               std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_counted_and_the_rest_is_the_beginning) {
    std::array<trace_record, 2> notes;
    recorder it(notes);
    for (address base = 0x1000; base <= 0x3000; base += 0x1000)
        it.on(allocated(base, 8));
    it.on(released(0x1000));
    BOOST_TEST(it.notes().size() == 2);
    BOOST_TEST(it.dropped() == 2);
    BOOST_TEST(trace_of(it).ends_with("a 0 8 16 0\na 1 8 16 0\n"));
    const recorder moved(std::move(it));
    BOOST_TEST(moved.dropped() == 2);
}

BOOST_AUTO_TEST_CASE(a_file_gets_the_same_text) {
    std::array<trace_record, 4> notes;
    recorder it(notes);
    it.on(allocated(0x1000, 8));
    std::FILE* const file = std::tmpfile();
    BOOST_TEST_REQUIRE(file != nullptr);
    BOOST_TEST(it.write_trace("test", file));
    std::rewind(file);
    std::string text(1000, '\0');
    text.resize(std::fread(text.data(), 1, text.size(), file));
    std::fclose(file);
    BOOST_TEST(text == trace_of(it));
}

BOOST_AUTO_TEST_CASE(threads_lose_no_event) {
    std::vector<trace_record> notes(20'000);
    recorder it(notes);
    const auto work = [&](address first) {
        for (address i = 0; i < 10'000; ++i)
            it.on(allocated(first + i, 1));
    };
    std::thread other(work, 0);
    work(10'000);
    other.join();
    std::set<address> seen;
    for (const trace_record& note : it.notes())
        seen.insert(note.where);
    BOOST_TEST(seen.size() == 20'000);
    BOOST_TEST(*seen.rbegin() == 19'999);
}

} // namespace
