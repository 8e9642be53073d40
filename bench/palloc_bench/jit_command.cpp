// SPDX-License-Identifier: MIT
// Replays what JIT programs did with pages of memory over a perm_alloc.
//
// Every mapping of the trace is an allocation that owns its pages. What the program made writable
// and executable at once is served as executable pages, written through the other view, and
// counted. At both ends of each run of pages that may be written or executed a mark is kept, and
// checked when the run changes or goes.
#include <palloc/core/permissions.hpp>
#include <palloc/perm_alloc.hpp>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "commands.hpp"
#include "gzip_lines.hpp"
#include "jit_trace.hpp"

namespace palloc::bench {
namespace {

constexpr std::uint64_t page = 4096;

/// Replays one trace; throws `trace_error` where it is none, or where a mark is lost.
class jit_replay {
  public:
    explicit jit_replay(const std::filesystem::path& file) : lines_(file) {
        std::string_view line;
        if (!lines_.next(line) || line != "# palloc-jit-trace 1")
            throw lines_.error("not a trace of pages");
        if (!lines_.next(line) || !line.starts_with("# program:"))
            throw lines_.error("no program is named");
    }
    jit_replay(const jit_replay&) = delete;
    jit_replay& operator=(const jit_replay&) = delete;
    ~jit_replay() {
        for (const mapping& each : mappings_)
            (void)code_.free(each.block);
    }

    [[nodiscard]] jit_figures run() {
        const auto begin = std::chrono::steady_clock::now();
        std::string_view line;
        while (lines_.next(line)) {
            words_ = line;
            const std::string_view what = word();
            ++told_.operations;
            if (what == "m")
                map();
            else if (what == "p")
                protect();
            else if (what == "u")
                unmap();
            else
                throw lines_.error("neither m, p nor u");
        }
        told_.seconds =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        told_.commits = code_.statistics();
        return told_;
    }

  private:
    struct mapping {
        perm_alloc::allocation block;
        std::vector<bool> there; ///< pages that are not unmapped
        std::size_t left = 0;
    };

    [[nodiscard]] std::string_view word() {
        const std::size_t end = std::min(words_.find(' '), words_.size());
        const std::string_view found = words_.substr(0, end);
        words_.remove_prefix(std::min(end + 1, words_.size()));
        return found;
    }
    [[nodiscard]] std::optional<std::uint64_t> maybe_number() {
        const std::string_view text = word();
        if (text.empty())
            return std::nullopt;
        std::uint64_t value = 0;
        const auto [end, wrong] = std::from_chars(text.data(), text.data() + text.size(), value);
        if (wrong != std::errc{} || end != text.data() + text.size())
            throw lines_.error("not a number");
        return value;
    }
    [[nodiscard]] std::uint64_t number() {
        const auto value = maybe_number();
        if (!value)
            throw lines_.error("a number is missing");
        return *value;
    }
    /// What the program asked for, or as near as there is.
    [[nodiscard]] permissions allowed() {
        const std::string_view text = word();
        if (text.size() != 3)
            throw lines_.error("permissions are three characters");
        const bool writes = text[1] == 'w';
        const bool executes = text[2] == 'x';
        told_.rwx += writes && executes ? 1U : 0U;
        const bool any = writes || executes || text[0] == 'r';
        return permissions_of(any, writes && !executes, executes).value();
    }
    [[nodiscard]] mapping& named() {
        const std::uint64_t id = number();
        if (id >= mappings_.size() || mappings_[id].left == 0)
            throw lines_.error("no such mapping");
        return mappings_[id];
    }

    void must(const result<void>& done) {
        if (!done)
            throw lines_.error(
                fmt::format("{} ({})", to_string(done.error().code), done.error().os_code));
    }

    void map() {
        if (number() != mappings_.size())
            throw lines_.error("mappings are numbered in their order");
        const std::uint64_t pages = number();
        const permissions first = allowed();
        if (pages == 0 || pages > (std::uint64_t{1} << 36))
            throw lines_.error("no such number of pages");
        const auto block =
            code_.allocate({.bytes = pages * page, .allowed = first, .owns_pages = true});
        if (!block)
            must(tl::unexpected(block.error()));
        mappings_.push_back({*block, std::vector<bool>(pages, true), pages});
    }

    /// Calls `f(first, count)` for each run of pages that the line names and that are there.
    template <class F>
    void each_run(mapping& it, F&& f) {
        const auto first = maybe_number();
        const std::uint64_t begin = first.value_or(0);
        const std::uint64_t count = first ? number() : it.there.size();
        if (begin > it.there.size() || count > it.there.size() - begin)
            throw lines_.error("pages beyond the mapping");
        for (std::uint64_t at = begin; at != begin + count;) {
            std::uint64_t end = at;
            while (end != begin + count && it.there[end])
                ++end;
            if (end != at)
                f(at, end - at);
            else if (first)
                throw lines_.error("a page that is not there");
            at = std::max(end, at + 1);
        }
    }

    void protect() {
        mapping& it = named();
        const permissions now = allowed();
        each_run(it, [&](std::uint64_t first, std::uint64_t count) {
            const std::uint64_t offset = first * page;
            const permissions before = it.block.allowed(offset);
            must(it.block.change(offset, count * page, now));
            ++told_.changes;
            told_.flips += executable(before) != executable(now) ? 1U : 0U;
            if (executable(now)) // as the program writes its code, and as it is seen
                mark(it, offset, ++marks_);
        });
    }
    void mark(const mapping& it, std::uint64_t offset, std::uint64_t value) {
        must(it.block.patch(offset, value));
        if (*reinterpret_cast<const std::uint64_t*>(it.block.address() + offset) != value)
            throw lines_.error("what was written is not there");
        ++told_.marks;
    }

    void unmap() {
        mapping& it = named();
        each_run(it, [&](std::uint64_t first, std::uint64_t count) {
            for (std::uint64_t i = first; i != first + count; ++i)
                it.there[i] = false;
            it.left -= count;
            if (it.left != 0) // the addresses stay the program's until the last page goes
                must(it.block.change(first * page, count * page, permissions::none));
        });
        if (it.left == 0)
            must(code_.free(std::exchange(it.block, {})));
    }

    gzip_lines lines_;
    std::string_view words_;
    perm_alloc code_;
    std::vector<mapping> mappings_;
    std::uint64_t marks_ = 0;
    jit_figures told_;
};

void show(const std::vector<std::string>& given) {
    std::vector<std::filesystem::path> files(given.begin(), given.end());
    if (files.empty())
        for (const auto& each : std::filesystem::directory_iterator(
                 std::filesystem::path(PALLOC_BENCH_TRACES) / "jit"))
            if (each.path().native().ends_with(".trace.gz"))
                files.push_back(each.path());
    fmt::print("{:24} {:>8} {:>9} {:>8} {:>8} {:>8} {:>8}\n", "trace", "ops", "ns/op", "changes",
               "flips", "rwx", "marks");
    for (const auto& file : files) {
        const jit_figures told = replay_jit_trace(file);
        fmt::print("{:24} {:>8} {:>9.0f} {:>8} {:>8} {:>8} {:>8}\n", file.filename().string(),
                   told.operations, told.seconds * 1e9 / static_cast<double>(told.operations),
                   told.changes, told.flips, told.rwx, told.marks);
    }
    fmt::print("\nflips: changes that gave or took x.  rwx: what the program made writable and "
               "executable,\nserved as executable pages written through a second view.\n");
}

} // namespace

jit_figures replay_jit_trace(const std::filesystem::path& file) {
    return jit_replay(file).run();
}

void add_jit_command(CLI::App& program) {
    CLI::App* const command = program.add_subcommand(
        "jit", "Replays what JIT programs did with pages, over memory that is never rwx.");
    const auto files = std::make_shared<std::vector<std::string>>();
    command->add_option("trace", *files, "Traces of pages (default: those that come with palloc)");
    command->callback([files] { show(*files); });
}

} // namespace palloc::bench
