// SPDX-License-Identifier: MIT
// genalloc with the kernel's quirks against the naive model: every answer is the same.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/algorithms/first_fit_align.hpp>
#include <palloc/algorithms/first_fit_order_align.hpp>
#include <palloc/algorithms/fixed.hpp>
#include <palloc/genalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <utility>
#include <vector>

#include "genalloc/bitmaps.hpp"
#include "genalloc/naive_genalloc.hpp"
#include "support/random.hpp"

namespace {

using namespace palloc;
using test::naive_genalloc;
using test::random_source;
using policy = naive_genalloc::policy;

constexpr std::array policies{policy::first_fit, policy::first_fit_align,
                              policy::first_fit_order_align, policy::best_fit, policy::fixed};

/// One pool and its model, which are asked the same.
template <class Bitmap>
class pair_of_pools {
  public:
    pair_of_pools(random_source& random, bool overlapping)
        : random_(random), order_(static_cast<unsigned>(random.below(random.chance(80) ? 13 : 48))),
          overlapping_(overlapping), model_(order_),
          pool_({.order = order_, .behaviour = quirks::kernel, .on_misuse = {count_misuse}}) {}

    void step() {
        const std::size_t dice = random_.below(100);
        if (chunks_.empty() ? dice < 20 : dice < 1 && chunks_.size() < (overlapping_ ? 2 : 12))
            add();
        else if (dice < (filling_ ? 55 : 35))
            allocate();
        else if (dice < 75)
            release();
        else if (dice < 80 && !overlapping_)
            release_wrongly();
        else
            query();
        if (random_.chance(1))
            filling_ = !filling_;
        BOOST_REQUIRE(pool_.avail() == model_.avail());
        BOOST_REQUIRE(pool_.size() == model_.size());
    }

  private:
    struct block {
        address where;
        std::uint64_t bytes;
    };

    std::uint64_t granule() const { return std::uint64_t{1} << order_; }

    void add() {
        std::uint64_t bytes = random_.below(150 * granule());
        if (random_.chance(10))
            bytes = random_.below(2) * random_.below(granule());
        address base = 0x100000000 + (next_ + 1) * 1000 * granule() +
                       (random_.chance(50) ? random_.below(granule()) : 0);
        if (overlapping_ && !chunks_.empty()) {
            base = chunks_.back().where + random_.below(chunks_.back().bytes + 1);
        } else if (!overlapping_ && bytes != 0 && random_.chance(5)) { // first or last byte of all
            const bool first = random_.chance(50);
            if (!std::exchange(at_an_end_[first ? 0 : 1], true))
                base = first ? 0 : 0 - bytes;
        }
        const address physical = random_.chance(50)   ? naive_genalloc::no_physical
                                 : random_.chance(50) ? 0
                                                      : random_.bits() >> 20;
        ++next_;
        void* const owner = &chunks_;
        BOOST_REQUIRE(pool_.add_owner(base, physical, bytes, owner).has_value());
        model_.add(base, physical, bytes, owner);
        chunks_.push_back({base, bytes});
    }

    std::uint64_t any_size() {
        const std::size_t dice = random_.below(100);
        if (dice < 2)
            return 0;
        if (dice < 4)
            return ~random_.below(3 * granule());
        if (dice < 6)
            return random_.bits();
        return 1 + random_.below((dice < 80 ? 6 : 100) * granule());
    }

    std::uint64_t any_data(policy how) {
        if (how == policy::fixed)
            return random_.chance(80) ? random_.below(150) * granule()
                                      : random_.below(200 * granule());
        const std::array odd{0, -1, 3, 192, 5000, 1 << 30, -0x7fffffff - 1};
        return random_.chance(70)   ? std::uint64_t{1} << random_.below(order_ + 9)
               : random_.chance(50) ? static_cast<std::uint64_t>(odd[random_.below(odd.size())])
                                    : random_.below(20 * granule());
    }

    result<address> ask(std::uint64_t bytes, policy how, std::uint64_t data, void*& owner) {
        switch (how) {
        case policy::first_fit:
            pool_.set_algo();
            return pool_.alloc_owner(bytes, owner);
        case policy::first_fit_align:
            return pool_.alloc_owner(bytes, first_fit_align(static_cast<std::int64_t>(data)),
                                     owner);
        case policy::first_fit_order_align:
            return pool_.alloc_owner(bytes, first_fit_order_align{}, owner);
        case policy::best_fit:
            return pool_.alloc_owner(bytes, best_fit{}, owner);
        case policy::fixed:
            break;
        }
        return pool_.alloc_owner(bytes, fixed(data), owner);
    }

    void allocate() {
        const std::uint64_t bytes = any_size();
        const policy how = policies[random_.below(policies.size())];
        const std::uint64_t data = any_data(how);
        void* owner = this;
        void* model_owner = this;
        const auto expected = model_.alloc(bytes, how, data, &model_owner);
        const auto got = ask(bytes, how, data, owner);
        BOOST_TEST_CONTEXT("bytes " << bytes << ", policy " << static_cast<int>(how) << ", data "
                                    << data << ", order " << order_) {
            BOOST_REQUIRE(got.has_value() == expected.has_value());
            if (got)
                BOOST_REQUIRE(*got == *expected);
            BOOST_REQUIRE(owner == model_owner);
        }
        if (got)
            live_.push_back({*got, bytes});
    }

    /// A block, or its first part, or only a byte in its middle.
    void release() {
        if (live_.empty())
            return;
        std::swap(live_[random_.below(live_.size())], live_.back());
        block gone = live_.back();
        live_.pop_back();
        if (random_.chance(20) && gone.bytes > granule() && gone.bytes < 1000 * granule()) {
            block rest = gone;
            gone.bytes = granule();
            rest.where += granule();
            rest.bytes -= granule();
            live_.push_back(rest);
            if (random_.chance(30))
                std::swap(gone, live_.back());
        }
        if (!overlapping_)
            gone.where += random_.below(granule()); // rounded down, if it ends in the chunk
        give_back(gone);
    }

    void release_wrongly() {
        const address place = any_place();
        give_back({place, any_size()});
    }

    void give_back(block gone) {
        void* owner = this;
        void* model_owner = this;
        const bool legal = model_.free(gone.where, gone.bytes, &model_owner);
        if (!legal && concurrent_bitmap<Bitmap>) // it can tell only afterwards
            return;
        BOOST_TEST_CONTEXT("at " << gone.where << ", bytes " << gone.bytes << ", order " << order_)
        BOOST_REQUIRE(pool_.free_owner(gone.where, gone.bytes, owner).has_value() == legal);
        BOOST_REQUIRE(owner == model_owner);
    }

    address any_place() {
        if (chunks_.empty() || random_.chance(5))
            return random_.bits();
        const block& c = chunks_[random_.below(chunks_.size())];
        return random_.chance(20)   ? c.where - 1 + random_.below(3)
               : random_.chance(20) ? c.where + c.bytes - 1 + random_.below(3)
                                    : c.where + random_.below(c.bytes + 1);
    }

    void query() {
        const address place = any_place();
        BOOST_REQUIRE(pool_.virt_to_phys(place).value_or(naive_genalloc::no_physical) ==
                      model_.virt_to_phys(place));
        for (const std::uint64_t bytes :
             {std::uint64_t{0}, std::uint64_t{1}, any_size(), random_.bits(), std::uint64_t{0} - 1})
            BOOST_REQUIRE(pool_.has_addr(place, bytes) == model_.has_addr(place, bytes));
    }

    random_source& random_;
    unsigned order_;
    bool overlapping_;
    naive_genalloc model_;
    basic_genalloc<Bitmap> pool_;
    std::vector<block> chunks_;
    std::vector<block> live_;
    std::uint64_t next_ = 0;
    std::array<bool, 2> at_an_end_{};
    bool filling_ = true;
};

template <class Bitmap>
void compare(bool overlapping) {
    const bool full = std::getenv("PALLOC_FULL") != nullptr;
    for (std::uint64_t stream = 0; stream != (full ? 3000 : 150); ++stream) {
        random_source random(stream);
        BOOST_TEST_CONTEXT(random) {
            pair_of_pools<Bitmap> pools(random, overlapping);
            for (int step = 0; step != 1500; ++step)
                pools.step();
        }
    }
}

BOOST_AUTO_TEST_SUITE(like_the_model)

BOOST_AUTO_TEST_CASE_TEMPLATE(over_disjoint_chunks, Bitmap, test::genalloc_bitmaps) {
    compare<Bitmap>(false);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(over_chunks_that_overlap, Bitmap, test::genalloc_bitmaps) {
    compare<Bitmap>(true);
}

BOOST_AUTO_TEST_SUITE_END()

} // namespace
