// SPDX-License-Identifier: MIT
// The K, V and KV names: over the heaps of the process, up to their limits and across them.
#include <palloc/kalloc.hpp>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "support/random.hpp"

using namespace palloc;

namespace {

template <class Vec, class Box>
struct names {
    using texts = Vec;
    using text = Box;
};
using all_names = std::tuple<names<kvec<std::string>, kbox<std::string>>,
                             names<vvec<std::string>, vbox<std::string>>,
                             names<kvvec<std::string>, kvbox<std::string>>>;
using all_numbers = std::tuple<kvec<std::uint32_t>, vvec<std::uint32_t>, kvvec<std::uint32_t>>;

std::string text(std::size_t i) {
    return std::to_string(i) + " is a text too long to be kept inside of a string";
}

bool counts_up(std::span<const std::uint32_t> numbers) {
    for (std::size_t i = 0; i != numbers.size(); ++i)
        if (numbers[i] != i)
            return false;
    return true;
}

using too_much = std::array<std::byte, kmalloc::max_bytes + 1>;

} // namespace

BOOST_AUTO_TEST_SUITE(named_types)

BOOST_AUTO_TEST_CASE_TEMPLATE(own_objects, Names, all_names) {
    auto one = Names::text::make(flags::kernel, text(1));
    BOOST_TEST_REQUIRE(one.has_value());
    BOOST_TEST(**one == text(1));
    auto other = *Names::text::create(text(1), flags::kernel);
    BOOST_TEST((*one == other));
    auto room = std::move(other).drop_contents();
    other = std::move(room).write(text(2));
    BOOST_TEST((*other == text(2) && !(*one == other)));
    BOOST_TEST(std::move(other).into_inner() == text(2));
    BOOST_TEST((*one != other && other == typename Names::text()));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(do_what_a_standard_vector_does, Names, all_names) {
    test::random_source random(11);
    typename Names::texts it;
    std::vector<std::string> model;
    BOOST_TEST_CONTEXT(random) {
        for (std::size_t step = 0; step != 2000; ++step) {
            const std::size_t at = random.below(model.size() + 1);
            switch (random.below(8)) {
            case 0:
                BOOST_TEST(it.remove(at).has_value() == (at != model.size()));
                if (at != model.size())
                    model.erase(model.begin() + static_cast<std::ptrdiff_t>(at));
                break;
            case 1:
                BOOST_TEST(it.reserve(1, flags::kernel).has_value());
                BOOST_TEST(it.insert_within_capacity(at, text(step)).has_value());
                model.insert(model.begin() + static_cast<std::ptrdiff_t>(at), text(step));
                break;
            case 2:
                BOOST_TEST(it.shrink_to(random.below(100), flags::kernel).has_value());
                break;
            case 3:
                BOOST_TEST(it.resize(at, {}, flags::kernel).has_value());
                model.resize(at);
                break;
            default:
                BOOST_TEST(it.extend_with(3, text(step), flags::kernel).has_value());
                model.insert(model.end(), 3, text(step));
            }
            BOOST_TEST(std::ranges::equal(it, model));
        }
    }
}

BOOST_AUTO_TEST_CASE_TEMPLATE(keep_what_is_in_them_however_far_they_grow, Vec, all_numbers) {
    constexpr std::uint32_t most = 3 << 20; // 12 MiB
    Vec it;
    std::uint32_t next = 0;
    for (; next != most; ++next)
        if (auto pushed = it.push(next, flags::kernel); !pushed) {
            BOOST_TEST(
                (pushed.error().why.code == errc::too_large && pushed.error().value == next));
            break;
        }
    BOOST_TEST((it.size() == next && counts_up(it.span())));
    const auto* const block = reinterpret_cast<const std::byte*>(it.data());
    if constexpr (std::is_same_v<Vec, kvec<std::uint32_t>>) {
        BOOST_TEST((next == kmalloc::max_bytes / 4 && kmalloc::heap().owns(block)));
    } else {
        BOOST_TEST((next == most && vmalloc::owns(block)));
    }
    it.truncate(10);
    BOOST_TEST(it.shrink_to(0, flags::kernel).has_value());
    BOOST_TEST((it.capacity() == 10u && counts_up(it.span())));
    // Once gone over it does not come back.
    BOOST_TEST(kmalloc::heap().owns(reinterpret_cast<const std::byte*>(it.data())) ==
               (next != most));
}

// The kernel's: what is too large for a KBox a KVBox holds.
BOOST_AUTO_TEST_CASE(hold_what_their_allocator_does) {
    BOOST_TEST((kbox<too_much>::make_uninit(flags::kernel).error().code == errc::too_large));
    const auto large = vbox<too_much>::make_uninit(flags::kernel);
    BOOST_TEST((large.has_value() && vmalloc::owns(reinterpret_cast<std::byte*>(large->get()))));
    const auto either = kvbox<too_much>::make_uninit(flags::kernel | flags::zero);
    BOOST_TEST_REQUIRE(either.has_value());
    BOOST_TEST(vmalloc::owns(reinterpret_cast<std::byte*>(either->get())));
    BOOST_TEST(std::ranges::all_of(*either->get(), [](std::byte b) { return b == std::byte{}; }));
}

BOOST_AUTO_TEST_CASE(vectors_of_different_allocators_compare_by_their_elements) {
    const auto small = *kvec<std::string>::of({text(0), text(1)}, flags::kernel);
    auto pages = *vvec<std::string>::of({text(0), text(1)}, flags::kernel);
    auto either = *kvvec<std::string>::of({text(0), text(1)}, flags::kernel);
    BOOST_TEST((small == pages && pages == either && either == small));
    BOOST_TEST(pages.push(text(2), flags::kernel).has_value());
    BOOST_TEST((small != pages && pages != either && either == small));
    either[1] = text(9);
    BOOST_TEST((either != small && small != either));
    BOOST_TEST((kvec<std::string>() == vvec<std::string>() && small != vvec<std::string>()));
    BOOST_TEST((*kvec<int>::of({1, 2}, flags::kernel) == *vvec<long>::of({1, 2}, flags::kernel)));
    const std::vector<std::string> same{text(0), text(1)};
    BOOST_TEST(small == same);
}

/// The kernel's test_alignment, of whose objects one is larger than a page.
template <template <class> class Box>
struct boxes {
    struct alignas(128) blob {
        std::array<std::byte, 1024> bytes;
    };
    struct alignas(8192) large_blob {
        std::array<std::byte, 4 * 4096> bytes;
    };
    template <class T>
    static void check() {
        auto one = Box<T>::make_uninit(flags::kernel | flags::zero);
        BOOST_TEST_REQUIRE(one.has_value());
        BOOST_TEST(reinterpret_cast<std::uintptr_t>(one->get()) % alignof(T) == 0u);
        const auto held = std::move(*one).assume_init();
        BOOST_TEST((held->bytes.front() == std::byte{0} && held->bytes.back() == std::byte{0}));
    }
};
template <class T>
using k_box = kbox<T>;
template <class T>
using v_box = vbox<T>;
template <class T>
using kv_box = kvbox<T>;
using all_boxes = std::tuple<boxes<k_box>, boxes<v_box>, boxes<kv_box>>;

BOOST_AUTO_TEST_CASE_TEMPLATE(objects_of_a_box_lie_as_they_must, Boxes, all_boxes) {
    Boxes::template check<typename Boxes::blob>();
    Boxes::template check<typename Boxes::large_blob>();
}

BOOST_AUTO_TEST_SUITE_END()
