// SPDX-License-Identifier: MIT
#include <palloc/metadata/guarded_metadata.hpp>

#include <boost/test/unit_test.hpp>

#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "backends/storage.hpp"
#include "support/address_space.hpp"
#include "support/backing_checks.hpp"
#include "support/page_probe.hpp"

namespace {

using namespace palloc;

bool writable(const void* at) {
    return test::page_probe().writable(address_of(at));
}

BOOST_AUTO_TEST_CASE(closed_books_are_read_and_not_written) {
    const std::uint64_t before = test::mapped_pages();
    {
        guarded_metadata books;
        BOOST_TEST(books.close().has_value()); // nothing to close
        std::vector<std::byte*> pages{books.take(100).value(), books.take(1 << 20).value(),
                                      books.take(64).value()};
        *pages[0] = std::byte{7};
        for (int round = 0; round != 3; ++round) {
            BOOST_TEST(books.close().has_value());
            BOOST_TEST((*pages[0] == std::byte{7}));
            for (const std::byte* each : pages) {
                BOOST_TEST(!writable(each));
                BOOST_TEST(books.contains(address_of(each)));
            }
            BOOST_TEST(!writable(pages[1] + (1 << 20) - 1));
            BOOST_TEST(books.open().has_value());
            BOOST_TEST((writable(pages[1]) && writable(pages[2])));
        }
        BOOST_TEST(!books.contains(address_of(&books)));
        BOOST_TEST(books.mapped_bytes() >= std::uint64_t{1} << 20);
    }
    BOOST_TEST(test::mapped_pages() == before);
}

BOOST_AUTO_TEST_CASE(they_may_lie_in_themselves) {
    const std::uint64_t before = test::mapped_pages();
    {
        guarded_metadata first;
        std::byte* const place = first.take(sizeof(guarded_metadata)).value();
        auto* const inside = ::new (place) guarded_metadata(std::move(first));
        BOOST_TEST(inside->contains(address_of(inside)));
        BOOST_TEST(inside->close().has_value());
        BOOST_TEST(!writable(inside));
        BOOST_TEST(inside->open().has_value());
        BOOST_TEST(inside->take(100).has_value());
        const guarded_metadata last(std::move(*inside));
    }
    BOOST_TEST(test::mapped_pages() == before);
}

BOOST_AUTO_TEST_CASE(failures_change_nothing) {
    guarded_metadata books;
    os::fail_nth(os::maps_storage, 1, ENOMEM);
    test::check_fails(books.take(100), {errc::os_failure, ENOMEM});
    std::byte* const storage = books.take(100).value();
    os::fail_nth(os::call::protect, 1, ENOMEM);
    test::check_fails(books.close(), {errc::os_failure, ENOMEM});
    BOOST_TEST(writable(storage));
    BOOST_TEST(books.close().has_value());
    os::fail_nth(os::call::protect, 1, ENOMEM);
    test::check_fails(books.open(), {errc::os_failure, ENOMEM});
    BOOST_TEST(!writable(storage));
    BOOST_TEST(books.open().has_value());
}

} // namespace
