// SPDX-License-Identifier: MIT
// The kernel's own answers: every golden trace, over every bitmap; and what the replay makes of
// traces that are damaged, or in which the kernel is said to answer otherwise.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#if defined(_WIN32)
#include <io.h>
#else
#include <unistd.h>
#endif

#include "bench/trace_file.hpp"
#include "palloc_bench/golden.hpp"
#include "palloc_bench/gzip_lines.hpp"

namespace {

namespace bench = palloc::bench;
using bench::golden_mode;
using palloc::test::temporary_file;

std::vector<std::filesystem::path> traces() {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator("tests/golden/genalloc"))
        if (entry.path().extension() == ".gz")
            found.push_back(entry.path());
    std::sort(found.begin(), found.end());
    return found;
}

/// A trace: the given pool, then the given lines.
std::vector<bench::golden_outcome> replay(std::string_view pool, std::string_view lines,
                                          golden_mode mode = golden_mode::strict) {
    const temporary_file file("# palloc-trace 1\npool " + std::string(pool) + "\n" +
                              std::string(lines));
    return bench::replay_golden(file.path(), mode);
}

void as_the_kernel(std::string_view pool, std::string_view lines) {
    BOOST_TEST_CONTEXT(pool << ": " << lines)
    for (const auto& each : replay(pool, lines)) {
        BOOST_TEST(each.mismatches == 0u);
        BOOST_TEST(each.first_mismatch == "");
    }
}

/// The text of the error that the file leads to.
std::string complaint(std::string_view content) {
    const temporary_file file(content);
    try {
        (void)bench::replay_golden(file.path());
    } catch (const bench::trace_error& error) {
        return std::string(error.what()).substr(file.path().string().size());
    }
    return "none";
}

#if defined(_WIN32)
int number_of(std::FILE* file) {
    return ::_fileno(file);
}
int copy_of(int file) {
    return ::_dup(file);
}
void put_in_place(int file, int of) {
    (void)::_dup2(file, of);
}
#else
int number_of(std::FILE* file) {
    return fileno(file);
}
int copy_of(int file) {
    return ::dup(file);
}
void put_in_place(int file, int of) {
    (void)::dup2(file, of);
}
#endif

/// Keeps what is printed from the test's own report.
class captured_stdout {
  public:
    captured_stdout() {
        std::fflush(stdout);
        put_in_place(number_of(file_), number_of(stdout));
    }
    ~captured_stdout() { restore(); }
    captured_stdout(const captured_stdout&) = delete;
    captured_stdout& operator=(const captured_stdout&) = delete;

    /// Ends the capture.
    [[nodiscard]] std::string text() const {
        restore();
        std::rewind(file_);
        std::string all(1 << 16, '\0');
        all.resize(std::fread(all.data(), 1, all.size(), file_));
        return all;
    }

  private:
    void restore() const {
        std::fflush(stdout);
        put_in_place(before_, number_of(stdout));
    }

    std::FILE* file_ = std::tmpfile();
    int before_ = copy_of(number_of(stdout));
};

BOOST_AUTO_TEST_SUITE(golden)

BOOST_AUTO_TEST_CASE(every_answer_is_the_kernels) {
    BOOST_TEST(traces().size() == 41u);
    for (const auto& file : traces()) {
        const auto outcomes = bench::replay_golden(file);
        BOOST_TEST(outcomes.size() == 3u);
        for (const auto& each : outcomes)
            BOOST_TEST_CONTEXT(file << " over " << each.bitmap << ": " << each.first_mismatch) {
                BOOST_TEST(each.operations > 2000u);
                BOOST_TEST(each.mismatches == 0u);
                BOOST_TEST(each.declared() == 0u);
            }
    }
}

BOOST_AUTO_TEST_CASE(repairs_are_the_declared_ones) {
    for (const auto& file : traces())
        for (const auto& each : bench::replay_golden(file, golden_mode::repaired))
            BOOST_TEST_CONTEXT(file << " over " << each.bitmap << ": " << each.first_mismatch) {
                BOOST_TEST(each.mismatches == 0u);
                BOOST_TEST((each.declared() != 0) ==
                           (file.string().find("quirk-") != std::string::npos));
            }
}

// ---------------------------------------------------------------- traces worked out by hand

BOOST_AUTO_TEST_CASE(edges_replay) {
    as_the_kernel("6 first_fit", "s 0 0\na 1 64 0 0x0\nh 0x0 0 0\nv 0x0 0xffffffffffffffff\n");
    as_the_kernel("6 first_fit",
                  "chunk 0xffffffffffffff80 128 0x1000\n"
                  "a 1 64 0 0xffffffffffffff80\na 2 1 0 0xffffffffffffffc0\n"
                  "a 3 1 0 0x0\nh 0xffffffffffffffff 1 1\nh 0xffffffffffffff80 129 1\n"
                  "v 0xffffffffffffffff 0x107f\ns 0 128\nf 1\nf 2\ns 128 128\n");
    as_the_kernel("4 first_fit", "chunk 0x1000 0 0x0\nchunk 0x2000 15 0x0\ns 15 15\na 1 1 0 0x0\n"
                                 "v 0x1000 0xffffffffffffffff\nv 0x200e 0xe\n");
    as_the_kernel("4 first_fit", "chunk 0x1000 64 0x500\nchunk 0x0 0 0x0\na 1 16 0 0x1000\n"
                                 "h 0x77 9 1\nv 0x77 0x77\ns 48 64\n");
    as_the_kernel("6 first_fit", "chunk 0x1000 256 0x0\na 1 18446744073709551615 0 0x0\n"
                                 "a 2 18446744073709551552 0 0x0\na 3 9223372036854775808 0 0x0\n"
                                 "a 4 0 0 0x0\na 5 257 0 0x0\na 6 256 0 0x1000\n");
    as_the_kernel("6 first_fit", "chunk 0x1000 256 0x0\nchunk 0x1080 256 0x80000\n"
                                 "a 1 256 0 0x1080\na 2 64 0 0x1000\nf 1\nf 2\ns 512 512\n");
    as_the_kernel("63 first_fit", "chunk 0x0 18446744073709551615 0x0\n"
                                  "a 1 1 0 0x0\na 2 1 0 0x0\n"
                                  "s 9223372036854775807 18446744073709551615\n");
    as_the_kernel("63 best_fit", "chunk 0x1 18446744073709551615 0x0\n"
                                 "a 1 9223372036854775809 0 0x1\nf 1\n"
                                 "s 18446744073709551615 18446744073709551615\n");
    as_the_kernel("0 first_fit_align", "chunk 0x1001 64 0x0\na 1 1 -1 0x0\na 2 1 4294967296 0x0\n"
                                       "a 3 1 4294967304 0x1008\na 4 2 18446744073709551615 0x0\n");
    as_the_kernel("6 fixed", "chunk 0x1000 256 0x0\na 1 64 18446744073709551552 0x0\n"
                             "a 2 64 1 0x0\na 3 256 0 0x1000\n");
}

BOOST_AUTO_TEST_CASE(every_kind_of_difference_is_told) {
    const auto first = [](std::string_view pool, std::string_view lines) {
        const auto outcomes = replay(pool, lines);
        for (const auto& each : outcomes) {
            BOOST_TEST(each.mismatches == 1u);
            BOOST_TEST(each.first_mismatch == outcomes.front().first_mismatch);
        }
        return outcomes.front().first_mismatch;
    };
    const std::string chunk = "chunk 0x1000 256 0x0\n";
    BOOST_TEST(first("6 first_fit", chunk + "a 1 64 0 0x1040\n") ==
               "line 4: allocated at 0x1000, the kernel at 0x1040");
    BOOST_TEST(first("6 first_fit", chunk + "a 1 64 0 0x0\n") ==
               "line 4: allocated at 0x1000, the kernel at 0x0");
    BOOST_TEST(first("6 first_fit", chunk + "a 1 257 0 0x0\nf 1\n") ==
               "line 5: the block was never allocated");
    BOOST_TEST(first("6 first_fit", chunk + "s 192 256\n") ==
               "line 4: 256 of 256 bytes available, the kernel's: 192 of 256");
    BOOST_TEST(first("6 first_fit", chunk + "h 0x1000 1 0\n") ==
               "line 4: has_addr answers 1, the kernel 0");
    BOOST_TEST(first("6 first_fit", chunk + "v 0x1001 0x2\n") ==
               "line 4: virt_to_phys answers 0x1, the kernel 0x2");
    BOOST_TEST(first("6 first_fit", "chunk 0xffffffffffffff00 257 0x0\n") ==
               "line 3: the chunk is refused: bad_argument");
}

using counts = std::map<std::string_view, std::uint64_t>;

/// How often each repair was met, where nothing else differs.
counts repairs(std::string_view pool, std::string_view lines) {
    const auto outcomes = replay(pool, lines, golden_mode::repaired);
    for (const auto& each : outcomes) {
        BOOST_TEST(each.mismatches == 0u, each.bitmap << ": " << each.first_mismatch);
        BOOST_TEST((each.repairs == outcomes.front().repairs));
    }
    counts met;
    for (const auto& each : bench::declared_repairs)
        if (const auto count = outcomes.front().repairs[bench::index_of(each.which)]; count != 0)
            met[each.name] = count;
    return met;
}

BOOST_AUTO_TEST_CASE(repairs_are_counted_apart) {
    const std::string chunk = "chunk 0x1000 256 0xffffffffffffffff\n";
    BOOST_TEST((repairs("6 first_fit", chunk + "v 0x1000 0xffffffffffffffff\nv 0x1001 0x0\n") ==
                counts{{"no physical address", 1}}));
    BOOST_TEST((repairs("6 first_fit", chunk + "h 0x1001 18446744073709551615 1\n") ==
                counts{{"wrapping range", 1}}));
    BOOST_TEST(
        (repairs("6 first_fit_align", chunk + "a 1 64 192 0x1000\na 2 64 192 0x1040\n"
                                              "a 3 64 192 0x0\na 4 64 64 0x1080\n"
                                              "s 64 256\nf 2\n") == counts{{"no alignment", 2}}));
    BOOST_TEST((repairs("6 first_fit", chunk + "chunk 0x0 0 0x0\nh 0x7 7 1\ns 256 256\n") ==
                counts{{"empty chunk", 1}, {"absent chunk", 1}}));
}

// The old chunk is 0x1000 to 0x10ff; one that would be 0x1080 to 0x117f is refused.
BOOST_AUTO_TEST_CASE(only_what_happens_in_a_refused_chunk_is_declared) {
    const std::string chunks = "chunk 0x1000 256 0x0\nchunk 0x1080 256 0x80000\n"
                               "chunk 0x9000 64 0x0\n";
    BOOST_TEST((repairs("6 first_fit", chunks + "a 1 64 0 0x9000\na 2 64 0 0x1080\n"
                                                "a 3 192 0 0x10c0\na 4 64 0 0x1000\n"
                                                "s 192 576\nf 3\nf 4\nf 1\ns 512 576\n"
                                                "h 0x1100 64 1\nh 0x1000 64 1\n"
                                                "v 0x1100 0x80080\nv 0x1000 0x0\n") ==
                counts{{"overlapping chunk", 1}, {"absent chunk", 7}}));
    for (const char* const wrong :
         {"a 1 64 0 0x9999\n", "a 1 64 0 0x0\n", "s 575 576\n", "s 576 577\n", "h 0x9000 1 0\n",
          "h 0x1180 1 1\n", "v 0x9000 0x5\n", "v 0x1180 0x80100\n",
          "a 1 64 0 0x9000\na 2 64 0 0x10c0\n"})
        for (const auto& each : replay("6 first_fit", chunks + wrong, golden_mode::repaired))
            BOOST_TEST(each.mismatches == 1u, wrong);
}

BOOST_AUTO_TEST_CASE(the_documentation_lists_the_declared_repairs) {
    std::ifstream in("docs/genalloc.md");
    std::string section{std::istreambuf_iterator<char>(in), {}};
    section.erase(0, section.find("## Golden traces"));
    std::string rows;
    for (const auto& each : bench::declared_repairs)
        rows += "| " + std::string(each.name) + " | " + std::string(each.differs) + " |\n";
    BOOST_TEST(section.find("|---|---|\n" + rows + "\n") != std::string::npos, rows);
}

// ---------------------------------------------------------------- damaged files

BOOST_AUTO_TEST_CASE(damage_is_an_error_that_names_the_line) {
    const std::string header = "# palloc-trace 1\n";
    const std::string pool = header + "pool 6 first_fit\n";
    BOOST_TEST(complaint("") == ":1: the file is empty");
    BOOST_TEST(complaint("# palloc-trace 2\n") == ":1: is not '# palloc-trace 1'");
    BOOST_TEST(complaint(header) == ":2: the line 'pool' is missing");
    BOOST_TEST(complaint(header + "pool 64 first_fit\n") == ":2: the order 64 is above 63");
    BOOST_TEST(complaint(header + "pool 6 worst_fit\n") == ":2: 'worst_fit' is no algorithm");
    BOOST_TEST(complaint(pool + "\n") == ":3: a word is missing");
    BOOST_TEST(complaint(pool + "x 1\n") == ":3: 'x' is no operation");
    BOOST_TEST(complaint(pool + "chunk 0x1000 4096\n") == ":3: a word is missing");
    BOOST_TEST(complaint(pool + "chunk 1000 4096 0x0\n") ==
               ":3: the base '1000' does not begin with 0x");
    BOOST_TEST(complaint(pool + "s 1 1 1\n") == ":3: '1' is too much");
    BOOST_TEST(complaint(pool + "s 1 1 \n") == ":3: ' ' is too much");
    BOOST_TEST(complaint(pool + "s 1  1\n") == ":3: a word is missing");
    BOOST_TEST(complaint(pool + "s 1 1\r\n") == ":3: the size '1\r' is not a number");
    BOOST_TEST(complaint(pool + "s 18446744073709551616 1\n") ==
               ":3: the avail '18446744073709551616' is not a number");
    BOOST_TEST(complaint(pool + "h 0x0 1 2\n") == ":3: the answer '2' is neither 0 nor 1");
    BOOST_TEST(complaint(pool + "f 1\n") == ":3: the id 1 was never allocated");
    BOOST_TEST(complaint(pool + "a 1 1 0 0x0\na 1 1 0 0x0\n") == ":4: the id 1 was used before");
    BOOST_TEST(complaint(pool + "a 1 1 0 0x0\nf 1\nf 1\n") == ":5: the id 1 was freed before");
    BOOST_TEST(complaint(pool + "s 1 1") == ":3: the line is truncated: the file ends in it");
    const std::string zipped = palloc::test::gzip(pool + "s 0 0\ns 0 0\n");
    BOOST_TEST(complaint(zipped) == "none");
    BOOST_TEST(complaint(zipped.substr(0, zipped.size() - 9)) ==
               ":5: the compressed file is truncated");
}

BOOST_AUTO_TEST_CASE(the_exit_status_says_how_it_went) {
    const temporary_file good("# palloc-trace 1\npool 6 first_fit\ns 0 0\n");
    const temporary_file wrong("# palloc-trace 1\npool 6 first_fit\ns 1 0\n");
    const temporary_file damaged("# palloc-trace 1\n");
    const std::string g = good.path().string();
    const std::string w = wrong.path().string();
    const std::string d = damaged.path().string();
    const captured_stdout out;
    const auto run = [](std::vector<std::string> files) { return bench::run_golden(files); };
    const int statuses[] = {run({g, g}), run({g, w, g}), run({d, w}), run({w, d, g}),
                            run({g, "no such file"})};
    const std::string text = out.text();
    BOOST_TEST((std::vector<int>(std::begin(statuses), std::end(statuses)) ==
                std::vector<int>{0, 1, 2, 2, 2}));
    BOOST_TEST(text.starts_with(g + ": 1 operations; mismatches: flat 0 indexed 0 atomic 0\n"));
    BOOST_TEST(text.find("\n" + w +
                         ": 1 operations; mismatches: flat 1 indexed 1 atomic 1\n"
                         "  flat: line 3: 0 of 0 bytes available, the kernel's: 1 of 0\n") !=
               std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
