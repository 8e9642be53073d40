// SPDX-License-Identifier: MIT
// Usable size, growth in place and explanations, of every composition and of the presets.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/mmap.hpp>
#include <palloc/bitmaps/atomic.hpp>
#include <palloc/bitmaps/boundary.hpp>
#include <palloc/bitmaps/flat.hpp>
#include <palloc/compositions/fallback.hpp>
#include <palloc/compositions/locked.hpp>
#include <palloc/compositions/presets.hpp>
#include <palloc/compositions/retiring.hpp>
#include <palloc/compositions/segregator.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include "support/check.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Bitmap>
using heap = pool<static_granule<64>, mmap_backing, Bitmap, first_fit, unprotected>;

constexpr std::uint64_t cap = std::uint64_t{1} << 19;
const pool_options capped{.growth = growth_policy::refill(1 << 16), .cap_bytes = cap};

struct live_block {
    address where;
    std::uint64_t bytes;
    std::uint64_t alignment;
    unsigned char mark;
};

/// Fills every byte that is said to be usable, and finds it as it was.
template <class Pool>
class tenant {
  public:
    explicit tenant(Pool& pool) : pool_(pool) {}
    tenant(const tenant&) = delete;
    tenant& operator=(const tenant&) = delete;

    void run(int steps, std::uint64_t longest) {
        BOOST_TEST_CONTEXT(random_) {
            for (int step = 0; step != steps; ++step)
                if (live_.empty() || random_.chance(55))
                    allocate(random_.between(1, random_.chance(70) ? 900 : longest));
                else if (random_.chance(50))
                    resize(some(), random_.between(1, longest));
                else
                    free(some());
            while (!live_.empty())
                free(0);
        }
        BOOST_TEST(refused != 0);
        BOOST_TEST(resized != 0);
        BOOST_TEST(stayed != 0);
    }

    int refused = 0; ///< requests
    int resized = 0;
    int stayed = 0; ///< blocks that could not be resized

  private:
    std::size_t some() { return random_.below(live_.size()); }

    void allocate(std::uint64_t bytes) {
        const std::uint64_t alignment =
            random_.chance(70) ? 1 : std::uint64_t{1} << random_.below(12);
        const explanation told = pool_.explain({.bytes = bytes, .alignment = alignment});
        const auto got = pool_.allocate(bytes, alignment);
        test::check((told.why == (got ? errc{} : got.error().code)));
        refused += got ? 0 : 1;
        if (!got)
            return;
        live_.push_back({*got, bytes, alignment, ++mark_});
        fill(live_.back());
    }

    void resize(std::size_t at, std::uint64_t bytes) {
        live_block& it = live_[at];
        const std::uint64_t before = usable(it);
        const auto done = pool_.resize(it.where, it.bytes, bytes, it.alignment);
        check_contents(it, done ? std::min(before, usable({it.where, bytes, it.alignment, 0}))
                                : before);
        (done ? resized : stayed) += 1;
        if (!done) {
            test::check(done.error().code == errc::no_room);
            return;
        }
        it.bytes = bytes;
        fill(it);
    }

    void free(std::size_t at) {
        check_contents(live_[at], usable(live_[at]));
        test::check(
            pool_.deallocate(live_[at].where, live_[at].bytes, live_[at].alignment).has_value());
        live_[at] = live_.back();
        live_.pop_back();
    }

    std::uint64_t usable(const live_block& it) const {
        const std::uint64_t bytes = pool_.usable_bytes(it.bytes, it.alignment);
        test::check(bytes >= it.bytes);
        return bytes;
    }
    void fill(const live_block& it) {
        std::memset(reinterpret_cast<void*>(it.where), it.mark,
                    static_cast<std::size_t>(usable(it)));
    }
    static void check_contents(const live_block& it, std::uint64_t bytes) {
        const auto* const first = reinterpret_cast<const unsigned char*>(it.where);
        test::check(
            std::all_of(first, first + bytes, [&](unsigned char byte) { return byte == it.mark; }));
    }

    Pool& pool_;
    test::random_source random_;
    std::vector<live_block> live_;
    unsigned char mark_ = 0;
};

template <class Pool>
void live_in(Pool& pool, std::uint64_t longest = 20'000) {
    tenant<Pool>(pool).run(6'000, longest);
    const auto block = pool.allocate(100);
    BOOST_TEST_REQUIRE(block.has_value());
    BOOST_TEST((pool.resize(*block, 100, 0, 1).error().code == errc::zero_size));
    BOOST_TEST(pool.deallocate(*block, 100).has_value());
    BOOST_TEST((pool.explain({.bytes = 0, .alignment = 1}).why == errc::zero_size));
    BOOST_TEST((pool.explain({.bytes = 8, .alignment = 3}).why == errc::bad_alignment));
}

} // namespace

BOOST_AUTO_TEST_SUITE(sizes_of_compositions)

BOOST_AUTO_TEST_CASE(of_general_purpose) {
    general_purpose pool(capped);
    live_in(pool);
    BOOST_TEST(pool.usable_bytes(17) == 32u);
    BOOST_TEST(pool.usable_bytes(5'000) == 5'120u);
}

BOOST_AUTO_TEST_CASE(of_general_purpose_shared) {
    general_purpose_shared pool(capped);
    live_in(pool);
    (void)pool.allocate(100);
    (void)pool.allocate(10'000);
    pool.reset(); // the cached blocks are forgotten with those that are live
    BOOST_TEST(pool.pool().with([](auto& classes) { return classes.used_bytes(); }) == 0u);
}

BOOST_AUTO_TEST_CASE(of_size_classes) {
    size_classes<detail::general_parent> pool(capped);
    live_in(pool);
}

BOOST_AUTO_TEST_CASE(of_locked_and_retiring) {
    locked<heap<boundary<flat>>> one_at_a_time(capped);
    live_in(one_at_a_time);
    (void)one_at_a_time.allocate(100);
    one_at_a_time.reset();
    BOOST_TEST(one_at_a_time.with([](auto& pool) { return pool.used_bytes(); }) == 0u);
    retiring<heap<atomic>> shared(capped);
    live_in(shared);
}

BOOST_AUTO_TEST_CASE(of_fallback) {
    using half = heap<boundary<flat>>;
    fallback pool([] { return half({.growth = growth_policy::refill(4096), .cap_bytes = 65536}); },
                  [] { return half(capped); });
    live_in(pool);
}

BOOST_AUTO_TEST_CASE(of_segregator) {
    using half = heap<boundary<flat>>;
    segregator<512, half, half> pool([] { return half(capped); }, [] { return half(capped); });
    live_in(pool);
    const address block = pool.allocate(512).value();
    BOOST_TEST((pool.resize(block, 512, 513).error().code == errc::no_room));
    BOOST_TEST(pool.deallocate(block, 512).has_value());
}

BOOST_AUTO_TEST_CASE(of_magazine) {
    fixed_size<256> pool(capped);
    live_in(pool, 3'000);
    const address block = pool.allocate(10).value();
    BOOST_TEST(pool.usable_bytes(10) == 256u);
    BOOST_TEST(pool.resize(block, 10, 256).has_value());
    BOOST_TEST((pool.resize(block, 256, 257).error().code == errc::no_room));
    BOOST_TEST(pool.deallocate(block, 256).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
