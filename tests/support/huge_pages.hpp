// SPDX-License-Identifier: MIT
/// @file
/// @brief Huge pages for the time of a test, where it may ask for them.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>

namespace palloc::test {

/// @brief Sets how many pages of a size the system keeps, and sets it back in the end.
template <std::uint64_t Bytes>
class system_pages {
  public:
    explicit system_pages(unsigned long wanted) : before_(number("nr_hugepages")) {
        set(before_ + wanted);
    }
    ~system_pages() { set(before_); }
    system_pages(const system_pages&) = delete;
    system_pages& operator=(const system_pages&) = delete;

    /// @brief How many nobody has or has been promised.
    [[nodiscard]] static unsigned long left() {
        return number("free_hugepages") - number("resv_hugepages");
    }

  private:
    static std::string file(const char* name) {
        return "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(Bytes / 1024) + "kB/" + name;
    }
    static unsigned long number(const char* name) {
        std::ifstream text(file(name));
        unsigned long value = 0;
        text >> value;
        return value;
    }
    static void set(unsigned long pages) {
        std::ofstream(file("nr_hugepages")) << pages << std::flush;
    }

    unsigned long before_;
};

using huge_pages = system_pages<std::uint64_t{1} << 21>;
using gigantic_pages = system_pages<std::uint64_t{1} << 30>;

} // namespace palloc::test
