// SPDX-License-Identifier: MIT
#include <memory>

#include "commands.hpp"
#include "golden.hpp"

namespace palloc::bench {

void add_golden_command(CLI::App& program, int& status) {
    struct arguments {
        std::vector<std::string> files;
        bool repaired = false;
    };
    const auto given = std::make_shared<arguments>();
    CLI::App* const command = program.add_subcommand(
        "golden", "Replays sequences recorded from the kernel's genalloc over each bitmap, and "
                  "compares every address. Exit status 1 on any mismatch, 2 on a damaged file.");
    command->add_option("FILE", given->files, "Golden traces")->required();
    command->add_flag("--repaired", given->repaired,
                      "With the declared repairs of the kernel's defects, counted apart");
    command->callback([given, &status] {
        status =
            run_golden(given->files, given->repaired ? golden_mode::repaired : golden_mode::strict);
    });
}

} // namespace palloc::bench
