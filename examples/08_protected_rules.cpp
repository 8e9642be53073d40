// SPDX-License-Identifier: MIT
// A policy engine: rules are parsed into pmr containers, copied into a protected pool, and served
// by several threads, while a hostile thread tries to change the verdicts. Nothing changes.
#include <palloc/bridges/frozen.hpp>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <map>
#include <memory_resource>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include <sys/mman.h>

using namespace palloc;

namespace {

struct rule {
    using allocator_type = std::pmr::polymorphic_allocator<std::byte>;

    explicit rule(const allocator_type& memory) : paths(memory), reason(memory) {}
    rule(const rule& other, const allocator_type& memory)
        : allows(other.allows), paths(other.paths, memory), reason(other.reason, memory) {}
    rule(const rule&) = default;
    rule& operator=(const rule&) = default;

    bool allows = false;
    std::pmr::vector<std::pmr::string> paths;
    std::pmr::string reason;
};

} // namespace

// Its members take all their memory from its resource, so it need not be destroyed.
template <>
inline constexpr bool palloc::all_lies_in_its_resource<rule> = true;

namespace {

using rule_set = std::pmr::map<std::pmr::string, rule>;

constexpr int users = 2000;

std::string rules_as_text() {
    auto all = nlohmann::json::object();
    for (int user = 0; user != users; ++user)
        all["user-" + std::to_string(user)] = {
            {"allow", user % 3 == 0},
            {"paths",
             {"/home/" + std::to_string(user), "/srv/shared/documents/" + std::to_string(user)}},
            {"reason", "rule number " + std::to_string(user) + " of the department"}};
    return all.dump();
}

rule_set parse(const std::string& text) {
    rule_set rules;
    const auto document = nlohmann::json::parse(text);
    for (const auto& [user, wanted] : document.items()) {
        rule& made = rules.try_emplace(std::pmr::string(user)).first->second;
        made.allows = wanted["allow"].get<bool>();
        for (const auto& path : wanted["paths"])
            made.paths.emplace_back(path.get_ref<const std::string&>());
        made.reason = wanted["reason"].get_ref<const std::string&>();
    }
    return rules;
}

thread_local sigjmp_buf after_fault;

struct hostility {
    std::atomic<bool> stop = false;
    std::atomic<long> attempts = 0;
    std::atomic<long> faults = 0;
};

/// What an attacker does who can store anywhere and make some system calls.
[[gnu::noinline]] void attack(const rule& victim, hostility& told) {
    while (!told.stop) {
        (void)::mprotect(reinterpret_cast<void*>(address_of(&victim) & ~address{4095}), 4096,
                         PROT_READ | PROT_WRITE);
        if (sigsetjmp(after_fault, 1) == 0)
            const_cast<volatile bool&>(victim.allows) = true;
        else
            ++told.faults;
        ++told.attempts;
    }
}

} // namespace

int main() {
    const rule_set parsed = parse(rules_as_text());
    const auto rules = freeze(parsed, {.name = "rules", .insistence = demand::best_effort});
    if (!rules) {
        std::printf("could not protect: %s\n", to_string(rules.error().code).data());
        return 1;
    }
    std::printf("%zu rules in %llu bytes, strength %d of %d\n", (*rules)->size(),
                static_cast<unsigned long long>(rules->pool().statistics().allocated_bytes),
                static_cast<int>(rules->achieved()), static_cast<int>(strength::permanent));

    struct sigaction back{};
    back.sa_handler = [](int) { siglongjmp(after_fault, 1); };
    ::sigaction(SIGSEGV, &back, nullptr);

    hostility told;
    std::thread hostile([&] { attack(rules.value()->at("user-1"), told); });
    while (told.attempts == 0)
        std::this_thread::yield();
    std::atomic<long> wrong = 0;
    std::vector<std::thread> serving;
    for (int server = 0; server != 2; ++server)
        serving.emplace_back([&] {
            for (int round = 0; round != 20; ++round)
                for (int user = 0; user != users; ++user) {
                    const std::pmr::string name("user-" + std::to_string(user));
                    const rule& found = rules.value()->at(name);
                    if (found.allows != (user % 3 == 0) || found.paths.size() != 2)
                        ++wrong;
                }
        });
    for (auto& each : serving)
        each.join();
    told.stop = true;
    hostile.join();
    bool intact = rules.value()->size() == parsed.size();
    for (const auto& [user, expected] : parsed) {
        const rule& found = rules.value()->at(user);
        intact = intact && found.allows == expected.allows && found.paths == expected.paths &&
                 found.reason == expected.reason;
    }
    std::printf("%ld hostile stores faulted, %ld wrong answers, rules %s\n", told.faults.load(),
                wrong.load(), intact ? "intact" : "CHANGED");
    return intact && wrong == 0 && told.faults == told.attempts ? 0 : 1;
}
