// SPDX-License-Identifier: MIT
// palloc-bench record where programs end by signals, crash, or cannot be recorded.
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <palloc_bench/trace_reader.hpp>
#include <pty.h>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "bench_program.hpp"
#include "recorded.hpp"
#include "support/skip.hpp"

namespace bench = palloc::bench;
using palloc::test::is_there;
using palloc::test::palloc_bench;
using palloc::test::run_result;
using palloc::test::started_program;
using palloc::test::temporary_file;
using palloc::test::workplace;

namespace {

const std::string still = "/sbin/ldconfig"; // statically linked, where there is one

void need_a_static_program() {
    if (palloc_bench("record -o /dev/null -- " + still).output.find("is statically linked") ==
        std::string::npos)
        palloc::test::skip("no statically linked " + still);
}

std::vector<std::string> recorded(const std::string& trace, std::vector<std::string> command) {
    std::vector<std::string> all{
        palloc::test::palloc_bench_path(), "record", "-q", "-o", trace, "--"};
    all.insert(all.end(), command.begin(), command.end());
    return all;
}

/// Of a trace's text, the operations.
std::vector<std::string> operations_of(const std::filesystem::path& file) {
    std::vector<std::string> found;
    bench::gzip_lines lines(file);
    for (std::string_view line; lines.next(line);)
        if (!line.starts_with("#"))
            found.emplace_back(line);
    return found;
}

/// Says what it catches; TERM ends it.
const std::string catcher = R"(
import signal, sys
def caught(number, frame):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM: sys.exit(3)
for name in "INT QUIT TERM HUP USR1 USR2 ALRM CONT".split():
    signal.signal(getattr(signal, "SIG" + name), caught)
print("ready", flush=True)
while True: signal.pause()
)";

} // namespace

BOOST_AUTO_TEST_CASE(death_by_a_signal_is_told_from_an_exit_code) {
    const workplace work;
    const auto end_of = [&](const std::string& script) {
        return started_program(recorded(work / "t.trace.gz", {"bash", "-c", script})).wait();
    };
    const int seven = end_of("exit 7");
    BOOST_TEST((WIFEXITED(seven) && WEXITSTATUS(seven) == 7));
    const int like_a_signal = end_of("exit 143");
    BOOST_TEST((WIFEXITED(like_a_signal) && WEXITSTATUS(like_a_signal) == 143));
    for (const auto& [name, number] : {std::pair("TERM", SIGTERM),
                                       {"INT", SIGINT},
                                       {"HUP", SIGHUP},
                                       {"KILL", SIGKILL},
                                       {"SEGV", SIGSEGV},
                                       {"ABRT", SIGABRT}}) {
        const int killed = end_of(std::string("kill -") + name + " $$");
        BOOST_TEST((WIFSIGNALED(killed) && WTERMSIG(killed) == number), name);
    }
}

BOOST_AUTO_TEST_CASE(signals_to_the_recorder_reach_the_program) {
    const workplace work;
    started_program program(recorded(work / "t.trace.gz", {"python3", "-c", catcher}));
    BOOST_REQUIRE(program.writes("ready\n"));
    std::string expected = "ready\n";
    for (const auto& [name, number] : {std::pair("INT", SIGINT),
                                       {"HUP", SIGHUP},
                                       {"QUIT", SIGQUIT},
                                       {"USR1", SIGUSR1},
                                       {"USR2", SIGUSR2},
                                       {"ALRM", SIGALRM},
                                       {"CONT", SIGCONT},
                                       {"TERM", SIGTERM}}) {
        program.send(number);
        expected += std::string("SIG") + name + "\n";
        BOOST_REQUIRE(program.writes(expected));
    }
    const int status = program.wait();
    BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 3));
    BOOST_TEST(program.output() == expected);
    BOOST_TEST(bench::read_trace(work / "t.trace.gz").operation_count() > 100u);
}

BOOST_AUTO_TEST_CASE(ctrl_c_reaches_the_program_once) {
    // The terminal sends it to both; passed on besides, it would come twice.
    const workplace work;
    auto command = recorded(work / "t.trace.gz", {"python3", "-c", R"(
import signal, time
count = 0
def caught(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, caught)
print("ready", flush=True)
while count == 0: time.sleep(0.01)
time.sleep(0.3)
print("caught", count, flush=True)
)"});
    std::vector<char*> arguments;
    for (std::string& each : command)
        arguments.push_back(each.data());
    arguments.push_back(nullptr);
    int terminal = -1;
    const pid_t process = forkpty(&terminal, nullptr, nullptr, nullptr);
    BOOST_REQUIRE(process >= 0);
    if (process == 0) {
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    std::string seen;
    bool pressed = false;
    std::array<char, 256> part;
    for (ssize_t got = 0; (got = read(terminal, part.data(), part.size())) > 0;) {
        seen.append(part.data(), static_cast<std::size_t>(got));
        if (!std::exchange(pressed, seen.find("ready") != std::string::npos) && pressed)
            BOOST_TEST(write(terminal, "\x03", 1) == 1);
    }
    close(terminal);
    int status = 0;
    BOOST_TEST(waitpid(process, &status, 0) == process);
    BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    BOOST_TEST(seen.find("caught 1") != std::string::npos, seen);
}

BOOST_AUTO_TEST_CASE(input_output_and_errors_are_the_programs) {
    const workplace work;
    const std::string text = "first\nsecond\n";
    started_program program(recorded(work / "t.trace.gz", {"bash", "-c", "cat; echo apart >&2"}),
                            text);
    BOOST_TEST(program.wait() == 0);
    BOOST_TEST(program.output() == text);
    BOOST_TEST(program.errors() == "apart\n");
}

BOOST_AUTO_TEST_CASE(crash_leaves_all_up_to_the_last_allocation_before_it) {
    const workplace work;
    started_program program(
        recorded(work / "t.trace.gz", {palloc::test::beside_the_tests("hard_endings"), "crash"}));
    const int status = program.wait();
    BOOST_TEST((WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV));
    (void)bench::read_trace(work / "t.trace.gz"); // throws where it is not valid
    const auto operations = operations_of(work / "t.trace.gz");
    BOOST_REQUIRE(operations.size() >= 3u);
    const auto last = operations.end() - 3;
    BOOST_TEST(last[0].find(" 8001 16 0") != std::string::npos, last[0]);
    BOOST_TEST(last[1].starts_with("f "), last[1]);
    BOOST_TEST(last[2].find(" 8003 16 0") != std::string::npos, last[2]);
}

BOOST_AUTO_TEST_CASE(trace_grows_while_the_program_runs) {
    const workplace work;
    started_program program(recorded(
        work / "t.trace.gz", {palloc::test::beside_the_tests("hard_endings"), "waits", work / ""}));
    BOOST_TEST(program.wait() == 0); // it ends well once it has seen that
}

BOOST_AUTO_TEST_CASE(children_write_no_events_into_their_parents_trace) {
    const workplace work;
    BOOST_TEST(palloc_bench("record -q --follow -o " + work / "p.trace.gz" + " -- " +
                            palloc::test::beside_the_tests("hard_endings") + " forks")
                   .status == 0);
    const auto own = palloc::test::lives_by_size(work / "p.trace.gz");
    for (const char* const size : {"7001", "7007", "7011"})
        BOOST_TEST(own.contains(size), size);
    for (const char* const size : {"7003", "7005", "7009"})
        BOOST_TEST(!own.contains(size), size);
    std::map<std::string, int> children;
    for (const auto& file : work.traces())
        if (file.filename() != "p.trace.gz") {
            const auto lives = palloc::test::lives_by_size(file);
            for (const char* const size : {"7003", "7005", "7009"})
                children[size] += lives.contains(size);
            for (const char* const size : {"7001", "7007", "7011"})
                BOOST_TEST(!lives.contains(size), file << ": " << size);
            BOOST_TEST(bench::read_trace(file).operation_count() == 2000u, file);
        }
    BOOST_TEST(children["7003"] == 1); // _Fork
    BOOST_TEST(children["7005"] == 1); // clone
    BOOST_TEST(children["7009"] == 10);
    // Unfollowed, none writes anything anywhere.
    const workplace alone;
    BOOST_TEST(palloc_bench("record -q -o " + alone / "p.trace.gz" + " -- " +
                            palloc::test::beside_the_tests("hard_endings") + " forks")
                   .status == 0);
    BOOST_TEST(alone.traces().size() == 1u);
    const auto lives = palloc::test::lives_by_size(alone / "p.trace.gz");
    for (const char* const size : {"7003", "7005", "7009"})
        BOOST_TEST(!lives.contains(size), size);
}

BOOST_AUTO_TEST_CASE(killed_between_two_instructions_the_trace_is_valid) {
    const workplace work;
    const std::string endless = " env PYTHONMALLOC=malloc python3 -c 'while True: [str(i) for i in "
                                "range(100)]'";
    for (const char* const delay : {"0.2", "0.35"}) {
        (void)palloc_bench("record -q --follow -o " + work / "k.trace.gz" + " -- timeout -s KILL " +
                           delay + endless);
        for (const auto& file : work.traces()) {
            (void)bench::read_trace(file); // throws where it is not valid
            std::filesystem::remove(file);
        }
    }
    const run_result got = palloc_bench("record --follow -q -o " + work / "f.trace.gz" +
                                        " -- timeout -s KILL 1" + endless);
    BOOST_TEST(got.status == 128 + 9);
    std::size_t most = 0;
    for (const auto& file : work.traces())
        most = std::max(most, bench::read_trace(file).operation_count());
    BOOST_TEST(most > 1000u); // python begins; how far it comes is the machine's
}

BOOST_AUTO_TEST_CASE(static_program_is_refused_in_words) {
    need_a_static_program();
    const workplace work;
    palloc::test::expect("record -o " + work / "r.trace.gz" + " -- " + still + " --version", 2,
                         still + " is statically linked");
}

BOOST_AUTO_TEST_CASE(program_with_capabilities_is_refused_in_words) {
    const workplace work;
    std::filesystem::copy_file("/bin/true", work.folder() / "capable");
    // cap_net_raw, permitted: version 2 of the kernel's vfs_cap_data.
    const std::array<std::uint32_t, 5> capability{0x02000000, 1u << 13, 0, 0, 0};
    if (setxattr((work / "capable").c_str(), "security.capability", capability.data(),
                 sizeof capability, 0) != 0)
        palloc::test::skip(std::string("no file may be given capabilities here: ") +
                           std::strerror(errno));
    palloc::test::expect("record -o " + work / "r.trace.gz" + " -- " + work / "capable", 2,
                         "has file capabilities");
}

BOOST_AUTO_TEST_CASE(what_cannot_be_recorded_is_refused_in_words) {
    const workplace work;
    const std::string record = "record -o " + work / "r.trace.gz" + " -- ";
    std::filesystem::copy_file("/bin/true", work.folder() / "true");
    std::filesystem::permissions(work.folder() / "true", std::filesystem::perms::set_uid,
                                 std::filesystem::perm_options::add);
    palloc::test::expect(record + work / "true", 2, "is set-uid");
    const temporary_file text("no program", "text");
    std::filesystem::permissions(text.path(), std::filesystem::perms::owner_all);
    palloc::test::expect(record + text.path().string(), 2, "is neither a program nor a script");
    palloc::test::expect("record -o /nowhere/r.trace.gz -- true", 2, "cannot be written");
}

BOOST_AUTO_TEST_CASE(static_children_are_named_however_they_are_started) {
    need_a_static_program();
    for (const std::string& start :
         {"sh -c '" + still + " --version; :'", "bash -c '" + still + " --version; :'",
          "python3 -c 'import subprocess; subprocess.run([\"" + still + "\", \"--version\"])'",
          "python3 -c 'import os; os.waitpid(os.posix_spawnp(\"" + still + "\", [\"" + still +
              "\", \"--version\"], os.environ), 0)'"}) {
        const workplace work;
        const run_result got =
            palloc_bench("record -q --follow -o " + work / "r.trace.gz" + " -- " + start);
        BOOST_TEST(got.status == 0);
        BOOST_TEST(got.output.find("palloc-bench: not recorded: " + still +
                                   " is statically linked") != std::string::npos,
                   start << ": " << got.output);
        BOOST_TEST(bench::read_trace(work / "r.trace.gz").operation_count() > 10u);
    }
}

BOOST_AUTO_TEST_CASE(set_uid_children_are_named) {
    const workplace work;
    const std::string other = work / "other";
    std::filesystem::copy_file("/bin/true", other);
    std::filesystem::permissions(work.folder(), std::filesystem::perms::all);
    struct statvfs facts{};
    constexpr unsigned nobody = 65534;
    if (chown(other.c_str(), nobody, nobody) != 0 || chmod(other.c_str(), 04755) != 0)
        palloc::test::skip("only root makes a program another's");
    if (statvfs(other.c_str(), &facts) != 0 || (facts.f_flag & ST_NOSUID) != 0)
        palloc::test::skip("set-uid is of no effect in " + work.folder().string());
    palloc::test::expect("record -q --follow -o " + work / "r.trace.gz" + " -- bash -c '" + other +
                             "; :'",
                         0, "not recorded: " + other + " is set-uid");
}

BOOST_AUTO_TEST_CASE(children_without_the_recorder_in_their_environment_are_named) {
    const workplace work;
    palloc::test::expect("record -q --follow -o " + work / "r.trace.gz" +
                             " -- bash -c 'env -i /bin/true; :'",
                         0, "not recorded: /bin/true: the recorder did not begin in it");
}

BOOST_AUTO_TEST_CASE(static_program_in_a_wrappers_place_is_not_taken_for_it) {
    need_a_static_program();
    for (const std::string follow : {"", "--follow "}) {
        const workplace work;
        const run_result got = palloc_bench("record -q " + follow + "-o " + work / "r.trace.gz" +
                                            " -- sh -c 'exec " + still + " --version'");
        BOOST_TEST(got.status == 0);
        BOOST_TEST(got.output.find("nothing was recorded of the program itself: " + still +
                                   " is statically linked") != std::string::npos,
                   got.output);
        BOOST_TEST(std::filesystem::file_size(work / "r.trace.gz") == 0u); // not the shell's
        BOOST_TEST(work.traces().size() == (follow.empty() ? 1u : 2u));
    }
}

BOOST_AUTO_TEST_CASE(nothing_is_called_missed_that_was_not) {
    const workplace work;
    const temporary_file script("echo from a script", "script");
    std::filesystem::permissions(script.path(), std::filesystem::perms::owner_all);
    const run_result got =
        palloc_bench("record -q --follow -o " + work / "r.trace.gz" + " -- bash -c '/bin/true; " +
                     "nothing_of_that_name 2>/dev/null; exec 2>&1; ls / >/dev/null; " +
                     script.path().string() + "; (exec /bin/true); exec env /bin/true'");
    BOOST_TEST(got.status == 0);
    BOOST_TEST(got.output == "from a script\n");
}
