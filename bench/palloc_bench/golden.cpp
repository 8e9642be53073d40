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

/// Whether repairs refuse a chunk of the trace.
bool lacks_chunks(const golden_trace& trace) {
    genalloc all({.order = trace.order, .on_misuse = {count_misuse}});
    for (const golden::operation& each : trace.operations)
        if (const auto* const chunk = std::get_if<golden::add>(&each))
            if (const auto added = all.add(chunk->base, chunk->bytes);
                !added &&
                (added.error().code == errc::overlap || added.error().code == errc::zero_size))
                return true;
    return false;
}

template <class Bitmap>
class golden_player {
    using pool_type = basic_genalloc<Bitmap>;
    using chunk_type = typename pool_type::chunk;

  public:
    golden_player(const golden_trace& trace, golden_mode mode)
        : trace_(trace), repaired_(mode == golden_mode::repaired),
          mirrors_(repaired_ && lacks_chunks(trace)),
          pool_(options(repaired_ ? quirks::repaired : quirks::kernel)),
          mirror_(options(quirks::kernel)), blocks_(trace.blocks), mirrored_(trace.blocks) {
        for (pool_type* const each : {&pool_, &mirror_}) {
            if (trace.algorithm == golden_algorithm::best_fit)
                each->set_algo(best);
            if (trace.algorithm == golden_algorithm::first_fit_order_align)
                each->set_algo(order_align);
        }
    }

    golden_outcome play(std::string_view bitmap) {
        golden_outcome outcome{.bitmap = std::string(bitmap)};
        for (const golden::operation& each : trace_.operations) {
            const verdict said =
                std::visit([this](const auto& o) { return this->try_out(o); }, each);
            ++outcome.operations;
            if (said == verdict::declared_repair)
                ++outcome.repairs[index_of(why_)];
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

    [[nodiscard]] genalloc_options options(quirks behaviour) const {
        return {.order = trace_.order, .behaviour = behaviour, .on_misuse = {count_misuse}};
    }

    verdict try_out(const golden::add& chunk) {
        const auto added = pool_.add_virt(chunk.base, chunk.physical, chunk.bytes);
        const bool there =
            mirrors_ && mirror_.add_virt(chunk.base, chunk.physical, chunk.bytes).has_value();
        if (added)
            return verdict::as_the_kernel;
        const errc why = added.error().code;
        if (there && (why == errc::overlap || why == errc::zero_size)) {
            const chunk_type* newest = nullptr;
            mirror_.for_each_chunk(
                [&](const chunk_type& c) { newest = newest == nullptr ? &c : newest; });
            absent_.push_back(newest);
            return declared(why == errc::overlap ? golden_repair::overlapping_chunk
                                                 : golden_repair::empty_chunk);
        }
        return differs("the chunk is refused: {}", to_string(why));
    }

    verdict try_out(const golden::allocate& wanted) {
        std::optional<address>& block = blocks_[wanted.block];
        if (mirrors_) {
            std::optional<address>& there = mirrored_[wanted.block];
            const bool in_absent = happens_in_absent([&] {
                if (const auto got = allocate(mirror_, wanted))
                    there = *got;
            });
            if (in_absent && there == wanted.answer)
                return declared(golden_repair::absent_chunk);
        }
        auto got = allocate(pool_, wanted);
        const bool refused_alignment = !got && got.error().code == errc::bad_alignment;
        if (refused_alignment && wanted.answer != 0) // keep step with the kernel's pool
            got = allocate_at(wanted.answer, wanted.bytes);
        block = got ? std::optional(*got) : std::nullopt;
        if (got.value_or(0) != wanted.answer)
            return differs("allocated at {:#x}, the kernel at {:#x}", got.value_or(0),
                           wanted.answer);
        return refused_alignment && wanted.answer != 0 ? declared(golden_repair::no_alignment)
                                                       : verdict::as_the_kernel;
    }

    verdict try_out(const golden::release& freed) {
        if (const std::optional<address> there = mirrored_[freed.block])
            if (happens_in_absent([&] { (void)mirror_.free(*there, freed.bytes); }))
                return declared(golden_repair::absent_chunk);
        const std::optional<address> block = blocks_[freed.block];
        if (!block)
            return differs("the block was never allocated");
        const auto done = pool_.free(*block, freed.bytes);
        return done ? verdict::as_the_kernel
                    : differs("the free is refused: {}", to_string(done.error().code));
    }

    verdict try_out(const golden::totals& asked) {
        std::uint64_t avail = pool_.avail();
        std::uint64_t size = pool_.size();
        const auto equal = [&] { return avail == asked.avail_answer && size == asked.size_answer; };
        if (equal())
            return verdict::as_the_kernel;
        for (const chunk_type* const each : absent_) {
            size += each->where.bytes;
            avail += each->where.bytes -
                     mirror_.as_pool().granule().offset(each->map.size() - each->map.free_count());
        }
        return equal() ? declared(golden_repair::absent_chunk)
                       : differs("{} of {} bytes available, the kernel's: {} of {}", avail, size,
                                 asked.avail_answer, asked.size_answer);
    }

    verdict try_out(const golden::has_addr& asked) {
        const bool got = pool_.has_addr(asked.start, asked.bytes);
        if (got == asked.answer)
            return verdict::as_the_kernel;
        const address last = asked.start + (asked.bytes - 1);
        if (repaired_ && in_absent(asked.start, last))
            return declared(golden_repair::absent_chunk);
        if (repaired_ && (last < asked.start || asked.bytes == 0))
            return declared(golden_repair::wrapping_range);
        return differs("has_addr answers {:d}, the kernel {:d}", got, asked.answer);
    }

    verdict try_out(const golden::virt_to_phys& asked) {
        const auto got = pool_.virt_to_phys(asked.place);
        if (got.value_or(none) == asked.answer)
            return verdict::as_the_kernel;
        if (repaired_ && in_absent(asked.place, asked.place))
            return declared(golden_repair::absent_chunk);
        if (repaired_ && !got && got.error().code == errc::not_supported)
            return declared(golden_repair::no_physical_address);
        return differs("virt_to_phys answers {:#x}, the kernel {:#x}", got.value_or(none),
                       asked.answer);
    }

    result<address> allocate(pool_type& from, const golden::allocate& wanted) {
        switch (trace_.algorithm) {
        case golden_algorithm::first_fit_align: // the kernel's field is an int
            return from.alloc(wanted.bytes,
                              first_fit_align(static_cast<std::int32_t>(wanted.data)));
        case golden_algorithm::fixed:
            return from.alloc(wanted.bytes, fixed(wanted.data));
        default:
            return from.alloc(wanted.bytes);
        }
    }

    result<address> allocate_at(address place, std::uint64_t bytes) {
        auto& beneath = pool_.as_pool();
        return beneath.allocate({.bytes = bytes, .within = {place, beneath.usable_bytes(bytes)}});
    }

    /// Whether `f`, a call of the mirror, takes or gives granules of a chunk that the pool lacks.
    template <class F>
    [[nodiscard]] bool happens_in_absent(F&& f) {
        const auto free = [this] {
            std::size_t sum = 0;
            for (const chunk_type* const each : absent_)
                sum += each->map.free_count();
            return sum;
        };
        const std::size_t before = free();
        f();
        return free() != before;
    }
    /// Whether the kernel finds the range in a chunk that the pool lacks.
    [[nodiscard]] bool in_absent(address first, address last) const {
        return std::any_of(absent_.begin(), absent_.end(), [&](const chunk_type* c) {
            return first >= c->where.base && last <= c->where.base + (c->where.bytes - 1);
        });
    }

    verdict declared(golden_repair why) {
        why_ = why;
        return verdict::declared_repair;
    }
    template <class... Values>
    verdict differs(fmt::format_string<Values...> text, Values&&... values) {
        complaint_ = fmt::format(text, std::forward<Values>(values)...);
        return verdict::mismatch;
    }

    const golden_trace& trace_;
    bool repaired_;
    bool mirrors_;
    pool_type pool_;
    /// Does as the kernel does, so that it is known what happens in chunks that the pool refused,
    /// and all else can be compared. Only where there are some.
    pool_type mirror_;
    std::vector<const chunk_type*> absent_; ///< those chunks, in the mirror
    std::vector<std::optional<address>> blocks_;
    std::vector<std::optional<address>> mirrored_;
    golden_repair why_{};
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
    if (mode == golden_mode::repaired) {
        line += fmt::format("; declared repairs: {}", outcomes.front().declared());
        for (const declared_repair& each : declared_repairs)
            if (const auto count = outcomes.front().repairs[index_of(each.which)]; count != 0)
                line += fmt::format(", {} {}", each.name, count);
    }
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
