// SPDX-License-Identifier: MIT
/// @file
/// @brief Huge pages for the time of a test, where it may ask for them.
#pragma once

#include <fstream>
#include <string>

namespace palloc::test {

/// @brief Sets how many 2 MiB pages the system keeps, and sets it back in the end.
class huge_pages {
  public:
    explicit huge_pages(unsigned long wanted) : before_(number("nr_hugepages")) {
        set(before_ + wanted);
    }
    ~huge_pages() { set(before_); }
    huge_pages(const huge_pages&) = delete;
    huge_pages& operator=(const huge_pages&) = delete;

    /// @brief How many nobody has or has been promised.
    [[nodiscard]] static unsigned long left() {
        return number("free_hugepages") - number("resv_hugepages");
    }

  private:
    static constexpr const char* folder = "/sys/kernel/mm/hugepages/hugepages-2048kB/";

    static unsigned long number(const char* name) {
        std::ifstream file(std::string(folder) + name);
        unsigned long value = 0;
        file >> value;
        return value;
    }
    static void set(unsigned long pages) {
        std::ofstream(std::string(folder) + "nr_hugepages") << pages << std::flush;
    }

    unsigned long before_;
};

} // namespace palloc::test
