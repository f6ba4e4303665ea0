// What a gate leaves for a CI service, for `assay gate` and `assay run --gate`.
#pragma once

#include <CLI/CLI.hpp>
#include <span>
#include <string>
#include <vector>

#include "reports/gate.h"

namespace assay::cli {

struct GateFiles {
  std::string junit;    // "" writes none
  std::string summary;  // Markdown
};

/// `--junit` and `--summary`.
std::vector<CLI::Option*> add_gate_files(CLI::App& command, GateFiles& files);
/// Throws: Error(kEnvironment) for a file that cannot be written.
void write_gate_files(std::span<const reports::GateReport> reports, const GateFiles& files);

}  // namespace assay::cli
