// SPDX-License-Identifier: MIT
#include "golden.hpp"

#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/bitmaps/indexed.hpp>
#include <palloc/core/layout.hpp>
#include <palloc/genalloc.hpp>

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <optional>
#include <string_view>
#include <utility>
#include <variant>

#include "golden_trace.hpp"
#include "gzip_lines.hpp"

namespace palloc::bench {
namespace {

constexpr address none = ~address{0};

/// How one answer compares.
enum class verdict : std::uint8_t { as_the_kernel, declared_repair, mismatch };

template <class Bitmap>
class golden_player {
  public:
    golden_player(const golden_trace& trace, golden_mode mode)
        : trace_(trace), repaired_(mode == golden_mode::repaired),
          pool_({.order = trace.order,
                 .behaviour = repaired_ ? quirks::repaired : quirks::kernel,
                 .on_misuse = {count_misuse}}),
          blocks_(trace.blocks) {
        if (trace.algorithm == golden_algorithm::best_fit)
            pool_.set_algo(best);
        if (trace.algorithm == golden_algorithm::first_fit_order_align)
            pool_.set_algo(order_align);
    }

    golden_outcome play(std::string_view bitmap) {
        golden_outcome outcome{.bitmap = std::string(bitmap)};
        for (const golden::operation& each : trace_.operations) {
            const verdict said =
                std::visit([this](const auto& o) { return this->try_out(o); }, each);
            ++outcome.operations;
            if (said == verdict::declared_repair)
                ++outcome.declared_repairs;
            if (said == verdict::mismatch && outcome.mismatches++ == 0)
                outcome.first_mismatch =
                    fmt::format("line {}: {}", golden_trace::header_lines + outcome.operations,
                                std::exchange(complaint_, {}));
        }
        return outcome;
    }

  private:
    static constexpr choice_of<best_fit, Bitmap> best{};
    static constexpr choice_of<first_fit_order_align, Bitmap> order_align{};

    verdict try_out(const golden::add& chunk) {
        const auto added = pool_.add_virt(chunk.base, chunk.physical, chunk.bytes);
        if (added)
            return verdict::as_the_kernel;
        const errc why = added.error().code;
        if (repaired_ && (why == errc::overlap || why == errc::zero_size)) {
            lacks_a_chunk_ = true;
            return verdict::declared_repair;
        }
        return differs("the chunk is refused: {}", to_string(why));
    }

    verdict try_out(const golden::allocate& wanted) {
        auto got = allocate(wanted);
        const bool refused_alignment = !got && got.error().code == errc::bad_alignment;
        if (refused_alignment && wanted.answer != 0) // keep step with the kernel's pool
            got = allocate_at(wanted.answer, wanted.bytes);
        blocks_[wanted.block] = got ? std::optional(*got) : std::nullopt;
        if (got.value_or(0) != wanted.answer)
            return lacks_a_chunk_ ? verdict::declared_repair
                                  : differs("allocated at {:#x}, the kernel at {:#x}",
                                            got.value_or(0), wanted.answer);
        return refused_alignment && wanted.answer != 0 ? verdict::declared_repair
                                                       : verdict::as_the_kernel;
    }

    verdict try_out(const golden::release& freed) {
        const std::optional<address> block = blocks_[freed.block];
        if (!block)
            return lacks_a_chunk_ ? verdict::declared_repair
                                  : differs("the block was never allocated");
        const auto done = pool_.free(*block, freed.bytes);
        return done ? verdict::as_the_kernel
                    : differs("the free is refused: {}", to_string(done.error().code));
    }

    verdict try_out(const golden::totals& asked) {
        if (pool_.avail() == asked.avail_answer && pool_.size() == asked.size_answer)
            return verdict::as_the_kernel;
        return lacks_a_chunk_
                   ? verdict::declared_repair
                   : differs("{} of {} bytes available, the kernel's: {} of {}", pool_.avail(),
                             pool_.size(), asked.avail_answer, asked.size_answer);
    }

    verdict try_out(const golden::has_addr& asked) {
        const bool got = pool_.has_addr(asked.start, asked.bytes);
        if (got == asked.answer)
            return verdict::as_the_kernel;
        const bool wraps = asked.start + (asked.bytes - 1) < asked.start || asked.bytes == 0;
        return repaired_ && (wraps || lacks_a_chunk_)
                   ? verdict::declared_repair
                   : differs("has_addr answers {:d}, the kernel {:d}", got, asked.answer);
    }

    verdict try_out(const golden::virt_to_phys& asked) {
        const auto got = pool_.virt_to_phys(asked.place);
        if (got.value_or(none) == asked.answer)
            return verdict::as_the_kernel;
        const bool unknown = !got && got.error().code == errc::not_supported;
        return repaired_ && (unknown || lacks_a_chunk_)
                   ? verdict::declared_repair
                   : differs("virt_to_phys answers {:#x}, the kernel {:#x}", got.value_or(none),
                             asked.answer);
    }

    result<address> allocate(const golden::allocate& wanted) {
        switch (trace_.algorithm) {
        case golden_algorithm::first_fit_align: // the kernel's field is an int
            return pool_.alloc(wanted.bytes,
                               first_fit_align(static_cast<std::int32_t>(wanted.data)));
        case golden_algorithm::fixed:
            return pool_.alloc(wanted.bytes, fixed(wanted.data));
        default:
            return pool_.alloc(wanted.bytes);
        }
    }

    result<address> allocate_at(address place, std::uint64_t bytes) {
        auto& beneath = pool_.as_pool();
        return beneath.allocate({.bytes = bytes, .within = {place, beneath.usable_bytes(bytes)}});
    }

    template <class... Values>
    verdict differs(fmt::format_string<Values...> text, Values&&... values) {
        complaint_ = fmt::format(text, std::forward<Values>(values)...);
        return verdict::mismatch;
    }

    const golden_trace& trace_;
    bool repaired_;
    bool lacks_a_chunk_ = false; ///< one was refused by a repair: what follows cannot be compared
    basic_genalloc<Bitmap> pool_;
    std::vector<std::optional<address>> blocks_;
    std::string complaint_;
};

/// Every bitmap that genalloc may have; the one list of them.
template <class F>
void for_each_bitmap(F&& f) {
    f.template operator()<flat>("flat");
    f.template operator()<indexed>("indexed");
    f.template operator()<atomic>("atomic");
}

std::string summary(const std::vector<golden_outcome>& outcomes, golden_mode mode) {
    std::string line = fmt::format("{} operations; mismatches:", outcomes.front().operations);
    for (const golden_outcome& each : outcomes)
        line += fmt::format(" {} {}", each.bitmap, each.mismatches);
    if (mode == golden_mode::repaired)
        line += fmt::format("; declared repairs: {}", outcomes.front().declared_repairs);
    for (const golden_outcome& each : outcomes)
        if (each.mismatches != 0)
            line += fmt::format("\n  {}: {}", each.bitmap, each.first_mismatch);
    return line;
}

} // namespace

std::vector<golden_outcome> replay_golden(const std::filesystem::path& file, golden_mode mode) {
    const golden_trace trace = read_golden_trace(file);
    std::vector<golden_outcome> outcomes;
    for_each_bitmap([&]<class Bitmap>(std::string_view name) {
        outcomes.push_back(golden_player<Bitmap>(trace, mode).play(name));
    });
    return outcomes;
}

int run_golden(std::span<const std::string> files, golden_mode mode) {
    int status = 0;
    for (const std::string& file : files) {
        try {
            const auto outcomes = replay_golden(file, mode);
            fmt::print("{}: {}\n", file, summary(outcomes, mode));
            const bool differs = std::any_of(outcomes.begin(), outcomes.end(),
                                             [](const auto& each) { return each.mismatches != 0; });
            status = std::max(status, differs ? 1 : 0);
        } catch (const trace_error& damaged) {
            fmt::print(stderr, "palloc-bench: {}\n", damaged.what());
            status = 2;
        }
    }
    return status;
}

} // namespace palloc::bench
