// SPDX-License-Identifier: MIT
// Pools against the naive one: bytes are read as calls, right ones and wrong ones, and every
// answer, place for place and error for error, must be the naive pool's.
//
// PALLOC_SEED chooses other bytes; PALLOC_FULL=1 takes twenty times as many; PALLOC_FUZZ_SECONDS=n
// goes on with new ones for n seconds a pool.
#include <palloc/algorithms/best_fit.hpp>
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/borrowed.hpp>
#include <palloc/granularities/sized_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "fuzz/naive_pool.hpp"
#include "models/bitmaps.hpp"
#include "support/misuse_log.hpp"
#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Algorithm, class Bitmap>
struct subject {
    using algorithm = Algorithm;
    using bitmap = Bitmap;
    using pool_type = palloc::pool<sized_granule, borrowed, Bitmap, Algorithm, unprotected>;
};
using subjects =
    boost::mp11::mp_product<subject, std::tuple<first_fit, best_fit>, test::bitmap_models>;

/// Bytes to be read as whatever is needed; zeros behind their end.
class byte_stream {
  public:
    explicit byte_stream(std::vector<std::uint8_t> bytes) : bytes_(std::move(bytes)) {}

    [[nodiscard]] bool at_end() const { return next_ >= bytes_.size(); }
    std::uint8_t byte() { return next_ < bytes_.size() ? bytes_[next_++] : std::uint8_t{0}; }
    std::uint64_t word() {
        std::uint64_t word = 0;
        for (int i = 0; i != 8; ++i)
            word = word << 8 | byte();
        return word;
    }
    /// Most often less than `common`, now and then anything, often near a power of two.
    std::uint64_t number(std::uint64_t common) {
        const std::uint8_t kind = byte();
        if (kind < 240)
            return (std::uint64_t{byte()} << 8 | byte()) % common;
        const std::uint64_t power = std::uint64_t{1} << byte() % 64;
        return kind < 248 ? power + byte() % 3 - 1 : ~std::uint64_t{0} - word() % common;
    }

  private:
    std::vector<std::uint8_t> bytes_;
    std::size_t next_ = 0;
};

/// One pool and the naive one, led through the same calls.
template <class Subject>
class twins {
    using bitmap = typename Subject::bitmap;
    static constexpr bool knows_blocks = bitmap_knows_blocks<bitmap>;

  public:
    explicit twins(byte_stream& calls)
        : calls_(calls), granule_(granules[calls.byte() % std::size(granules)]),
          pool_({.on_misuse = {count_misuse}}, sized_granule(granule_)),
          naive_(
              granule_,
              std::is_same_v<typename Subject::algorithm, first_fit> ? test::fit::first
                                                                     : test::fit::best,
              {.blocks = knows_blocks, .only_late = concurrent_bitmap<bitmap> && !knows_blocks}) {}
    ~twins() { pool_.reset(); }
    twins(const twins&) = delete;
    twins& operator=(const twins&) = delete;

    /// Makes calls until the bytes end or an answer is wrong; says which.
    [[nodiscard]] std::string run() {
        add();
        for (std::size_t step = 0; wrong_.empty() && !calls_.at_end(); ++step) {
            one_call();
            if (pool_.used_bytes() != naive_.used_bytes())
                note("used bytes", pool_.used_bytes(), naive_.used_bytes());
            if (step % 32 == 0)
                compare_all();
        }
        compare_all();
        return wrong_;
    }

  private:
    static constexpr std::uint64_t granules[] = {1, 16, 48, 64, 100, 4096, 4097};

    struct block {
        address base;
        std::uint64_t bytes;
    };

    void one_call() {
        const std::uint8_t kind = calls_.byte();
        if (kind < 120)
            allocate();
        else if (kind < 200)
            deallocate();
        else if (kind < 230)
            resize();
        else if (kind < 240)
            query();
        else if (kind < 252)
            add();
        else if (kind < 253)
            reset();
    }

    void add() {
        if (naive_.chunks().size() == 12)
            return;
        range where{calls_.number(1 << 20), calls_.number(granule_ * 300)};
        switch (calls_.byte() % 8) {
        case 0:
            where.base = 0 - where.bytes; // ends at 2^64
            break;
        case 1:
            where.base = 0;
            break;
        case 2: // right behind another
            if (!naive_.chunks().empty())
                where.base = naive_.chunks().back().where.base + naive_.chunks().back().where.bytes;
            break;
        default:
            where.base = calls_.word() >> calls_.byte() % 60;
        }
        if (where.bytes / granule_ > 2'000)
            return;
        compare("add", code(pool_.add({.where = where})), naive_.add(where));
    }

    void allocate() {
        const std::uint64_t bytes = calls_.number(granule_ * 20);
        std::uint64_t alignment = std::uint64_t{1} << calls_.byte() % 4;
        if (const std::uint8_t kind = calls_.byte(); kind < 60)
            alignment = std::uint64_t{1} << kind;
        else if (kind == 60)
            alignment = calls_.word();
        range within = anywhere;
        if (calls_.byte() < 30)
            within = {some_address(), calls_.number(granule_ * 100)};
        if (within.base + within.bytes < within.base)
            within.bytes = ~within.base;
        const bool possible =
            pool_.explain({.bytes = bytes, .alignment = alignment, .within = within}).possible();
        const auto got = pool_.allocate({.bytes = bytes, .alignment = alignment, .within = within});
        const auto expected = naive_.allocate(bytes, alignment, within);
        compare("allocate", code(got), code(expected));
        if (got && expected && *got != *expected)
            note("place", *got, *expected);
        if (possible != expected.has_value())
            note("explained as possible", possible, expected.has_value());
        if (expected)
            blocks_.push_back({*expected, bytes});
    }

    void deallocate() {
        block it = some_block();
        switch (calls_.byte() % 16) {
        case 0:
            it.base += calls_.number(granule_ * 2);
            break;
        case 1:
            it.bytes = calls_.number(granule_ * 30);
            break;
        case 2:
            it.base = some_address();
            break;
        default:
            break;
        }
        if constexpr (knows_blocks)
            if (calls_.byte() % 2 == 0)
                return compare("deallocate", code(pool_.deallocate(it.base)),
                               naive_.deallocate(it.base));
        compare("deallocate", code(pool_.deallocate(it.base, it.bytes)),
                naive_.deallocate(it.base, it.bytes));
    }

    void resize() {
        const block it = some_block();
        const std::uint64_t bytes = calls_.number(granule_ * 25);
        if (!knows_blocks && !naive_.is_live(it.base, it.bytes))
            return; // it cannot tell
        const errc got = code(pool_.resize(it.base, it.bytes, bytes));
        compare("resize", got, naive_.resize(it.base, it.bytes, bytes));
        if (got == errc{})
            blocks_.push_back({it.base, bytes});
    }

    void reset() {
        pool_.reset();
        naive_.reset();
        blocks_.clear();
    }

    void query() {
        const address place = some_address();
        if (pool_.owns(place) != naive_.owns(place))
            note("owns", pool_.owns(place), naive_.owns(place));
        if (pool_.largest_free_run_bytes() != naive_.largest_free_run_bytes())
            note("largest run", pool_.largest_free_run_bytes(), naive_.largest_free_run_bytes());
    }

    void compare_all() {
        std::size_t i = naive_.chunks().size();
        pool_.for_each_chunk([&](const auto& chunk) {
            const auto& expected = naive_.chunks()[--i].granules;
            for (std::size_t at = 0; at != expected.size(); ++at)
                if (chunk.map.test(at) != (expected[at] != 0))
                    note("granule", chunk.where.base + at * granule_, at);
        });
    }

    address some_address() {
        if (naive_.chunks().empty() || calls_.byte() < 10)
            return calls_.word();
        const range where = naive_.chunks()[calls_.byte() % naive_.chunks().size()].where;
        return where.base + calls_.number(where.bytes + 8) - 4;
    }
    block some_block() {
        if (blocks_.empty())
            return {some_address(), calls_.number(granule_ * 4)};
        const std::size_t recent = std::min<std::size_t>(blocks_.size(), 1 + calls_.byte());
        return blocks_[blocks_.size() - recent];
    }

    template <class T>
    static errc code(const result<T>& answer) {
        return answer ? errc{} : answer.error().code;
    }
    void compare(const char* what, errc got, errc expected) {
        if (got != expected)
            note(what, to_string(got), to_string(expected));
    }
    template <class T>
    void note(const char* what, const T& got, const T& expected) {
        std::ostringstream text;
        text << what << ": " << got << " instead of " << expected << "\n";
        wrong_ += text.str();
    }

    byte_stream& calls_;
    std::uint64_t granule_;
    typename Subject::pool_type pool_;
    test::naive_pool naive_;
    std::vector<block> blocks_;
    std::string wrong_;
};

template <class Subject>
std::string fuzz_once(test::random_source& random) {
    std::vector<std::uint8_t> bytes(random.between(1, 6'000));
    for (std::uint8_t& byte : bytes)
        byte = static_cast<std::uint8_t>(random.bits());
    byte_stream calls(std::move(bytes));
    return twins<Subject>(calls).run();
}

} // namespace

BOOST_AUTO_TEST_SUITE(fuzz)

BOOST_AUTO_TEST_CASE_TEMPLATE(answers_as_the_naive_pool, Subject, subjects) {
    const int rounds = std::getenv("PALLOC_FULL") == nullptr ? 100 : 2'000;
    for (int stream = 0; stream != rounds; ++stream) {
        test::random_source random(static_cast<std::uint64_t>(stream));
        const std::string wrong = fuzz_once<Subject>(random);
        BOOST_TEST(wrong.empty(), random << ": " << wrong);
    }
    if (const char* const seconds = std::getenv("PALLOC_FUZZ_SECONDS")) {
        const auto end =
            std::chrono::steady_clock::now() + std::chrono::seconds(std::atol(seconds));
        for (std::uint64_t stream = 1'000'000; std::chrono::steady_clock::now() < end; ++stream) {
            test::random_source random(stream);
            const std::string wrong = fuzz_once<Subject>(random);
            BOOST_TEST_REQUIRE(wrong.empty(), random << ": " << wrong);
        }
    }
}

BOOST_AUTO_TEST_SUITE_END()
