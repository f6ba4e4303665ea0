// assay equal: pairs {"a", "b"} a line in, {"equal": true | false} a line out.
#include <iostream>
#include <string>

#include "base/json.h"
#include "cli/commands.h"
#include "evals/extract/math_equal.h"

namespace assay::cli {
namespace {

ExitCode run_equal() {
  std::string line;
  for (std::size_t number = 1; std::getline(std::cin, line); ++number) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const Json pair = parse_json(line, fmt::format("standard input:{}", number));
    Json out;
    out.set("equal", evals::math_equal(pair.at("a").as_string(), pair.at("b").as_string()));
    std::cout << out.dump() << '\n';
  }
  std::cout.flush();
  return ExitCode::kOk;
}

}  // namespace

void add_equal(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand(
      "equal", "reads pairs {\"a\", \"b\"} a line and says whether they are the same MATH answer");
  command->add_flag_callback(
      "--json", [] {}, "JSON lines, as without it");
  command->callback([&chosen] { chosen.action = run_equal; });
}

}  // namespace assay::cli
