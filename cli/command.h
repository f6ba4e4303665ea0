// How a subcommand joins the program: one function in its own file, one line in cli/commands.cc.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

#include "base/error.h"

namespace assay::cli {

/// What a subcommand does once its options are parsed; returns the exit code.
using Action = std::function<ExitCode()>;

/// The subcommand that was chosen sets this in its CLI11 callback; main runs it afterwards, so that
/// errors of the work are reported in one place.
struct Chosen {
  Action action;
};

}  // namespace assay::cli
