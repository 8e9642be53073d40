// SPDX-License-Identifier: MIT
/// @file
/// @brief For tests of recording: where traces go, what is in them, and programs run without a
///   shell between.
#pragma once

#include <boost/test/unit_test.hpp>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <map>
#include <palloc_bench/gzip_lines.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <sys/wait.h>

#include "bench_program.hpp"
#include "trace_file.hpp"

namespace palloc::test {

/// A folder for traces.
class workplace {
  public:
    [[nodiscard]] std::filesystem::path folder() const { return marker_.path().parent_path(); }
    [[nodiscard]] std::string operator/(const std::string& name) const {
        return (folder() / name).string();
    }

    [[nodiscard]] std::vector<std::filesystem::path> traces() const {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(folder()))
            if (entry.path().native().ends_with(".gz"))
                found.push_back(entry.path());
        return found;
    }

  private:
    temporary_file marker_{"", "marker"};
};

inline bool is_there(const std::string& program) {
    return run_shell("command -v " + program).status == 0;
}

/// @brief A program that is built for tests of recording.
inline std::string beside_the_tests(const std::string& name) {
    return (std::filesystem::read_symlink("/proc/self/exe").parent_path() / "bench" / name)
        .string();
}

/// What became of the blocks of one trace, by the size that they were asked for with.
struct life {
    std::string alignment; ///< "r": came of a resize
    std::string born_on;   ///< thread
    std::string died_on;
};
inline std::map<std::string, life> lives_by_size(const std::filesystem::path& file) {
    std::map<std::string, life> lives;
    std::map<std::string, std::string> size_of; // by id
    palloc::bench::gzip_lines lines(file);
    for (std::string_view line; lines.next(line);) {
        std::istringstream in{std::string(line)};
        std::string kind, id, size, alignment, thread;
        in >> kind >> id;
        if (kind == "a") {
            in >> size >> alignment >> thread;
            lives[size_of[id] = size] = {alignment, thread, ""};
        } else if (kind == "r") {
            std::string fresh;
            in >> fresh >> size >> thread;
            lives[size_of[id]].died_on = thread;
            lives[size_of[fresh] = size] = {"r", thread, ""};
        } else if (kind == "f") {
            in >> thread;
            lives[size_of[id]].died_on = thread;
        }
    }
    return lives;
}

/// @brief Started by exec, so that how it ended is told as `waitpid` tells it.
class started_program {
  public:
    explicit started_program(std::vector<std::string> command, std::string_view input = "")
        : input_(input, "input") {
        process_ = fork();
        BOOST_REQUIRE(process_ >= 0);
        if (process_ == 0) {
            std::vector<char*> arguments;
            for (std::string& each : command)
                arguments.push_back(each.data());
            arguments.push_back(nullptr);
            // Whoever runs the tests (nohup, say) may ignore them, which would be inherited.
            for (const int each : {SIGINT, SIGQUIT, SIGHUP})
                std::signal(each, SIG_DFL);
            dup2(open(input_.path().c_str(), O_RDONLY), STDIN_FILENO);
            dup2(open(output_.path().c_str(), O_WRONLY), STDOUT_FILENO);
            dup2(open(errors_.path().c_str(), O_WRONLY), STDERR_FILENO);
            execvp(arguments[0], arguments.data());
            _exit(127);
        }
    }
    started_program(const started_program&) = delete;
    started_program& operator=(const started_program&) = delete;
    ~started_program() {
        if (process_ > 0) {
            kill(process_, SIGKILL);
            (void)wait();
        }
    }

    [[nodiscard]] std::string output() const { return content_of(output_.path()); }
    [[nodiscard]] std::string errors() const { return content_of(errors_.path()); }
    /// @brief Whether it comes to have written `text`, before it hangs.
    [[nodiscard]] bool writes(std::string_view text) const {
        constexpr std::chrono::milliseconds pause(5);
        for (int tries = 0; tries != 12000; ++tries) {
            if (output().find(text) != std::string::npos)
                return true;
            std::this_thread::sleep_for(pause);
        }
        return false;
    }
    void send(int signal) const { kill(process_, signal); }
    /// @brief Waits for its end. @return what `waitpid` says
    int wait() {
        int status = 0;
        while (waitpid(process_, &status, 0) < 0)
            BOOST_REQUIRE(errno == EINTR);
        process_ = 0;
        return status;
    }

  private:
    temporary_file input_;
    temporary_file output_{"", "output"};
    temporary_file errors_{"", "errors"};
    pid_t process_ = 0;
};

} // namespace palloc::test
