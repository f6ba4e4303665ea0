// assay equal: pairs {"a", "b"} a line in, {"equal": true | false} a line out.
#include <algorithm>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/commands.h"
#include "evals/extract/math_equal.h"

namespace assay::cli {
namespace {

evals::MathEqualOptions options_from(const std::vector<std::string>& settings) {
  evals::MathEqualOptions options;
  std::vector<std::string> known;
  for (const evals::MathEqualRule& rule : evals::math_equal_rules()) known.emplace_back(rule.name);
  for (const std::string& setting : settings) {
    const std::size_t sign = setting.find('=');
    const std::string name = setting.substr(0, sign);
    const std::string value = sign == std::string::npos ? "on" : setting.substr(sign + 1);
    const auto at = std::find(known.begin(), known.end(), name);
    if (at == known.end() || (value != "on" && value != "off")) {
      throw_input("--rule {}: expected NAME=on or NAME=off, NAME one of {}{}", escaped(setting),
                  join(known, ", "), suggestion(name, known));
    }
    options.*evals::math_equal_rules()[static_cast<std::size_t>(at - known.begin())].value =
        value == "on";
  }
  return options;
}

ExitCode run_equal(const std::vector<std::string>& rules) {
  const evals::MathEqualOptions options = options_from(rules);
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json pair = parse_json(line, fmt::format("standard input:{}", number));
    Json out;
    out.set("equal",
            evals::math_equal(pair.at("a").as_string(), pair.at("b").as_string(), options));
    std::cout << out.dump() << '\n';
  }
  std::cout.flush();
  return ExitCode::kOk;
}

}  // namespace

void add_equal(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "equal", "Say whether the pairs {\"a\", \"b\"} on stdin are the same MATH answer");
  command->add_flag_callback(
      "--json", [] {}, "JSON lines, as without it");
  auto rules = std::make_shared<std::vector<std::string>>();
  command->add_option("--rule", *rules, "NAME=on or NAME=off: a contested rule (docs/math.md)");
  command->callback([&chosen, rules] { chosen.action = [rules] { return run_equal(*rules); }; });
}

}  // namespace assay::cli
