// SPDX-License-Identifier: MIT
#include "paste.hpp"

#include <fmt/format.h>

namespace palloc::bench {
namespace {

std::string identifier(std::string_view text) {
    std::string made;
    for (const char c : text) {
        const bool fits =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        made += fits ? c : '_';
    }
    return made.empty() || (made[0] >= '0' && made[0] <= '9') ? "p_" + made : made;
}

constexpr std::string_view container = "    std::pmr::vector<std::pmr::string> words(&memory);\n"
                                       "    words.emplace_back(\"served by the pool\");\n";

std::string of_the_standard(const composition& pool) {
    const bool is_function = pool.cpp.ends_with("()");
    return fmt::format("#include <memory_resource>\n#include <string>\n#include <vector>\n\n"
                       "inline void use_memory() {{\n    {}\n{}}}\n",
                       is_function
                           ? fmt::format("std::pmr::memory_resource& memory = *{};", pool.cpp)
                           : fmt::format("{} memory;", pool.cpp),
                       container);
}

} // namespace

std::string cpp_of(const composition& pool, std::string_view program) {
    if (pool.role == standing::baseline)
        return of_the_standard(pool);
    const std::string name = identifier(program);
    const std::string growth = pool.role == standing::preset
                                   ? ""
                                   : ",\n                    .growth = "
                                     "palloc::growth_policy::geometric(1 << 20, 64 << 20)";
    const std::string own = pool.cpp.find("palloc::bench::") == std::string_view::npos
                                ? ""
                                : "// with the definitions that the type names\n"
                                  "#include \"own_compositions.hpp\"\n";
    return fmt::format(
        "#include <memory_resource>\n#include <palloc/palloc.hpp>\n#include <string>\n"
        "#include <vector>\n{4}\n"
        "namespace {0}_memory {{\nusing namespace palloc;\n"
        "using pool_type =\n    {1};\n}} // namespace {0}_memory\n\n"
        "inline void use_{0}_memory() {{\n"
        "    {0}_memory::pool_type pool(palloc::pool_options{{.name = \"{0}\"{2}}});\n"
        "    palloc::pool_resource<{0}_memory::pool_type> memory(pool);\n{3}}}\n",
        name, pool.cpp, growth, container, own);
}

} // namespace palloc::bench
