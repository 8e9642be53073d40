// SPDX-License-Identifier: MIT
// Every method that allocates, over a heap of kmalloc's alone and over both of kvmalloc's, when
// from some call on nothing beneath them gives memory any more: the method fails, nothing changes,
// and neither heap has lost a block.
#include <palloc/backings/detail/backing_decorator.hpp>
#include <palloc/backings/detail/fault_script.hpp>
#include <palloc/compositions/native_memory.hpp>
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "support/vec_methods.hpp"

using namespace palloc;
using test::careful;
using test::relocatable;
using test::scene;
using test::throwing;

namespace {

/// Of all calls that take memory, none is met from the nth on.
class outage {
  public:
    void begin_at(std::uint64_t n) { first_ = n == 0 ? 0 : calls_ + n; }
    [[nodiscard]] std::uint64_t calls() const { return calls_; }
    [[nodiscard]] result<void> next(backing_call kind) noexcept {
        if (kind != backing_call::map && kind != backing_call::commit &&
            kind != backing_call::move_pages)
            return {};
        ++calls_;
        return first_ != 0 && calls_ >= first_ ? fail(errc::os_failure) : result<void>();
    }

  private:
    std::uint64_t calls_ = 0;
    std::uint64_t first_ = 0;
};

template <backing_provider Backing>
class cut_off : public detail::backing_decorator<cut_off<Backing>, Backing> {
  public:
    cut_off(Backing inner, outage& when) noexcept
        : detail::backing_decorator<cut_off, Backing>(std::move(inner)), when_(&when) {}
    [[nodiscard]] result<void> before(backing_call kind) noexcept { return when_->next(kind); }

  private:
    outage* when_;
};

using small_heap = basic_kmalloc_heap<cut_off<native_memory>>;
using large_heap = basic_vmalloc_heap<cut_off<native_addresses>>;

/// A handle on a heap of kmalloc's that knows how many blocks are out.
class counted_ref : public allocator_ref<small_heap> {
    using base = allocator_ref<small_heap>;

  public:
    counted_ref(small_heap& heap, std::int64_t& blocks) noexcept : base(heap), blocks_(&blocks) {}
    [[nodiscard]] result<std::span<std::byte>> realloc(std::byte* old, const layout& wanted,
                                                       const layout& old_layout, alloc_flags flags,
                                                       numa_node node) noexcept {
        auto got = base::realloc(old, wanted, old_layout, flags, node);
        if (got)
            *blocks_ += (wanted.bytes != 0) - (old_layout.bytes != 0);
        return got;
    }

  private:
    std::int64_t* blocks_;
};

/// Takes all that a heap has mapped and nobody uses, so that who wants more has to ask.
class fill {
  public:
    explicit fill(small_heap& heap) : heap_(&heap) {}
    fill(const fill&) = delete;
    fill& operator=(const fill&) = delete;
    ~fill() {
        for (const auto& [block, of] : held_)
            free(*heap_, block, of);
    }
    void all() {
        for (std::uint64_t bytes = 1 << 18; bytes > 8192; bytes /= 2)
            all_of({bytes, 1});
        for (std::uint64_t bytes = 8192; bytes != 0; bytes -= 64) // whatever the classes are
            all_of({bytes, 1});
    }

  private:
    void all_of(const layout& wanted) {
        while (const auto got = alloc(*heap_, wanted, flags::nowait))
            held_.emplace_back(got->data(), wanted);
    }

    small_heap* heap_;
    std::vector<std::pair<std::byte*, layout>> held_;
};

struct kmalloc_alone {
    using handle = counted_ref;

    outage when;
    std::int64_t blocks = 0;
    small_heap small{{.step_bytes = 1}, cut_off(native_memory(), when)};
    fill filled{small};

    ~kmalloc_alone() { when.begin_at(0); }
    [[nodiscard]] handle from() { return {small, blocks}; }
    [[nodiscard]] std::uint64_t in_use() const { return static_cast<std::uint64_t>(blocks); }
};

struct both_of_kvmalloc {
    using handle = kv_allocator<counted_ref, owner_ref<large_heap>>;

    outage when;
    std::int64_t blocks = 0;
    small_heap small{{.step_bytes = 1}, cut_off(native_memory(), when)};
    large_heap large{{.step_bytes = 1 << 26}, cut_off(native_addresses(), when)};
    fill filled{small};

    ~both_of_kvmalloc() { when.begin_at(0); }
    [[nodiscard]] handle from() { return {counted_ref(small, blocks), large}; }
    [[nodiscard]] std::uint64_t in_use() {
        return large.used_bytes() + static_cast<std::uint64_t>(blocks); // whole pages, and a few
    }
};

template <class World, class T>
struct of {
    using world = World;
    using element = test::large<T>;
};
using all_cases = std::tuple<of<kmalloc_alone, relocatable>, of<kmalloc_alone, careful>,
                             of<kmalloc_alone, throwing>, of<both_of_kvmalloc, relocatable>,
                             of<both_of_kvmalloc, careful>, of<both_of_kvmalloc, throwing>>;

} // namespace

BOOST_AUTO_TEST_SUITE(outages)

BOOST_AUTO_TEST_CASE_TEMPLATE(every_method_fails_and_loses_nothing, Case, all_cases) {
    using world = typename Case::world;
    using element = typename Case::element;
    for (const auto& [name, call] : test::methods<world, element>())
        BOOST_TEST_CONTEXT(name) {
            std::uint64_t failed = 0;
            for (std::uint64_t n = 1;; ++n) {
                scene<world, element> it;
                it.world.filled.all();
                const auto before = it.world.when.calls();
                it.world.when.begin_at(n);
                const auto why = call(it.it, it.all); // does not throw
                if (it.world.when.calls() - before < n) {
                    BOOST_TEST(!why.has_value());
                    break;
                }
                BOOST_TEST((why.has_value() || name == "into_iter and collect"));
                failed += why ? 1U : 0U;
                if (why) {
                    BOOST_TEST((why->code == errc::os_failure || why->code == errc::out_of_memory));
                    it.check_unchanged();
                }
            }
            BOOST_TEST(failed != 0u);
        }
}

BOOST_AUTO_TEST_CASE(a_scene_is_of_both_of_kvmalloc_s_heaps) {
    scene<both_of_kvmalloc, careful> small;
    BOOST_TEST((small.world.blocks == 1 && small.world.large.used_bytes() == 0u));
    both_of_kvmalloc world;
    auto from = world.from();
    const layout wanted{5 << 20, 1}; // more than kmalloc has
    const auto got = alloc(from, wanted, flags::kernel);
    BOOST_TEST_REQUIRE(got.has_value());
    BOOST_TEST((world.blocks == 0 && world.large.used_bytes() == wanted.bytes));
    free(from, got->data(), wanted);
    BOOST_TEST((world.blocks == 0 && world.in_use() == 0u));
}

BOOST_AUTO_TEST_SUITE_END()
