// SPDX-License-Identifier: MIT
#include <array>
#include <cstdio>
#include <cstdlib>
#include <dirent.h>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

#include "attack.hpp"

namespace palloc::test {
namespace {

constexpr int read_write = PROT_READ | PROT_WRITE;

/// The first line about this process's mappings of which `is_it` is true.
template <class Predicate>
std::string line_of_maps(Predicate&& is_it) {
    std::FILE* const maps = std::fopen("/proc/self/maps", "re");
    std::array<char, 512> line{};
    std::string found;
    while (found.empty() && maps != nullptr &&
           std::fgets(line.data(), line.size(), maps) != nullptr)
        if (is_it(line.data()))
            found = line.data();
    if (maps != nullptr)
        std::fclose(maps);
    return found;
}

address base_in(const char* line) {
    return std::strtoull(line, nullptr, 16);
}

/// 0 where it is no file.
unsigned long long inode_in(const char* line) {
    unsigned long long inode = 0;
    return std::sscanf(line, "%*s %*s %*s %*s %llu", &inode) == 1 ? inode : 0;
}

std::string line_of_mapping(const victim& v) {
    return line_of_maps([&](const char* line) { return base_in(line) == v.where.base; });
}

/// A descriptor of the file that is mapped at the victim; -1 where there is none.
int file_of(const victim& v) {
    const unsigned long long inode = inode_in(line_of_mapping(v).c_str());
    if (inode == 0)
        return -1;
    for (int file = 3; file != 64; ++file) {
        struct stat facts{};
        if (::fstat(file, &facts) == 0 && facts.st_ino == inode && S_ISREG(facts.st_mode))
            return file;
    }
    return -1;
}

bool store_through(int file) {
    if (file < 0)
        return false;
    void* const view = ::mmap(nullptr, 4 * page, read_write, MAP_SHARED, file, 0);
    if (view != MAP_FAILED)
        store_at(static_cast<char*>(view) + 2 * page);
    return true;
}

class retained_alias : public attack {
  public:
    retained_alias() : attack("store through a retained alias") {}
    bool prime(const victim& v) override {
        const int file = file_of(v);
        view_ = file < 0 ? MAP_FAILED : ::mmap(nullptr, 4 * page, read_write, MAP_SHARED, file, 0);
        return view_ != MAP_FAILED;
    }
    bool strike(const victim&) override {
        store_at(static_cast<char*>(view_) + 2 * page);
        return true;
    }

  private:
    void* view_ = MAP_FAILED;
};

bool write_file(const victim& v) {
    const int file = file_of(v);
    return file >= 0 && ::pwrite(file, &hostile_byte, 1, 2 * page) >= -1;
}

bool punch_hole(const victim& v) {
    const int file = file_of(v);
    return file >= 0 &&
           ::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * page, page) <= 0;
}

bool truncate_file(const victim& v) {
    const int file = file_of(v);
    return file >= 0 && ::ftruncate(file, 0) <= 0;
}

bool reopen(const victim& v) {
    const int file = file_of(v);
    if (file < 0)
        return false;
    const std::string path = "/proc/self/fd/" + std::to_string(file);
    (void)store_through(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    return true;
}

bool through_map_files(const victim& v) {
    const std::string line = line_of_mapping(v);
    const std::string path = "/proc/self/map_files/" + line.substr(0, line.find(' '));
    return store_through(::open(path.c_str(), O_RDWR | O_CLOEXEC));
}

} // namespace

victim second_view_of(const victim& v) {
    const unsigned long long inode = inode_in(line_of_mapping(v).c_str());
    const std::string line = line_of_maps([&](const char* each) {
        return inode != 0 && inode_in(each) == inode && base_in(each) != v.where.base;
    });
    return line.empty() ? victim{} : victim{{base_in(line.c_str()), v.where.bytes}};
}

// The attacks look for any descriptor of the file, so they find it.
bool keep_descriptor(const victim& v) {
    return ::fcntl(file_of(v), F_DUPFD_CLOEXEC, 3) >= 0;
}

void add_attacks_on_the_file(attacks& all) {
    all.push_back(std::make_unique<retained_alias>());
    add(all, "new writable map of the file",
        [](const victim& v) { return store_through(file_of(v)); });
    add(all, "pwrite", write_file);
    add(all, "fallocate(PUNCH_HOLE)", punch_hole);
    add(all, "ftruncate(0)", truncate_file);
    add(all, "re-open /proc/self/fd, map", reopen);
    add(all, "re-open /proc/self/map_files, map", through_map_files);
}

} // namespace palloc::test
