// SPDX-License-Identifier: MIT
// 64 TiB of addresses (4 with 32 bits) in granules of 4 KiB: a pool of them is there at once, and
// takes next to nothing until it is used. Over every bitmap but `claimed`, which counts what is
// free by looking.
#include <palloc/algorithms/first_fit.hpp>
#include <palloc/backings/fake.hpp>
#include <palloc/granularities/static_granule.hpp>
#include <palloc/pool.hpp>
#include <palloc/protections/unprotected.hpp>

#include <boost/mp11.hpp>
#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <ctime>
#include <fstream>
#include <unistd.h>

#include "models/bitmaps.hpp"

using namespace palloc;

namespace {

/// With 32 bits a chunk has at most 2^31 - 1 granules.
constexpr std::uint64_t pool_bytes = std::uint64_t{sizeof(std::size_t) == 8 ? 64U : 4U} << 40;
constexpr std::uint64_t granule = 4096;
constexpr double most_seconds = 0.05;
constexpr std::int64_t most_resident_bytes = std::int64_t{1} << 20;

std::int64_t resident_bytes() {
    std::ifstream counts("/proc/self/statm");
    std::int64_t all = 0;
    std::int64_t resident = 0;
    counts >> all >> resident;
    BOOST_REQUIRE(resident != 0);
    return resident * ::sysconf(_SC_PAGESIZE);
}

/// The processor's time, so that a busy machine does not count.
double seconds_so_far() {
    std::timespec now{};
    BOOST_REQUIRE(::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

} // namespace

using bitmaps = boost::mp11::mp_remove<test::bitmap_models, claimed>;

BOOST_AUTO_TEST_CASE_TEMPLATE(a_pool_of_tebibytes_costs_nothing_yet, Bitmap, bitmaps) {
    fake_space space;
    const std::int64_t before = resident_bytes();
    const double begin = seconds_so_far();
    pool<static_granule<granule>, fake_demand_paged, Bitmap, first_fit, unprotected> huge(
        {}, {}, fake_demand_paged(space));
    const auto where = huge.grow(pool_bytes);
    const double seconds = seconds_so_far() - begin;
    const std::int64_t created = resident_bytes() - before;
    BOOST_REQUIRE(where.has_value());
    BOOST_TEST(huge.free_bytes() == pool_bytes);
    BOOST_TEST(seconds < most_seconds);
    BOOST_TEST(created < most_resident_bytes);

    BOOST_TEST(huge.allocate(3 * granule).value() == where->base);
    const range last{where->base + (pool_bytes - granule), granule};
    const address far = huge.allocate({.bytes = granule, .within = last}).value();
    BOOST_TEST(far == last.base);
    BOOST_TEST(huge.deallocate(far, granule).has_value());
    BOOST_TEST(huge.deallocate(where->base, 3 * granule).has_value());
    BOOST_TEST(resident_bytes() - before < most_resident_bytes);
}
