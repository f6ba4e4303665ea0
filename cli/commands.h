// The subcommands of the program, in the order that --help lists them.
#pragma once

#include "cli/command.h"

namespace assay::cli {

/// Adds every subcommand to `app`; the one chosen on the command line sets `chosen.action`.
void add_commands(CLI::App& app, Chosen& chosen);

// Each is defined in cli/<name>.cc.
void add_bench(CLI::App& app, Chosen& chosen);
void add_compare(CLI::App& app, Chosen& chosen);
void add_gate(CLI::App& app, Chosen& chosen);
void add_runs(CLI::App& app, Chosen& chosen);
void add_datasets(CLI::App& app, Chosen& chosen);
void add_equal(CLI::App& app, Chosen& chosen);
void add_doctor(CLI::App& app, Chosen& chosen);
void add_extract(CLI::App& app, Chosen& chosen);
void add_generate(CLI::App& app, Chosen& chosen);
void add_report(CLI::App& app, Chosen& chosen);
void add_run(CLI::App& app, Chosen& chosen);
void add_score(CLI::App& app, Chosen& chosen);
void add_serve(CLI::App& app, Chosen& chosen);
void add_models(CLI::App& app, Chosen& chosen);
void add_quantize(CLI::App& app, Chosen& chosen);
void add_suites(CLI::App& app, Chosen& chosen);
void add_tokenize(CLI::App& app, Chosen& chosen);

}  // namespace assay::cli
