// SPDX-License-Identifier: MIT
// What concepts/typed_allocator.hpp asks of every typed allocator.
#include <palloc/concepts/typed_allocator.hpp>
#include <palloc/core/alloc_flags.hpp>
#include <palloc/core/layout.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include "models/typed_allocators.hpp"
#include "support/check.hpp"
#include "support/random.hpp"

using namespace palloc;
using test::typed_rig;

namespace {

using models = test::typed_allocator_models;
using sizes = std::vector<std::uint64_t>;

template <class A>
using can_fail = boost::mp11::mp_bool<requires(typed_rig<A>& rig) { rig.fail_nth(1); }>;
template <class A>
using is_handle = boost::mp11::mp_bool<allocator_handle<A>>;
template <class A>
using has_pages = boost::mp11::mp_bool<page_allocator<A>>;
using failing_models = boost::mp11::mp_copy_if<models, can_fail>;
using handles = boost::mp11::mp_copy_if<models, is_handle>;
using page_models = boost::mp11::mp_copy_if<models, has_pages>;

bool is_all(std::span<const std::byte> bytes, std::byte value) {
    return bytes.empty() || (bytes[0] == value &&
                             std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

bool lies_at(const std::byte* block, std::uint64_t alignment) {
    return reinterpret_cast<std::uintptr_t>(block) % alignment == 0;
}

/// Blocks of one allocator, and what each was told and holds. All that it answers is checked.
template <typed_allocator A>
class life {
  public:
    explicit life(A& from) : from_(from) {}
    life(const life&) = delete;
    life& operator=(const life&) = delete;
    ~life() {
        while (!all_.empty())
            end(all_.size() - 1);
    }

    [[nodiscard]] std::size_t size() const { return all_.size(); }

    bool begin(const layout& wanted, alloc_flags how) {
        const auto got = alloc(from_, wanted, how);
        if (got)
            all_.push_back(checked(*got, wanted, {}, 0, how));
        return got.has_value();
    }
    bool change(std::size_t i, const layout& wanted, alloc_flags how) {
        held& one = all_[i];
        check_contents(one);
        const auto got = from_.realloc(one.block.data(), wanted, one.of, how, no_node);
        if (got)
            one = checked(*got, wanted, one.mark, one.of.bytes, how);
        else
            check_contents(one);
        return got.has_value();
    }
    bool shorten(std::size_t i, std::uint64_t bytes, alloc_flags how) {
        held& one = all_[i];
        const layout wanted{std::min(bytes, one.of.bytes), one.of.alignment};
        const auto got = shrink(from_, one.block.data(), wanted, one.of, how);
        if (got)
            one = checked(*got, wanted, one.mark, one.of.bytes, how);
        else
            check_contents(one);
        return got.has_value();
    }
    void end(std::size_t i) {
        check_contents(all_[i]);
        free(from_, all_[i].block.data(), all_[i].of);
        std::swap(all_[i], all_.back());
        all_.pop_back();
    }

    /// @brief Something that a program might do.
    bool step(test::random_source& random, std::uint64_t largest) {
        const layout wanted{random.between(1, random.chance(70) ? 300 : largest),
                            std::uint64_t{1} << random.below(random.chance(80) ? 5 : 14)};
        const alloc_flags how = random.chance(50) ? flags::kernel : flags::kernel | flags::zero;
        if (all_.size() < 20)
            return begin(wanted, how);
        const std::size_t one = random.below(all_.size());
        switch (random.below(6)) {
        case 0:
            end(one);
            return true;
        case 1:
            return shorten(one, random.between(1, largest), how);
        case 2:
            (void)change(one, wanted, random.chance(50) ? flags::nowait : flags::atomic);
            return true; // it may be refused
        default:
            return change(one, wanted, how);
        }
    }

  private:
    struct held {
        std::span<std::byte> block;
        layout of;
        std::byte mark;
    };

    /// What was answered, all of it filled with a new mark: bytes behind those that were asked for
    /// are the caller's too, and nobody's promise.
    held checked(std::span<std::byte> block, const layout& of, std::byte mark, std::uint64_t kept,
                 alloc_flags how) {
        test::check(block.size() >= of.bytes);
        test::check(lies_at(block.data(), of.alignment) && lies_at(block.data(), A::min_align));
        for (const held& each : all_)
            test::check(each.block.data() == block.data() || // this one, before it changed
                        each.block.data() + each.block.size() <= block.data() ||
                        block.data() + block.size() <= each.block.data());
        const auto asked = block.first(static_cast<std::size_t>(of.bytes));
        const auto old = static_cast<std::size_t>(std::min(kept, of.bytes));
        test::check(is_all(asked.first(old), mark));
        if (how.contains(flags::zero))
            test::check(is_all(asked.subspan(old), std::byte{0}));
        const auto next = static_cast<std::byte>(++marks_ % 255 + 1);
        std::memset(block.data(), static_cast<int>(next), block.size());
        return {block, of, next};
    }
    static void check_contents(const held& one) { test::check(is_all(one.block, one.mark)); }

    A& from_;
    std::vector<held> all_;
    unsigned marks_ = 0;
};

} // namespace

BOOST_AUTO_TEST_SUITE(every_typed_allocator)

BOOST_AUTO_TEST_CASE_TEMPLATE(any_layout_is_served, A, models) {
    typed_rig<A> rig;
    for (std::uint64_t alignment = 1; alignment <= 1 << 14; alignment *= 4) {
        life all(rig.allocator);
        for (const std::uint64_t bytes : sizes{1, 2, 15, 16, 17, 100, 4095, 4096, 4097, 20'000})
            for (const alloc_flags how : {flags::kernel, flags::kernel | flags::zero})
                test::check(all.begin({bytes, alignment}, how));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(nothing_is_dangling_aligned_and_never_fails, A, models) {
    typed_rig<A> rig;
    A& from = rig.allocator;
    for (const std::uint64_t alignment : sizes{1, 8, 64, 4096}) {
        const layout nothing{0, alignment};
        const auto is_nothing = [&](const result<std::span<std::byte>>& got) {
            return got && got->empty() && got->data() != nullptr && lies_at(got->data(), alignment);
        };
        const auto none = alloc(from, nothing, flags::nowait);
        test::check(is_nothing(none));
        test::check(is_nothing(from.realloc(none->data(), nothing, nothing, {}, no_node)));
        free(from, none->data(), nothing);
        // Where the old layout is empty the old address does not count.
        const auto block = from.realloc(none->data(), {40, 8}, nothing, flags::kernel, no_node);
        test::require(block.has_value());
        test::check(is_nothing(from.realloc(block->data(), nothing, {40, 8}, {}, no_node)));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whatever_it_goes_through_a_block_keeps_its_bytes, A, models) {
    typed_rig<A> rig;
    test::random_source random;
    BOOST_TEST_CONTEXT(random) {
        life all(rig.allocator);
        for (int step = 0; step != 2'000; ++step)
            test::check(all.step(random, step % 100 == 0 ? 300'000 : 9'000));
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_cannot_be_served_leaves_the_block, A, models) {
    typed_rig<A> rig;
    life all(rig.allocator);
    test::require(all.begin({1000, 8}, flags::kernel));
    (void)all.begin({5 << 20, 8}, flags::kernel | flags::no_warn); // more than kmalloc serves
    for (const layout& absurd :
         {layout{~std::uint64_t{0}, 1}, layout{~std::uint64_t{0}, 4096}, layout{1ULL << 63, 16},
          layout{(1ULL << 63) - 1, 1ULL << 62}, layout{8, 0}, layout{8, 3}, layout{8, 48},
          layout{0, 0}, layout{0, 3}}) {
        test::check(!all.begin(absurd, flags::kernel | flags::no_warn));
        for (std::size_t i = 0; i != all.size(); ++i)
            test::check(!all.change(i, absurd, flags::kernel | flags::no_warn));
    }
    for (std::size_t i = 0; i != all.size(); ++i)
        test::check(all.change(i, {2000, 16}, flags::kernel | flags::zero));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(whatever_fails_beneath_the_block_stays, A, failing_models) {
    std::uint64_t n = 1;
    for (;; ++n) {
        typed_rig<A> rig;
        test::random_source random(7); // the same life each time
        life all(rig.allocator);
        const std::uint64_t before = rig.calls();
        rig.fail_nth(n);
        for (int step = 0; step != 60; ++step)
            (void)all.step(random, 100'000); // it may be refused
        if (rig.calls() - before < n)
            break;
    }
    test::check(n > 2); // there was something to fail
}

BOOST_AUTO_TEST_CASE_TEMPLATE(copies_of_a_handle_are_one, A, handles) {
    typed_rig<A> rig;
    A first = rig.allocator;
    A second = first;
    test::check(first == second);
    const auto block = alloc(first, {100, 8}, flags::kernel);
    test::require(block.has_value());
    std::memset(block->data(), 1, 100);
    const auto longer = second.realloc(block->data(), {9'000, 8}, {100, 8}, flags::kernel, no_node);
    test::require(longer.has_value());
    test::check(is_all(longer->first(100), std::byte{1}));
    free(rig.allocator, longer->data(), {9'000, 8});
}

BOOST_AUTO_TEST_CASE_TEMPLATE(pages_belong_to_one_block, A, page_models) {
    typed_rig<A> rig;
    const std::size_t page = rig.allocator.page_bytes();
    test::check(is_power_of_two(page) && page % A::min_align == 0);
    const auto first = alloc(rig.allocator, {1, 1}, flags::kernel);
    const auto second = alloc(rig.allocator, {page + 1, 1}, flags::kernel);
    test::require(first && second);
    test::check(lies_at(first->data(), page) && lies_at(second->data(), page));
    test::check(first->data() != second->data() && first->data() != second->data() + page);
    free(rig.allocator, first->data(), {1, 1});
    free(rig.allocator, second->data(), {page + 1, 1});
}

BOOST_AUTO_TEST_SUITE_END()
