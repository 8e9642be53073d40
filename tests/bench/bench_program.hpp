// SPDX-License-Identifier: MIT
/// @file
/// @brief Runs the palloc-bench that was built beside the test.
#pragma once

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

#include <sys/wait.h>

namespace palloc::test {

struct run_result {
    int status = -1;    ///< of exit; 128 and the signal's number, where one ended it
    std::string output; ///< standard output and error
};

inline run_result run_shell(const std::string& command) {
    run_result got;
    std::FILE* const pipe = popen(("{ " + command + "; } 2>&1").c_str(), "r");
    BOOST_REQUIRE(pipe != nullptr);
    std::array<char, 4096> part;
    while (const std::size_t bytes = std::fread(part.data(), 1, part.size(), pipe))
        got.output.append(part.data(), bytes);
    const int status = pclose(pipe);
    got.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return got;
}

inline const std::string& palloc_bench_path() {
    static const std::string program =
        (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "bench" /
         "palloc-bench")
            .string();
    return program;
}

inline run_result palloc_bench(const std::string& arguments) {
    return run_shell(palloc_bench_path() + " " + arguments);
}

inline void expect(const std::string& arguments, int status, std::string_view text) {
    const run_result got = palloc_bench(arguments);
    BOOST_TEST(got.status == status, arguments << ": " << got.status);
    BOOST_TEST(got.output.find(text) != std::string::npos,
               arguments << ": '" << text << "' in " << got.output);
}

inline std::string content_of(const std::filesystem::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

} // namespace palloc::test
