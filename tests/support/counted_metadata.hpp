// SPDX-License-Identifier: MIT
/// @file
/// @brief A metadata provider that knows what is out, and fails on demand. Any thread may take from
/// it.
#pragma once

#include <palloc/concepts/chunk_bitmap.hpp>
#include <palloc/concepts/metadata.hpp>
#include <palloc/core/error.hpp>

#include <boost/test/unit_test.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace palloc::test {

class counted_metadata {
  public:
    /// @brief The `n`th call from now on fails; 0: none.
    void fail_nth(std::uint64_t n) {
        const std::scoped_lock alone(mutex_);
        fatal_ = n == 0 ? 0 : calls_ + n;
    }

    [[nodiscard]] std::uint64_t calls() const {
        const std::scoped_lock alone(mutex_);
        return calls_;
    }
    [[nodiscard]] std::size_t pieces_out() const {
        const std::scoped_lock alone(mutex_);
        return out_.size();
    }

    result<std::byte*> take(std::size_t bytes) noexcept {
        const std::scoped_lock alone(mutex_);
        if (++calls_ == fatal_)
            return fail(errc::os_failure);
        auto* const storage = static_cast<std::byte*>(::operator new(bytes, alignment));
        std::memset(storage, 0, bytes);
        out_[storage] = bytes;
        return storage;
    }
    void give_back(std::byte* storage, std::size_t bytes) noexcept {
        const std::scoped_lock alone(mutex_);
        const auto found = out_.find(storage);
        BOOST_TEST_REQUIRE((found != out_.end() && found->second == bytes));
        out_.erase(found);
        ::operator delete(storage, alignment);
    }

  private:
    static constexpr std::align_val_t alignment{storage_alignment};

    mutable std::mutex mutex_;
    std::map<std::byte*, std::size_t> out_;
    std::uint64_t calls_ = 0;
    std::uint64_t fatal_ = 0;
};

static_assert(metadata_provider<counted_metadata>);

} // namespace palloc::test
