// assay bench kernels, import and export: Google Benchmark programs, and results of other tools.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/bench_common.h"
#include "cli/build_record.h"
#include "cli/store_path.h"
#include "engine/cuda/devices.h"
#include "engine/parallel/thread_team.h"
#include "suites/bench/google.h"
#include "suites/bench/peers.h"
#include "suites/interrupt.h"

namespace assay::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

struct KernelArguments : BenchArguments {
  suites::KernelPrograms programs;
  std::string folder;
  std::string format = "table";
};

/// Beside the program in a build tree, else where an installation has them.
fs::path default_folder() {
  std::error_code code;
  const fs::path self = fs::read_symlink("/proc/self/exe", code).parent_path();
  for (const fs::path& folder : {self / "bench", self.parent_path() / "libexec/assay"}) {
    if (fs::is_directory(folder, code)) return folder;
  }
  return self / "bench";
}

/// Bounds of one core, all cores and the GPU.
std::vector<engine::Roofline> rooflines() {
  log_info("measuring what this machine can do");
  std::vector<engine::Roofline> out = {engine::measure_cpu_roofline(1)};
  const int cores = engine::usable_cores();
  if (cores > 1) out.push_back(engine::measure_cpu_roofline(cores));
  if (!engine::gpu_report().devices.empty()) out.push_back(engine::measure_gpu_roofline());
  return out;
}

/// What Google Benchmark writes about the machine, and the bounds that stand among the cases.
Json google_context(const store::RunRecord& run, const std::vector<store::BenchCaseRecord>& cases) {
  Json out;
  out.set("date", run.started_at);
  out.set("host_name", "");  // results are published: no name of a machine
  out.set("executable", "assay");
  out.set("num_cpus", run.machine.cores);
  out.set("mhz_per_cpu", 0);
  out.set("cpu_scaling_enabled", false);
  out.set("caches", Json(Json::Array{}));
  out.set("library_build_type", "release");
  out.set("json_schema_version", 1);
  out.set("cpu", run.machine.cpu);
  out.set("assay_commit", run.build.git_commit);
  out.set("assay_run", run.name);
  for (const store::BenchCaseRecord& bench : cases) {
    if (bench.kind != "roofline" || bench.reps.empty()) continue;
    for (const auto& [name, value] : bench.reps.front().values) {
      out.set(bench.name + "/" + name, value);
    }
  }
  return out;
}

/// Every program, watched; a noisy program marks all its repetitions.
suites::Measured run_programs(const KernelArguments& a) {
  const suites::InterruptibleWork work;  // finished programs are stored
  suites::Measured out;
  suites::Telemetry telemetry;
  const suites::NoiseLimits limits = noise_limits(a, false);
  for (const fs::path& program : suites::kernel_programs(a.programs.folder)) {
    if (suites::interrupted()) break;
    const std::string name = program.filename().string();
    if (!a.quiet) log_info("{}", name);
    telemetry.begin();
    const Json document = suites::run_google(program, a.programs);
    const suites::Interference seen = telemetry.end();
    if (document.is_null()) continue;
    const std::string noise = suites::noise_of(seen, limits);
    if (!noise.empty()) out.remarks.push_back(name + ": " + noise);
    for (store::BenchCaseRecord& bench : suites::read_google(document, name)) {
      bench.params.set("program", name);
      bench.params.set("min_time_s", a.programs.min_time_s);
      for (store::BenchRepRecord& rep : bench.reps) {
        if (rep.invalid_reason.empty()) rep.invalid_reason = noise;
      }
      if (bench.reps.front().number == 0) bench.reps.front().detail.set("machine", seen.to_json());
      out.cases.push_back(std::move(bench));
    }
  }
  out.interrupted = suites::interrupted();
  return out;
}

ExitCode kernels(KernelArguments a) {
  a.programs.folder = a.folder.empty() ? default_folder() : fs::path(a.folder);
  a.programs.reps = a.reps.value_or(suites::kUsualReps);
  suites::install_interrupt_handlers();
  const std::vector<engine::Roofline> bounds = rooflines();
  suites::Measured measured = run_programs(a);
  suites::add_roofline_shares(measured.cases, bounds);
  // Cases without a device here are said and not stored.
  std::erase_if(measured.cases, [](const store::BenchCaseRecord& bench) {
    const std::string& reason = bench.reps.front().invalid_reason;
    const bool skipped = bench.reps.front().values.empty();
    if (skipped) log_info("{}: skipped: {}", bench.name, escaped(reason));
    return skipped;
  });
  suites::BenchRun run;
  run.suite = "bench kernels";
  run.definition = Json::Object{{"filter", a.programs.filter}};
  run.model.name = "kernels";
  run.device = bounds.size() > 2 ? "cuda" : "cpu";
  run.label = a.label;
  run.branch = a.branch;
  run.revision = a.revision;
  run.build = build_record();
  if (measured.interrupted && measured.cases.empty()) {
    throw Error(suites::interrupt_kind(), "nothing was measured");
  }
  for (const engine::Roofline& bound : bounds) {
    measured.cases.insert(measured.cases.begin(), suites::roofline_case(bound));
  }
  if (a.format != "json") return finish_bench(a, run, std::move(measured));
  store::Store store = store::Store::open(store_path(a.db, true), store::OpenMode::kCreate);
  const store::RunRecord stored = store.load_run(suites::store_bench(store, run, measured));
  const Json context = google_context(stored, measured.cases);
  fmt::print("{}\n", suites::google_json(measured.cases, context).dump_pretty());
  if (measured.interrupted) {
    throw Error(suites::interrupt_kind(),
                fmt::format("interrupted; what was finished is stored as run {}", stored.name));
  }
  return ExitCode::kOk;
}

struct ImportArguments {
  std::vector<std::string> files;
  std::string db;
  std::string label;
  std::string model;
  bool here = false;
};

ExitCode import_results(const ImportArguments& a) {
  store::Store store = store::Store::open(store_path(a.db, true), store::OpenMode::kCreate);
  for (const std::string& file : a.files) {
    suites::PeerResult peer = suites::read_peer(read_file(file, kMostBytes), escaped(file, 400));
    suites::BenchRun run;
    run.suite = "import " + peer.tool;
    run.definition = Json::Object{{"tool", peer.tool}};
    run.model.name = !a.model.empty() ? a.model : peer.model;
    if (run.model.name.empty()) run.model.name = peer.tool;
    run.label = a.label;
    run.notes = peer.machine;
    run.build = build_record();
    if (!a.here) run.machine_class = "imported: " + peer.machine;
    const std::string name = suites::store_bench(store, run, {.cases = peer.cases});
    fmt::print("{}  {}  {}\n", name, peer.tool, run.model.name);
    print_cases(peer.cases);
  }
  return ExitCode::kOk;
}

struct ExportArguments {
  std::string run;
  std::string db;
};

ExitCode export_results(const ExportArguments& a) {
  const store::Store store =
      store::Store::open(store_path(a.db, false), store::OpenMode::kReadOnly);
  const store::RunRecord run = store.load_run(a.run);
  const std::vector<store::BenchCaseRecord> cases = store.load_bench(run.row);
  if (cases.empty()) throw_input("run {}: no measurements of speed", run.name);
  fmt::print("{}\n", suites::google_json(cases, google_context(run, cases)).dump_pretty());
  return ExitCode::kOk;
}

}  // namespace

void add_bench_kernels(CLI::App& bench, Chosen& chosen) {
  CLI::App* command = bench.add_subcommand(
      "kernels", "Single kernels, tokenizer, JSON and scoring beside the machine's bounds");
  auto a = std::make_shared<KernelArguments>();
  add_bench_options(*command, *a);
  command->add_option("--programs", a->folder, "Folder with the *_kernels programs");
  command->add_option("--filter", a->programs.filter, "Regular expression: BM_gemm, cpu ...");
  command->add_option("--min-time", a->programs.min_time_s, "Seconds of each repetition")
      ->check(CLI::Range(0.0001, 1e4));
  command
      ->add_option("--benchmark_format", a->format,
                   "table, or json: one document for Google Benchmark's compare tools")
      ->check(CLI::IsMember({"table", "json"}));
  command->callback([&chosen, a] { chosen.action = [a] { return kernels(*a); }; });
}

void add_bench_exchange(CLI::App& bench, Chosen& chosen) {
  CLI::App* command = bench.add_subcommand(
      "import", "Results of vLLM's, llama.cpp's or Google Benchmark's own tools");
  auto a = std::make_shared<ImportArguments>();
  command->add_option("FILE", a->files, "JSON, or lines of JSON")->required();
  command->add_option("--db", a->db, "Result store")->envname("ASSAY_DB");
  command->add_option("--label", a->label, "Stored with the run");
  command->add_option("--model", a->model, "Name of the model, where the file has none");
  command->add_flag("--here", a->here,
                    "Measured on this machine: may be judged against its other runs");
  command->callback([&chosen, a] { chosen.action = [a] { return import_results(*a); }; });

  CLI::App* other = bench.add_subcommand("export", "A stored run as Google Benchmark's JSON");
  auto b = std::make_shared<ExportArguments>();
  other->add_option("RUN", b->run, "Run or tag")->required();
  other->add_option("--db", b->db, "Result store")->envname("ASSAY_DB");
  other->callback([&chosen, b] { chosen.action = [b] { return export_results(*b); }; });
}

}  // namespace assay::cli
