// assay doctor: what this machine can do.
#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/commands.h"
#include "cli/sandbox_option.h"
#include "engine/cuda/devices.h"
#include "engine/ops/cpu_kernels.h"
#include "engine/parallel/nccl.h"
#include "evals/benchmark.h"

namespace assay::cli {
namespace {

struct DoctorOptions {
  std::string data;
  SandboxChoice sandbox;
  bool json = false;
};

std::vector<std::string> cpu_features() {
  std::vector<std::string> found;
#if defined(__x86_64__)
  __builtin_cpu_init();
  const auto add = [&](const char* name, int present) {
    if (present != 0) found.emplace_back(name);
  };
  add("sse4.2", __builtin_cpu_supports("sse4.2"));
  add("avx2", __builtin_cpu_supports("avx2"));
  add("fma", __builtin_cpu_supports("fma"));
  add("avx512f", __builtin_cpu_supports("avx512f"));
  add("avx512bw", __builtin_cpu_supports("avx512bw"));
  add("avx512vnni", __builtin_cpu_supports("avx512vnni"));
  add("avx512bf16", __builtin_cpu_supports("avx512bf16"));
#endif
  return found;
}

Json sandbox_report(const evals::SandboxStrength& strength) {
  Json out;
  out.set("strength", strength.problem.empty() ? strength.summary : std::string("none"));
  out.set("problem", strength.problem);
  out.set("advice", strength.advice);
  out.set("interpreter", strength.interpreter);
  Json checks(Json::Object{});
  for (const auto& check : strength.checks) checks.set(check.name, check.holds);
  out.set("checks", std::move(checks));
  return out;
}

/// For each data set: how many of its files lie below `folder`.
Json data_report(const std::string& folder) {
  Json out(Json::Object{});
  if (folder.empty()) return out;
  for (const evals::Benchmark* benchmark : evals::all_benchmarks()) {
    const datasets::Manifest& manifest = benchmark->manifest();
    std::int64_t found = 0;
    for (const datasets::DataFile& file : manifest.files) {
      std::error_code code;
      const std::filesystem::path path = std::filesystem::path(folder) / file.path;
      const bool here = std::filesystem::exists(path, code) ||
                        std::filesystem::exists(path.string() + ".gz", code);
      found += here ? 1 : 0;
    }
    Json line;
    line.set("files", found);
    line.set("of", manifest.files.size());
    out.set(benchmark->name(), std::move(line));
  }
  return out;
}

Json cuda_report() {
  const engine::GpuReport gpus = engine::gpu_report();
  Json out;
  out.set("built", gpus.built);
  out.set("architectures", gpus.architectures);
  out.set("runtime", gpus.runtime);
  out.set("driver", gpus.driver);
  out.set("problem", gpus.problem);
  Json devices{Json::Array{}};
  for (const engine::GpuDevice& gpu : gpus.devices) {
    Json device;
    device.set("name", gpu.name);
    device.set("capability", fmt::format("{}.{}", gpu.capability_major, gpu.capability_minor));
    device.set("multiprocessors", gpu.multiprocessors);
    device.set("memory_bytes", gpu.memory_bytes);
    device.set("free_bytes", gpu.free_bytes);
    devices.push_back(std::move(device));
  }
  out.set("devices", std::move(devices));
  const engine::NcclReport nccl = engine::nccl_report();
  out.set("nccl", nccl.version);
  out.set("nccl_problem", nccl.problem);
  return out;
}

void print_cuda(const Json& cuda) {
  if (cuda.at("built").as_bool()) {
    fmt::print("cuda      backend built for {}, runtime {}\n", cuda.at("architectures").as_string(),
               cuda.at("runtime").as_string());
  }
  if (!cuda.at("problem").as_string().empty()) {
    fmt::print("cuda      no device: {}\n", cuda.at("problem").as_string());
  }
  for (const Json& device : cuda.at("devices").as_array()) {
    fmt::print("cuda      {}, capability {}, {} GiB\n", device.at("name").as_string(),
               device.at("capability").as_string(), device.at("memory_bytes").as_int() >> 30);
  }
}

void print_nccl(const Json& cuda) {
  const std::string& version = cuda.at("nccl").as_string();
  fmt::print("nccl      {}\n", version.empty() ? cuda.at("nccl_problem").as_string() : version);
}

ExitCode doctor(const DoctorOptions& options) {
  Json report;
  Json::Array features;
  for (const std::string& name : cpu_features()) features.emplace_back(name);
  report.set("cpu", std::move(features));
  report.set("kernels", engine::available_cpu_kernels().front());
  report.set("cuda", cuda_report());
  report.set("sandbox", sandbox_report(evals::measure_sandbox(options.sandbox.options(1))));
  report.set("data", data_report(options.data));
  if (options.json) {
    fmt::print("{}\n", report.dump());
    return ExitCode::kOk;
  }
  fmt::print("cpu      ");
  for (const Json& name : report.at("cpu").as_array()) fmt::print(" {}", name.as_string());
  fmt::print("\nkernels   {}\n", report.at("kernels").as_string());
  print_cuda(report.at("cuda"));
  print_nccl(report.at("cuda"));
  const Json& sandbox = report.at("sandbox");
  fmt::print("sandbox   {}\n", sandbox.at("strength").as_string());
  for (const char* line : {"problem", "advice"}) {
    const std::string& text = sandbox.at(line).as_string();
    if (!text.empty()) fmt::print("          {}\n", text);
  }
  for (const auto& [name, holds] : sandbox.at("checks").as_object()) {
    fmt::print("          {}: {}\n", name, holds.as_bool() ? "holds" : "FAILS");
  }
  fmt::print("python    {}\n", sandbox.at("interpreter").as_string());
  for (const auto& [name, line] : report.at("data").as_object()) {
    fmt::print("data      {}: {} of {} files\n", name, line.at("files").as_int(),
               line.at("of").as_int());
  }
  if (options.data.empty()) fmt::print("data      not looked for: --data or ASSAY_DATA\n");
  return ExitCode::kOk;
}

}  // namespace

void add_doctor(CLI::App& app, Chosen& chosen) {
  CLI::App* command = app.add_subcommand("doctor", "What this machine can do");
  auto options = std::make_shared<DoctorOptions>();
  command->add_option("--data", options->data, "Folder with one folder a data set")
      ->envname("ASSAY_DATA");
  add_sandbox_options(*command, options->sandbox);
  command->add_flag("--json", options->json, "One JSON document on stdout");
  command->callback([&chosen, options] { chosen.action = [options] { return doctor(*options); }; });
}

}  // namespace assay::cli
