// SPDX-License-Identifier: MIT
// A loader: the sections of an object file put into parts that may be executed, read or written,
// near enough to one another for 32-bit displacements, relocated, and made live at once.
//
//     07_load_an_object_file FILE.o FUNCTION
#include <palloc/perm_alloc.hpp>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <unistd.h>
#include <vector>

using namespace palloc;

namespace {

class loaded_object {
  public:
    explicit loaded_object(perm_alloc& code) : code_(code) {}
    ~loaded_object() {
        for (const auto& [index, part] : parts_)
            (void)code_.free(part);
    }
    loaded_object(const loaded_object&) = delete;
    loaded_object& operator=(const loaded_object&) = delete;

    /// @brief The address of `function`, or nothing where the file cannot be loaded.
    std::optional<address> load(Elf* file, std::string_view function) {
        if (!place_sections(file))
            return std::nullopt;
        for (Elf_Scn* it = nullptr; (it = elf_nextscn(file, it)) != nullptr;)
            if (!relocate(file, it))
                return std::nullopt;
        for (auto& [index, image] : images_) // each part is written once, and seen only then
            if (!image.empty() && !parts_.at(index).write(0, image))
                return std::nullopt;
        return symbol(file, function);
    }

  private:
    static permissions wanted(const GElf_Shdr& header) {
        return (header.sh_flags & SHF_EXECINSTR) != 0 ? permissions::read_execute
               : (header.sh_flags & SHF_WRITE) != 0   ? permissions::read_write
                                                      : permissions::read;
    }

    bool place_sections(Elf* file) {
        for (Elf_Scn* it = nullptr; (it = elf_nextscn(file, it)) != nullptr;) {
            GElf_Shdr header;
            gelf_getshdr(it, &header);
            if ((header.sh_flags & SHF_ALLOC) == 0 || header.sh_size == 0)
                continue;
            // The first part goes anywhere, all others within its reach.
            const range near =
                parts_.empty() ? anywhere : within_reach_of(parts_.begin()->second.address());
            const auto part = code_.allocate({.within = near,
                                              .bytes = header.sh_size,
                                              .allowed = wanted(header),
                                              .alignment = header.sh_addralign});
            if (!part)
                return false;
            const std::size_t index = elf_ndxscn(it);
            parts_[index] = *part;
            const Elf_Data* const data = elf_getdata(it, nullptr);
            images_[index].resize(header.sh_size);
            if (header.sh_type != SHT_NOBITS)
                std::memcpy(images_[index].data(), data->d_buf, header.sh_size);
        }
        return true;
    }

    bool relocate(Elf* file, Elf_Scn* section) {
        GElf_Shdr header;
        gelf_getshdr(section, &header);
        const auto target = parts_.find(header.sh_info);
        if (header.sh_type != SHT_RELA || target == parts_.end())
            return true;
        Elf_Data* const entries = elf_getdata(section, nullptr);
        Elf_Data* const symbols = elf_getdata(elf_getscn(file, header.sh_link), nullptr);
        for (int i = 0; i != static_cast<int>(header.sh_size / header.sh_entsize); ++i) {
            GElf_Rela entry;
            GElf_Sym to;
            gelf_getrela(entries, i, &entry);
            gelf_getsym(symbols, static_cast<int>(GELF_R_SYM(entry.r_info)), &to);
            const auto part = parts_.find(to.st_shndx);
            if (part == parts_.end())
                return false; // not in this file
            const address value =
                part->second.address() + to.st_value + static_cast<std::uint64_t>(entry.r_addend);
            std::byte* const place = images_[target->first].data() + entry.r_offset;
            const address final = target->second.address() + entry.r_offset;
            if (GELF_R_TYPE(entry.r_info) == R_X86_64_64) {
                std::memcpy(place, &value, 8);
            } else if (GELF_R_TYPE(entry.r_info) == R_X86_64_PC32 ||
                       GELF_R_TYPE(entry.r_info) == R_X86_64_PLT32) {
                const auto distance = static_cast<std::int64_t>(value - final);
                const auto near = static_cast<std::int32_t>(distance);
                if (near != distance)
                    return false;
                std::memcpy(place, &near, 4);
            } else {
                return false;
            }
        }
        return true;
    }

    std::optional<address> symbol(Elf* file, std::string_view name) {
        for (Elf_Scn* it = nullptr; (it = elf_nextscn(file, it)) != nullptr;) {
            GElf_Shdr header;
            gelf_getshdr(it, &header);
            if (header.sh_type != SHT_SYMTAB)
                continue;
            Elf_Data* const symbols = elf_getdata(it, nullptr);
            GElf_Sym found;
            for (int i = 0; gelf_getsym(symbols, i, &found) != nullptr; ++i)
                if (const auto part = parts_.find(found.st_shndx);
                    part != parts_.end() && elf_strptr(file, header.sh_link, found.st_name) == name)
                    return part->second.address() + found.st_value;
        }
        return std::nullopt;
    }

    perm_alloc& code_;
    std::map<std::size_t, perm_alloc::allocation> parts_;
    std::map<std::size_t, std::vector<std::byte>> images_;
};

} // namespace

int main(int argc, char** argv) {
    if (argc != 3) {
        std::puts("usage: 07_load_an_object_file FILE.o FUNCTION");
        return 2;
    }
    elf_version(EV_CURRENT);
    const int file = ::open(argv[1], O_RDONLY | O_CLOEXEC);
    Elf* const elf = elf_begin(file, ELF_C_READ, nullptr);
    perm_alloc code;
    int status = 1;
    {
        loaded_object object(code);
        const auto entry = elf == nullptr ? std::nullopt : object.load(elf, argv[2]);
        if (entry) {
            using function = int(int);
            auto* const call = reinterpret_cast<function*>(*entry);
            const int first = call(20);
            const int second = call(20);
            std::printf("%s(20) = %d, then %d\n", argv[2], first, second);
            status = second == first + 1 ? 0 : 1;
        } else {
            std::printf("%s: cannot be loaded\n", argv[1]);
        }
    }
    elf_end(elf);
    ::close(file);
    return status;
}
