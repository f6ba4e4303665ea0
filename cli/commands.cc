#include "cli/commands.h"

namespace assay::cli {

// One line a subcommand; each is defined in cli/<name>.cc.

void add_commands(CLI::App& /*app*/, Chosen& /*chosen*/) {
  // One line a subcommand, in the order of --help.
}

}  // namespace assay::cli
