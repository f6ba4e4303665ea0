// A command that several processes run together, as a launcher started them.
#pragma once

#include <functional>
#include <string>

#include "cli/command.h"
#include "engine/parallel/process_group.h"

namespace assay::cli {

/// `--launcher`, ASSAY_LAUNCHER.
void add_launcher_option(CLI::App& command, std::string& launcher);

/// As the only process, or as rank 0 of several, calls `lead` (with null or the group); the other
/// ranks load and compute what rank 0 asks of them, print nothing, and end with its exit code.
/// `threads` is that of the command line.
ExitCode with_processes(const std::string& launcher, int threads,
                        const std::function<ExitCode(engine::ProcessGroup*)>& lead);

/// Ranks of the model: of one process as given, of several at least one each.
int ranks_of(const engine::ProcessGroup* processes, int tp);

}  // namespace assay::cli
