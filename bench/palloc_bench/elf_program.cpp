// SPDX-License-Identifier: MIT
#include "elf_program.hpp"

#include <array>
#include <cstdlib>
#include <cstring>
#include <elf.h>
#include <fmt/format.h>
#include <fstream>
#include <sstream>
#include <unistd.h>

#include <sys/stat.h>
#include <sys/xattr.h>

namespace palloc::bench {
namespace {

constexpr int most_interpreters = 4; // as the kernel

constexpr auto own_machine =
#if defined(__x86_64__)
    EM_X86_64;
#elif defined(__aarch64__)
    EM_AARCH64;
#elif defined(__riscv)
    EM_RISCV;
#else
#error "name this machine's ELF number"
#endif

bool is_executable_file(const std::filesystem::path& file) {
    return std::filesystem::is_regular_file(file) && access(file.c_str(), X_OK) == 0;
}

template <class T>
bool read_at(std::ifstream& from, std::uint64_t at, T& to) {
    from.seekg(static_cast<std::streamoff>(at));
    return static_cast<bool>(from.read(reinterpret_cast<char*>(&to), sizeof to));
}

std::optional<std::string> why_not_elf(std::ifstream& file, const std::string& name) {
    Elf64_Ehdr header{};
    if (!read_at(file, 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0)
        return fmt::format("{} is neither a program nor a script", name);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_machine != own_machine)
        return fmt::format("{} is a program for another machine than palloc-bench", name);
    for (unsigned i = 0; i != header.e_phnum; ++i) {
        Elf64_Phdr segment{};
        if (!read_at(file, header.e_phoff + std::uint64_t{i} * header.e_phentsize, segment))
            break;
        if (segment.p_type == PT_INTERP)
            return std::nullopt;
    }
    return fmt::format("{} is statically linked: nothing can be loaded in front of its allocator; "
                       "link it dynamically, or record it with palloc's recorder observer",
                       name);
}

std::optional<std::string> why_not(const std::filesystem::path& program, int interpreters) {
    const std::string name = program.string();
    struct stat facts{};
    if (stat(program.c_str(), &facts) != 0)
        return fmt::format("{}: {}", name, std::strerror(errno));
    if ((facts.st_mode & (S_ISUID | S_ISGID)) != 0)
        return fmt::format("{} is set-uid or set-gid: the system loads no foreign library into "
                           "it; record a copy without that bit",
                           name);
    if (getxattr(program.c_str(), "security.capability", nullptr, 0) > 0)
        return fmt::format("{} has file capabilities: the system loads no foreign library into it; "
                           "record a copy without them",
                           name);
    std::ifstream file(program, std::ios::binary);
    std::array<char, 2> start{};
    if (!file.read(start.data(), start.size()))
        return fmt::format("{} cannot be read", name);
    if (start != std::array{'#', '!'})
        return why_not_elf(file, name);
    std::string line;
    std::getline(file, line);
    std::istringstream words(line);
    std::string interpreter;
    words >> interpreter;
    if (interpreter.empty() || interpreters == 0)
        return fmt::format("{} names no interpreter that can be run", name);
    return why_not(interpreter, interpreters - 1);
}

} // namespace

std::optional<std::filesystem::path> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return is_executable_file(name) ? std::optional(std::filesystem::path(name)) : std::nullopt;
    const char* const path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "/usr/local/bin:/bin:/usr/bin" : path);
    for (std::string folder; std::getline(folders, folder, ':');) {
        const auto candidate = std::filesystem::path(folder.empty() ? "." : folder) / name;
        if (is_executable_file(candidate))
            return candidate;
    }
    return std::nullopt;
}

std::optional<std::string> why_not_recordable(const std::filesystem::path& program) {
    return why_not(program, most_interpreters);
}

} // namespace palloc::bench
