#include "cli/gate_files.h"

#include "base/file.h"

namespace assay::cli {

std::vector<CLI::Option*> add_gate_files(CLI::App& command, GateFiles& files) {
  return {command.add_option("--junit", files.junit, "Write JUnit XML"),
          command.add_option("--summary", files.summary, "Write Markdown for a step summary")};
}

void write_gate_files(std::span<const reports::GateReport> reports, const GateFiles& files) {
  if (!files.junit.empty()) write_file_atomic(files.junit, reports::gate_junit(reports));
  if (files.summary.empty()) return;
  std::string text;
  for (const reports::GateReport& report : reports) text += reports::gate_markdown(report);
  write_file_atomic(files.summary, text);
}

}  // namespace assay::cli
