#include "cli/commands.h"

#include "cli/examples.h"

namespace assay::cli {

void add_commands(CLI::App& app, Chosen& chosen) {
  // One line a subcommand, in the order of --help.
  add_run(app, chosen);
  add_report(app, chosen);
  add_bench(app, chosen);
  add_compare(app, chosen);
  add_gate(app, chosen);
  add_runs(app, chosen);
  add_score(app, chosen);
  add_equal(app, chosen);
  add_extract(app, chosen);
  add_tokenize(app, chosen);
  add_models(app, chosen);
  add_quantize(app, chosen);
  add_suites(app, chosen);
  add_generate(app, chosen);
  add_serve(app, chosen);
  add_datasets(app, chosen);
  add_doctor(app, chosen);
  add_examples(app);
}

}  // namespace assay::cli
