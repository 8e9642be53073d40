// SPDX-License-Identifier: MIT
// Containers that are built in a pool, or copied there, and frozen.
#include <palloc/bridges/frozen.hpp>

#include <boost/test/unit_test.hpp>

#include <any>
#include <array>
#include <cstddef>
#include <deque>
#include <forward_list>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <memory_resource>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "pmalloc/made.hpp"

using namespace palloc;

namespace {

using text = std::pmr::string;
using text_map = std::pmr::map<text, text>;

static_assert(may_be_frozen<int> && may_be_frozen<text> && may_be_frozen<text_map>);
static_assert(may_be_frozen<std::pmr::vector<std::pmr::unordered_map<int, text>>>);
static_assert(may_be_frozen<std::tuple<int, text>>);
static_assert(!may_be_frozen<std::string> && !may_be_frozen<std::unique_ptr<int>>);
static_assert(!may_be_frozen<std::pmr::vector<std::string>>); // its strings lie elsewhere
static_assert(!may_be_frozen<std::pmr::map<int, std::unique_ptr<int>>>);
static_assert(!may_be_frozen<std::pmr::map<std::string, int>>);
static_assert(!may_be_frozen<std::pmr::set<int, std::function<bool(int, int)>>>);
static_assert(!may_be_frozen<std::vector<int>> && !may_be_frozen<std::shared_ptr<int>>);
static_assert(!may_be_frozen<std::array<std::string, 2>> && !may_be_frozen<std::string[2]>);
static_assert(!may_be_frozen<std::pair<int, std::string>> && !may_be_frozen<std::any>);
static_assert(!may_be_frozen<std::tuple<text, std::unique_ptr<int>>>);
static_assert(!may_be_frozen<std::optional<std::string>>);
static_assert(!may_be_frozen<std::variant<int, std::string>>);
static_assert(may_be_frozen<std::variant<int, text>> && may_be_frozen<std::optional<text>>);
static_assert(may_be_frozen<std::array<text, 2>> && may_be_frozen<const text_map>);
static_assert(may_be_frozen<std::pmr::list<text>> && may_be_frozen<std::pmr::deque<text>>);
static_assert(may_be_frozen<std::pmr::set<text>> && may_be_frozen<std::pmr::multimap<int, text>>);
static_assert(may_be_frozen<std::pmr::unordered_set<text>>);
static_assert(may_be_frozen<std::pmr::vector<bool>> && may_be_frozen<std::pmr::forward_list<int>>);
static_assert(may_be_frozen<const char*> && may_be_frozen<std::string_view>); // the value alone

/// Takes a resource, and holds more than that.
struct named {
    using allocator_type = std::pmr::polymorphic_allocator<std::byte>;
    explicit named(allocator_type from = {}) : values(from) {}
    named(const named& other, allocator_type from) : values(other.values, from) {}
    named(const named&) = default;
    std::pmr::vector<int> values;
    std::string name;
};
static_assert(!may_be_frozen<named> && !may_be_frozen<std::pmr::vector<named>>);

/// The same, but for a string of its resource, which it says.
struct honest {
    using allocator_type = std::pmr::polymorphic_allocator<std::byte>;
    explicit honest(allocator_type from = {}) : values(from), name(from) {}
    honest(const honest& other, allocator_type from)
        : values(other.values, from), name(other.name, from) {}
    honest(const honest&) = default;
    std::pmr::vector<int> values;
    text name;
};

} // namespace

template <>
inline constexpr bool palloc::all_lies_in_its_resource<honest> = true;

namespace {

static_assert(may_be_frozen<honest> && may_be_frozen<std::pmr::vector<honest>>);

BOOST_AUTO_TEST_CASE(a_type_that_says_that_all_lies_in_its_resource_is_frozen_with_its_parts) {
    honest source;
    source.values.assign(100, 7);
    source.name = "a name that is longer than a string holds inside";
    const auto copy = freeze(source, {.name = "frozen"}).value();
    BOOST_TEST((copy->values.back() == 7 && copy->name == source.name));
    BOOST_TEST(!test::writable(copy->values.data()));
    BOOST_TEST(!test::writable(copy->name.data()));
}

text_map sample(int count) {
    text_map made;
    for (int i = 0; i != count; ++i)
        made.emplace("a key that is longer than a string holds inside " + std::to_string(i),
                     std::string(static_cast<std::size_t>(i % 300), 'v').c_str());
    return made;
}

BOOST_AUTO_TEST_CASE(a_container_is_copied_into_one_area_and_protected) {
    const text_map source = sample(2000);
    const auto copy = freeze(source, {.name = "frozen"}).value();
    BOOST_TEST((*copy == source));
    BOOST_TEST((copy.achieved() == strength::sealed));
    BOOST_TEST(copy.pool().statistics().areas == 1u);
    for (const auto& [key, value] : *copy) {
        BOOST_TEST_REQUIRE(copy.pool().owns(range{test::number(&key), sizeof key}) ==
                           ownership::yes);
        BOOST_TEST_REQUIRE(copy.pool().owns(test::number(key.data())));
        BOOST_TEST_REQUIRE((value.empty() || copy.pool().owns(test::number(value.data()))));
    }
    BOOST_TEST(!test::writable(copy->begin()->first.data()));
    // The resource, with the table of functions that it points to, is out of reach as well.
    BOOST_TEST(!test::writable(copy->get_allocator().resource()));
    const pmalloc_statistics seen = copy.pool().statistics();
    BOOST_TEST(seen.mapped_bytes < 2 * seen.allocated_bytes);
}

BOOST_AUTO_TEST_CASE(the_area_is_large_enough_whatever_the_alignment) {
    for (const std::uint64_t alignment : {std::uint64_t{64}, std::uint64_t{4096}}) {
        const text_map source = sample(100);
        const auto copy = freeze(source, {.name = "aligned", .alignment = alignment}).value();
        BOOST_TEST((*copy == source));
        BOOST_TEST(copy.pool().statistics().areas == 1u);
    }
}

BOOST_AUTO_TEST_CASE(what_would_be_closed_under_the_copy_is_refused) {
    for (const pmalloc_mode mode :
         {pmalloc_mode::start_wr, pmalloc_mode::auto_ro, pmalloc_mode::auto_wr}) {
        const auto none = freeze(sample(1), {.name = "early", .mode = mode});
        BOOST_TEST((!none && none.error().code == errc::not_supported));
    }
    const auto pool = test::made({.mode = pmalloc_mode::start_wr});
    test::check_fails(resource_in(*pool), {errc::not_supported});
    test::check_fails(make_in<text_map>(*pool), {errc::not_supported});
    BOOST_TEST(pool->statistics().allocated_blocks == 0u);
}

/// Its destructor would write: it clears its array of buckets.
BOOST_AUTO_TEST_CASE(a_container_whose_destructor_writes_is_dropped_with_its_pool) {
    std::pmr::unordered_map<int, text> source;
    for (int i = 0; i != 1000; ++i)
        source.emplace(i, std::to_string(i));
    for (int round = 0; round != 3; ++round) {
        const auto copy = freeze(source, {.name = "frozen"}).value();
        BOOST_TEST(copy->at(999) == "999");
    }
}

BOOST_AUTO_TEST_CASE(a_container_is_built_in_place_and_then_protected) {
    const auto pool = test::made({.refill_bytes = 1 << 16});
    auto* const words = make_in<std::pmr::vector<text>>(*pool).value();
    for (int i = 0; i != 500; ++i)
        words->emplace_back("word number " + std::to_string(i) + " of a long list");
    BOOST_TEST((pool->protect() == strength::sealed));
    BOOST_TEST(words->back() == "word number 499 of a long list");
    BOOST_TEST(!test::writable(words->data()));
    BOOST_TEST(!test::writable(words));
}

/// A destructor that only gives memory back finds it dead, and does no harm.
BOOST_AUTO_TEST_CASE(what_is_given_back_to_a_frozen_pool_is_dead) {
    const auto pool = test::made({.refill_bytes = 1 << 16});
    {
        std::pmr::memory_resource* const memory = resource_in(*pool).value();
        const std::pmr::vector<int> numbers(100, 7, memory);
        BOOST_TEST(pool->protect().has_value());
        BOOST_TEST(numbers.back() == 7);
    }
    BOOST_TEST(pool->statistics().dead_blocks == 1u);
    BOOST_TEST(pool->misuse_count() == 0u);
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_is_an_error) {
    const auto copy = freeze(sample(100), {.name = "frozen", .cap_bytes = 4096});
    BOOST_TEST((!copy && copy.error().code == errc::over_limit));
    BOOST_TEST(any_pmalloc::find("frozen") == nullptr);
}

} // namespace
