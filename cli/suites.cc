// assay suites check | expand: looks at suite files without running them.
#include <fmt/format.h>

#include <memory>
#include <string>

#include "cli/command.h"
#include "cli/commands.h"
#include "suites/suite.h"

namespace assay::cli {
namespace {

void print_summary(const suites::Suite& suite) {
  fmt::print("{}: {}\n", suite.name, suite.title);
  for (const suites::SuiteModel& model : suite.models) {
    std::string settings;
    for (const suites::Setting& setting : model.settings) {
      settings += (settings.empty() ? "" : ", ") + suites::setting_name(setting);
    }
    fmt::print("  model {}: {}\n", model.label.empty() ? model.path : model.label, settings);
  }
  for (const suites::SuiteTask& task : suite.tasks) {
    fmt::print("  task {}@{}{}\n", task.task, task.protocol,
               task.limit > 0 ? fmt::format(", at most {} samples", task.limit) : "");
  }
  fmt::print("  digest {}\n", suite.sha256);
}

}  // namespace

void add_suites(CLI::App& app, Chosen& chosen) {
  CLI::App* group = app.add_subcommand("suites", "Check or expand suite files");
  group->require_subcommand(1);
  auto file = std::make_shared<std::string>();
  CLI::App* check = group->add_subcommand("check", "Parse a suite file and say what it asks for");
  check->add_option("FILE", *file, "Suite file (.jsonc)")->required();
  check->callback([&chosen, file] {
    chosen.action = [file] {
      print_summary(suites::load_suite(*file));
      return ExitCode::kOk;
    };
  });
  CLI::App* expand = group->add_subcommand("expand", "Print a suite with its parents merged in");
  expand->add_option("FILE", *file, "Suite file (.jsonc)")->required();
  expand->callback([&chosen, file] {
    chosen.action = [file] {
      (void)suites::load_suite(*file);
      fmt::print("{}\n", suites::expand_suite(*file).dump_pretty());
      return ExitCode::kOk;
    };
  });
}

}  // namespace assay::cli
