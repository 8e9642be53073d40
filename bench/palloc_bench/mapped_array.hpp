// SPDX-License-Identifier: MIT
/// @file
/// @brief An array of zeroed pages straight from the operating system.
///
/// The harness keeps its tables here, so that it never takes memory from, or gives memory to, an
/// allocator that it measures.
#pragma once

#include <cstddef>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include <sys/mman.h>

namespace palloc::bench {

/// @brief Whether all pages are touched at once, or each at its first use.
enum class residence { on_demand, at_once };

template <class T>
    requires std::is_trivially_copyable_v<T>
class mapped_array {
  public:
    mapped_array() = default;

    /// @par Errors  throws `std::bad_alloc`
    explicit mapped_array(std::size_t count, residence when = residence::on_demand) : size_(count) {
        if (count == 0)
            return;
        if (count > ~std::size_t{0} / sizeof(T))
            throw std::bad_alloc();
        const int populate = when == residence::at_once ? MAP_POPULATE : MAP_NORESERVE;
        void* const pages = mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | populate, -1, 0);
        if (pages == MAP_FAILED)
            throw std::bad_alloc();
        data_ = static_cast<T*>(pages);
    }

    mapped_array(mapped_array&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    mapped_array& operator=(mapped_array&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~mapped_array() {
        if (data_ != nullptr)
            munmap(data_, size_ * sizeof(T));
    }

    [[nodiscard]] T* data() noexcept { return data_; }
    [[nodiscard]] const T* data() const noexcept { return data_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] T& operator[](std::size_t i) noexcept { return data_[i]; }
    [[nodiscard]] const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    [[nodiscard]] T* begin() noexcept { return data_; }
    [[nodiscard]] T* end() noexcept { return data_ + size_; }
    [[nodiscard]] const T* begin() const noexcept { return data_; }
    [[nodiscard]] const T* end() const noexcept { return data_ + size_; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace palloc::bench
