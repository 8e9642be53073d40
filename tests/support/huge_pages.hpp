// SPDX-License-Identifier: MIT
/// @file
/// @brief Huge pages for the time of a test, where it may ask for them.
#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <unistd.h>

#include <sys/file.h>

namespace palloc::test {

/// @brief Sets how many pages of a size the system keeps, and sets it back in the end. That number
/// is the system's: whoever holds one of these keeps other programs that want one waiting, so that
/// what is left changes by the holder's doing only.
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

    /// @brief Where the system tells such a number.
    [[nodiscard]] static std::string file(const char* name) {
        return "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(Bytes / 1024) + "kB/" + name;
    }

  private:
    static unsigned long number(const char* name) {
        std::ifstream text(file(name));
        unsigned long value = 0;
        text >> value;
        return value;
    }
    static void set(unsigned long pages) {
        std::ofstream(file("nr_hugepages")) << pages << std::flush;
    }

    /// The system's file itself, which every program can open and which is never left behind.
    class turn {
      public:
        turn() : file_(::open(file("nr_hugepages").c_str(), O_RDONLY | O_CLOEXEC)) {
            while (file_ >= 0 && ::flock(file_, LOCK_EX) != 0 && errno == EINTR) {
            }
        }
        ~turn() {
            if (file_ >= 0)
                ::close(file_);
        }
        turn(const turn&) = delete;
        turn& operator=(const turn&) = delete;

      private:
        int file_;
    };

    turn ours_; ///< before the number is looked at, until it is set back
    unsigned long before_;
};

using huge_pages = system_pages<std::uint64_t{1} << 21>;
using gigantic_pages = system_pages<std::uint64_t{1} << 30>;

} // namespace palloc::test
