// assay bench: how fast, measured with the definitions of docs/bench.md.
#include <memory>

#include "cli/bench_common.h"
#include "cli/command.h"
#include "cli/commands.h"

namespace assay::cli {

void add_bench(CLI::App& app, Chosen& chosen) {
  CLI::App* bench = app.add_subcommand("bench", "Measure speed: latency, throughput, serve ...");
  bench->require_subcommand(1);
  add_bench_latency(*bench, chosen);
  add_bench_throughput(*bench, chosen);
  add_bench_serve(*bench, chosen);
  add_bench_kernels(*bench, chosen);
  add_bench_exchange(*bench, chosen);
}

}  // namespace assay::cli
