// What people type, at the end of each command's --help.
#pragma once

#include "cli/command.h"

namespace assay::cli {

/// Adds examples to the footers of the subcommands of `app`. REQUIRES: all are there.
void add_examples(CLI::App& app);

}  // namespace assay::cli
