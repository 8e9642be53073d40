// SPDX-License-Identifier: MIT
#include "recording.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fcntl.h>
#include <fmt/format.h>
#include <list>
#include <optional>
#include <poll.h>
#include <record/ring.hpp>
#include <string_view>
#include <system_error>
#include <unistd.h>
#include <utility>

#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "commands.hpp"
#include "elf_program.hpp"
#include "executed_programs.hpp"
#include "ring_reader.hpp"

namespace palloc::bench {
namespace {

using record::ring;

constexpr int poll_milliseconds = 1;
constexpr std::uint64_t events_a_turn = 16 * 1024;
constexpr int exec_failed = 127;

using detail::fail;

/// A folder that goes away, in memory where there is room.
class ring_folder {
  public:
    ring_folder() {
        struct statvfs facts{};
        constexpr std::uint64_t enough = std::uint64_t{8} * sizeof(ring);
        const bool shared_memory = statvfs("/dev/shm", &facts) == 0 &&
                                   facts.f_bavail * facts.f_frsize >= enough &&
                                   access("/dev/shm", W_OK) == 0;
        std::string name = ((shared_memory ? std::filesystem::path("/dev/shm")
                                           : std::filesystem::temp_directory_path()) /
                            "palloc-record-XXXXXX")
                               .string();
        if (mkdtemp(name.data()) == nullptr)
            fail("mkdtemp");
        path_ = name;
    }
    ring_folder(const ring_folder&) = delete;
    ring_folder& operator=(const ring_folder&) = delete;
    ~ring_folder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

  private:
    std::filesystem::path path_;
};

std::atomic<pid_t> signal_target{0};
std::atomic<bool> asked_to_end{false};

void pass_on(int signal, siginfo_t* info, void*) {
    const int error = errno;
    const pid_t target = signal_target.load();
    // What comes from the terminal has reached the program as well.
    if (target != 0 && info->si_code != SI_KERNEL)
        kill(target, signal);
    if (target == 0)
        asked_to_end.store(true);
    errno = error;
}

/// Handlers, which `exec` resets, where "ignore" would be inherited by the program.
class signals_pass_on {
  public:
    signals_pass_on() {
        struct sigaction action{};
        action.sa_sigaction = pass_on;
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        for (std::size_t i = 0; i != numbers.size(); ++i) {
            sigaction(numbers[i], nullptr, &before_[i]);
            if (before_[i].sa_handler != SIG_IGN) // nohup
                sigaction(numbers[i], &action, nullptr);
        }
    }
    signals_pass_on(const signals_pass_on&) = delete;
    signals_pass_on& operator=(const signals_pass_on&) = delete;
    ~signals_pass_on() {
        for (std::size_t i = 0; i != numbers.size(); ++i)
            sigaction(numbers[i], &before_[i], nullptr);
        signal_target.store(0);
        asked_to_end.store(false);
    }

  private:
    static constexpr std::array numbers{SIGINT,  SIGQUIT, SIGTERM, SIGHUP,
                                        SIGUSR1, SIGUSR2, SIGALRM, SIGCONT};
    std::array<struct sigaction, numbers.size()> before_{};
};

std::filesystem::path recorder_library() {
    const auto beside = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    for (const auto& folder : {beside, beside.parent_path() / "bench"})
        if (const auto file = folder / "libpalloc-record.so"; std::filesystem::exists(file))
            return file;
    throw std::runtime_error((beside / "libpalloc-record.so").string() + " is missing");
}

[[noreturn]] void become(const std::filesystem::path& program,
                         const std::vector<std::string>& command, const recording_options& options,
                         const std::filesystem::path& library, const std::filesystem::path& folder,
                         int errors) {
    const auto set = [](const char* name, const std::string& value) {
        setenv(name, value.c_str(), 1);
    };
    const char* const preloaded = std::getenv("LD_PRELOAD");
    set("LD_PRELOAD",
        library.string() + (preloaded == nullptr ? "" : ":" + std::string(preloaded)));
    set(record::folder_variable, folder.string());
    set(record::recorder_variable, std::to_string(getppid()));
    if (options.follow)
        unsetenv(record::only_variable);
    else
        set(record::only_variable, std::to_string(getpid()));
    std::vector<char*> arguments;
    for (const std::string& each : command)
        arguments.push_back(const_cast<char*>(each.c_str()));
    arguments.push_back(nullptr);
    execv(program.c_str(), arguments.data());
    const int error = errno;
    (void)!write(errors, &error, sizeof error);
    _exit(exec_failed);
}

pid_t start(const recording_options& options, const std::filesystem::path& folder) {
    const auto program = find_program(options.command.front());
    if (!program)
        throw usage_error(options.command.front() + ": no such program");
    if (const auto why = why_not_recordable(*program))
        throw usage_error(*why);
    const auto library = recorder_library();
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        fail("pipe2");
    const descriptor from(ends[0]);
    descriptor to(ends[1]);
    std::fflush(nullptr);
    const pid_t child = fork();
    if (child < 0)
        fail("fork");
    if (child == 0)
        become(*program, options.command, options, library, folder, to.get());
    to = descriptor(-1);
    int error = 0;
    if (read(from.get(), &error, sizeof error) == sizeof error) {
        waitpid(child, nullptr, 0);
        throw usage_error(fmt::format("{}: {}", program->string(), std::strerror(error)));
    }
    return child;
}

class session {
  public:
    explicit session(const recording_options& options)
        : options_(options), appeared_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        if (appeared_.get() < 0 ||
            inotify_add_watch(appeared_.get(), folder_.path().c_str(), IN_CREATE) < 0)
            fail("inotify");
        // Looked at before the program runs for nothing.
        std::ofstream probe(options.file, std::ios::app);
        if (!probe)
            throw usage_error(options.file.string() + ": cannot be written");
    }

    recording run() {
        const signals_pass_on passing;
        own_ = start(options_, folder_.path());
        signal_target.store(own_);
        bool running = true;
        while (running || (options_.follow && !streams_.empty() && !asked_to_end.load())) {
            bool ended_now = false;
            if (running && waitpid(own_, &result_.wait_status, WNOHANG) == own_) {
                running = false;
                ended_now = true;
                signal_target.store(0);
            }
            welcome();
            bool idle = true;
            for (auto each = streams_.begin(); each != streams_.end();) {
                if (ended_now && each->process() == own_)
                    each->end();
                each->look();
                if (each->ended())
                    leave(*each++);
                else
                    idle = attempt([&] { return (each++)->read_some(events_a_turn); }) == 0 && idle;
            }
            if (idle && running) {
                pollfd wait{appeared_.get(), POLLIN, 0};
                poll(&wait, 1, poll_milliseconds);
            } else if (idle)
                poll(nullptr, 0, poll_milliseconds);
        }
        while (!streams_.empty())
            leave(streams_.front());
        keep_own();
        if (failure_)
            std::rethrow_exception(failure_);
        return std::move(result_);
    }

  private:
    /// Errors of writing end the recording, not the program.
    template <class Action>
    std::uint64_t attempt(Action action) {
        try {
            if (!failure_)
                return action();
        } catch (...) {
            failure_ = std::current_exception();
        }
        return 0;
    }

    void welcome() {
        alignas(inotify_event) std::array<char, 16384> events;
        for (ssize_t got = 0; (got = read(appeared_.get(), events.data(), events.size())) > 0;) {
            for (ssize_t at = 0; at < got;) {
                const auto* const one = reinterpret_cast<const inotify_event*>(events.data() + at);
                at += static_cast<ssize_t>(sizeof *one + one->len);
                attempt([&] {
                    take_up(one->name);
                    return std::uint64_t{0};
                });
            }
        }
    }

    void take_up(std::string_view name) {
        int process = 0;
        const auto dot = name.find('.');
        if (dot == 0 || dot == std::string_view::npos)
            return; // not whole yet
        std::from_chars(name.data(), name.data() + dot, process);
        const auto kind = static_cast<record::notice>(name.substr(dot + 1).front());
        if (kind == record::notice::failed)
            programs_.failed(process);
        else if (kind == record::notice::executes)
            programs_.executes(process, std::filesystem::read_symlink(folder_.path() / name));
        else if (kind == record::notice::spawned)
            programs_.spawned(process, std::filesystem::read_symlink(folder_.path() / name));
        else
            return open_stream(name, process);
        std::filesystem::remove(folder_.path() / name);
    }

    void open_stream(std::string_view name, int process) {
        for (ring_reader& former : streams_)
            if (former.process() == process)
                former.end(); // its process executes another program now
        const int program = programs_.programs_of(process);
        programs_.made_ring(process);
        const auto file = folder_.path() / name;
        const std::filesystem::path part =
            options_.file.string() + fmt::format(".{}.{}.part", process, program);
        streams_.emplace_back(file, process, program, part);
        std::filesystem::remove(file);
    }

    void leave(ring_reader& ended) {
        attempt([&] {
            const trace_writer::totals totals = ended.finish();
            if (totals.header.operations == 0)
                std::filesystem::remove(ended.part());
            else if (ended.process() == own_) {
                keep_former();
                former_ = recorded_program{ended.part(), ended.process(), totals};
                former_number_ = ended.program();
            } else
                keep(recorded_program{ended.part(), ended.process(), totals},
                     followed_name(options_.file, ended.process(), ended.program()));
            return std::uint64_t{0};
        });
        if (failure_) {
            std::error_code ignored;
            std::filesystem::remove(ended.part(), ignored);
        }
        streams_.remove_if([&](const ring_reader& each) { return &each == &ended; });
    }

    /// A program that another took the place of.
    void keep_former() {
        if (!former_)
            return;
        if (options_.follow)
            keep(*former_, followed_name(options_.file, own_, former_number_));
        else
            std::filesystem::remove(former_->file);
        former_.reset();
    }

    void keep_own() {
        result_.why_not_own = programs_.why_missed(own_);
        if (!result_.why_not_own.empty())
            programs_.failed(own_); // told by itself
        result_.missed = programs_.all_missed();
        if (!result_.why_not_own.empty())
            return keep_former(); // which is not what ran last
        if (!former_)
            return;
        std::filesystem::rename(former_->file, options_.file);
        former_->file = options_.file;
        result_.programs.insert(result_.programs.begin(), *former_);
        result_.has_own = true;
    }

    void keep(recorded_program what, const std::filesystem::path& name) {
        std::filesystem::rename(what.file, name);
        what.file = name;
        result_.programs.push_back(std::move(what));
    }

    const recording_options& options_;
    ring_folder folder_;
    descriptor appeared_;
    pid_t own_ = 0;
    std::list<ring_reader> streams_;
    executed_programs programs_;
    std::optional<recorded_program> former_; // the last that our own process executed
    int former_number_ = 0;
    std::exception_ptr failure_;
    recording result_;
};

} // namespace

std::filesystem::path followed_name(const std::filesystem::path& file, int process, int program) {
    std::string name = file.filename().string();
    const std::size_t suffix = std::min(name.find(".trace"), name.size());
    name.insert(suffix, program == 0 ? fmt::format(".{}", process)
                                     : fmt::format(".{}-{}", process, program));
    return file.parent_path() / name;
}

recording record(const recording_options& options) {
    return session(options).run();
}

} // namespace palloc::bench
