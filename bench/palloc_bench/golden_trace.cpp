// SPDX-License-Identifier: MIT
#include "golden_trace.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <fmt/format.h>
#include <iterator>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>

#include "gzip_lines.hpp"

namespace palloc::bench {
namespace {

using namespace std::string_view_literals;

constexpr std::array algorithm_names{"first_fit"sv, "first_fit_align"sv, "first_fit_order_align"sv,
                                     "best_fit"sv, "fixed"sv};

class golden_reader {
  public:
    explicit golden_reader(const std::filesystem::path& file) : lines_(file) {}

    golden_trace read() {
        take_header();
        while (lines_.next(rest_))
            trace_.operations.push_back(take_operation());
        return std::move(trace_);
    }

  private:
    struct live_block {
        std::size_t number;
        std::uint64_t bytes;
        bool is_live;
    };

    void take_header() {
        if (!lines_.next(rest_))
            throw lines_.error("the file is empty");
        if (rest_ != "# palloc-trace 1")
            throw lines_.error("is not '# palloc-trace 1'");
        if (!lines_.next(rest_))
            throw lines_.error("the line 'pool' is missing");
        if (take_word() != "pool")
            throw lines_.error("does not begin with 'pool'");
        const std::uint64_t order = take_decimal("order");
        if (order > 63)
            throw lines_.error(fmt::format("the order {} is above 63", order));
        trace_.order = static_cast<unsigned>(order);
        const std::string_view name = take_word();
        const auto found = std::find(algorithm_names.begin(), algorithm_names.end(), name);
        if (found == algorithm_names.end())
            throw lines_.error(fmt::format("'{}' is no algorithm", name));
        trace_.algorithm =
            static_cast<golden_algorithm>(std::distance(algorithm_names.begin(), found));
        take_end();
    }

    // Members of a braced list are read in the order in which they are written.
    golden::operation take_operation() {
        const std::string_view verb = take_word();
        golden::operation taken;
        if (verb == "chunk")
            taken = golden::add{take_address("base"), take_decimal("size"), take_address("phys")};
        else if (verb == "a")
            taken = take_allocation();
        else if (verb == "f")
            taken = take_release();
        else if (verb == "s")
            taken = golden::totals{take_decimal("avail"), take_decimal("size")};
        else if (verb == "h")
            taken = golden::has_addr{take_address("address"), take_decimal("length"), take_flag()};
        else if (verb == "v")
            taken = golden::virt_to_phys{take_address("address"), take_address("phys")};
        else
            throw lines_.error(fmt::format("'{}' is no operation", verb));
        take_end();
        return taken;
    }

    golden::allocate take_allocation() {
        const std::uint64_t id = take_decimal("id");
        const golden::allocate taken{trace_.blocks++, take_decimal("size"), take_signed("data"),
                                     take_address("result")};
        if (!blocks_.try_emplace(id, live_block{taken.block, taken.bytes, true}).second)
            throw lines_.error(fmt::format("the id {} was used before", id));
        return taken;
    }

    golden::release take_release() {
        const std::uint64_t id = take_decimal("id");
        const auto found = blocks_.find(id);
        if (found == blocks_.end())
            throw lines_.error(fmt::format("the id {} was never allocated", id));
        if (!std::exchange(found->second.is_live, false))
            throw lines_.error(fmt::format("the id {} was freed before", id));
        return {found->second.number, found->second.bytes};
    }

    bool take_flag() {
        const std::string_view word = take_word();
        if (word != "0" && word != "1")
            throw lines_.error(fmt::format("the answer '{}' is neither 0 nor 1", word));
        return word == "1";
    }

    address take_address(std::string_view what) {
        const std::string_view word = take_word();
        if (!word.starts_with("0x"))
            throw lines_.error(fmt::format("the {} '{}' does not begin with 0x", what, word));
        return number<std::uint64_t>(what, word.substr(2), 16);
    }
    std::uint64_t take_decimal(std::string_view what) {
        return number<std::uint64_t>(what, take_word(), 10);
    }
    std::uint64_t take_signed(std::string_view what) {
        const std::string_view word = take_word();
        return word.starts_with('-')
                   ? static_cast<std::uint64_t>(number<std::int64_t>(what, word, 10))
                   : number<std::uint64_t>(what, word, 10);
    }

    template <class T>
    T number(std::string_view what, std::string_view digits, int base) {
        T value{};
        const auto [end, code] = std::from_chars(digits.begin(), digits.end(), value, base);
        if (code != std::errc{} || end != digits.end())
            throw lines_.error(fmt::format("the {} '{}' is not a number", what, digits));
        return value;
    }

    /// The next word; words are one space apart.
    std::string_view take_word() {
        const std::size_t end = std::min(rest_.find(' '), rest_.size());
        const std::string_view word = rest_.substr(0, end);
        if (word.empty())
            throw lines_.error("a word is missing");
        rest_.remove_prefix(end);
        if (rest_.size() > 1)
            rest_.remove_prefix(1);
        return word;
    }
    void take_end() {
        if (!rest_.empty())
            throw lines_.error(fmt::format("'{}' is too much", rest_));
    }

    gzip_lines lines_;
    std::string_view rest_; // of the line
    golden_trace trace_;
    std::unordered_map<std::uint64_t, live_block> blocks_; // by id
};

} // namespace

golden_trace read_golden_trace(const std::filesystem::path& file) {
    return golden_reader(file).read();
}

} // namespace palloc::bench
