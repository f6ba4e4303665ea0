#include "engine/generators/local_model.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/checkpoint.h"
#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/devices.h"
#include "engine/cuda/gpu_ranks.h"
#include "engine/generators/opened_model.h"
#include "engine/ops/memory.h"
#include "engine/parallel/nccl.h"
#include "engine/parallel/remote_steps.h"
#include "engine/prompt_encoder.h"
#include "engine/scheduler.h"
#include "engine/step_watch.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kStepRows = 256;     // tokens in one step
constexpr std::int64_t kDefaultBatch = 64;  // sequences at once
constexpr std::int64_t kMostKvBytes = std::int64_t{4} << 30;
constexpr std::int64_t kReserveBytes = std::int64_t{300} << 20;

/// The smallest of what the processes say, on all of them.
std::int64_t least_of(ProcessGroup* group, std::int64_t own) {
  if (group == nullptr) return own;
  std::int64_t least = own;
  for (const std::string& one : group->gather(std::to_string(own))) {
    least = std::min(least, parse_int(one).value_or(least));
  }
  return parse_int(group->broadcast(std::to_string(least))).value_or(least);
}

/// The sum of what the processes say, on rank 0.
std::int64_t sum_of(ProcessGroup* group, std::int64_t own) {
  if (group == nullptr) return own;
  std::int64_t sum = 0;
  for (const std::string& one : group->gather(std::to_string(own))) {
    sum += parse_int(one).value_or(0);
  }
  return sum;
}

/// For all ranks of the model. Each process has its share of what its host has free, and the one
/// with the least decides for all, which plan the same.
std::int64_t memory_for_model(const EngineOptions& options) {
  if (options.memory_bytes > 0) return options.memory_bytes;
  if (options.processes == nullptr) return available_memory();
  ProcessGroup& group = *options.processes;
  constexpr std::int64_t kMost = std::int64_t{1} << 52;
  const std::int64_t own = std::min(kMost, available_memory()) / group.local_size();
  return least_of(&group, own) * group.size();
}

RowSums sums_of(const EngineOptions& options) {
  return options.tp_invariant && !options.fast ? RowSums::kEighths : RowSums::kRanks;
}

std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

/// Of all ranks.
std::int64_t page_bytes(const ModelConfig& config, const EngineOptions& options) {
  std::int64_t bytes = 0;
  for (int rank = 0; rank < options.tp; ++rank) {
    bytes +=
        KvCache::page_bytes({.layers = config.layers,
                             .kv_heads = make_partition(config, options.tp, rank).kv_heads.size(),
                             .head_dim = config.head_dim},
                            find_kv_type(options.kv));
  }
  return bytes;
}

LocalLimits plan_memory(const OpenedModel& opened, const WeightSource& source,
                        const EngineOptions& options, const PrecisionSetting& setting) {
  LocalLimits limits;
  limits.context = options.max_context > 0 ? options.max_context : opened.config.max_position;
  if (limits.context > opened.config.max_position) {
    throw_input("{}: --max-context {} is beyond the model's {} positions", opened.name,
                limits.context, opened.config.max_position);
  }
  limits.batch = options.max_batch > 0 ? options.max_batch : kDefaultBatch;
  const std::int64_t weights =
      estimate_weight_bytes(opened.config, source, setting, options.tp, sums_of(options));
  const std::int64_t page = page_bytes(opened.config, options);
  const std::int64_t available = memory_for_model(options);
  const std::int64_t one_sequence = (limits.context + kPageTokens - 1) / kPageTokens;
  const std::int64_t least = weights + page + kReserveBytes;
  if (least > available) {
    throw_environment(
        "{}: needs {} for weights in {} and {} for a page of keys and values, {} are free; a "
        "smaller "
        "model, another precision or more memory would do",
        opened.name, gibibytes(weights), setting.name, gibibytes(page), gibibytes(available));
  }
  const std::int64_t budget = std::min(kMostKvBytes, (available - weights - kReserveBytes) * 3 / 4);
  limits.pages =
      std::min(limits.batch * one_sequence + 64, std::max<std::int64_t>(1, budget / page));
  const std::int64_t fits = limits.pages * kPageTokens;
  if (fits < limits.context) {
    log_warning("{}: keys and values of {} tokens fit the memory, the context is cut to that",
                opened.name, fits);
    limits.context = fits;
  }
  return limits;
}

/// The model on one kind of device, ready to run steps.
struct Backend {
  std::unique_ptr<Communicator> processes;  // null: there is one
  std::unique_ptr<Executor> executor;
  LocalLimits limits;
  ModelInfo info;  // device, arithmetic and bytes of weights
};

Backend cpu_backend(const OpenedModel& opened, const WeightSource& source,
                    const PrecisionSetting& setting, const EngineOptions& options, int threads) {
  Backend out;
  if (options.processes != nullptr) {
    out.processes = std::make_unique<ProcessCommunicator>(*options.processes);
  }
  out.limits = plan_memory(opened, source, options, setting);
  auto executor =
      std::make_unique<CpuExecutor>(opened.config, source,
                                    CpuExecutorOptions{.setting = &setting,
                                                       .kv = find_kv_type(options.kv),
                                                       .ranks = options.tp,
                                                       .sums = sums_of(options),
                                                       .threads = threads,
                                                       .context = out.limits.context,
                                                       .pages = out.limits.pages,
                                                       .max_rows = kStepRows,
                                                       .processes = out.processes.get()});
  out.info.weight_bytes = executor->weight_bytes();
  out.info.device = "cpu";
  out.info.arithmetic = options.tp_invariant ? "cpu-1" : fmt::format("cpu-1-tp{}", options.tp);
  out.info.detail.set("kernels", executor->kernels().name);
  out.executor = std::move(executor);
  return out;
}

/// Where a model's ranks are on this machine's GPUs.
struct GpuPlacement {
  int first = 0;  // device
  int gpus = 1;   // from there on, one for each rank here; 1 with virtual ranks
  bool virtual_ranks = false;
};

int gpu_count() { return static_cast<int>(gpu_report().devices.size()); }

/// A launcher shows each process its own GPUs only.
bool own_gpus_only() { return std::getenv("CUDA_VISIBLE_DEVICES") != nullptr; }

/// ASSAY_CUDA_VIRTUAL_RANKS=1 puts all ranks on one GPU, to try them without several.
GpuPlacement place_ranks(const EngineOptions& options) {
  const char* all_on_one = std::getenv("ASSAY_CUDA_VIRTUAL_RANKS");
  GpuPlacement out;
  const int processes = options.processes == nullptr ? 1 : options.processes->size();
  if (options.tp % processes != 0) {
    throw_input("--tp {}: {} processes cannot hold equally many ranks", options.tp, processes);
  }
  out.virtual_ranks =
      options.tp > 1 && processes == 1 && all_on_one != nullptr && std::string(all_on_one) == "1";
  out.gpus = out.virtual_ranks ? 1 : options.tp / processes;
  const int nth = options.processes == nullptr ? options.replica : options.processes->local_rank();
  out.first = nth * out.gpus;
  const int devices = gpu_count();
  if (options.processes != nullptr && devices == out.gpus && own_gpus_only()) out.first = 0;
  if (devices == 0 || out.first + out.gpus <= devices) return out;  // 0: said where it is used
  if (options.replica > 0) {
    throw_input("--dp: copy {} of the model has no GPU, there are {}", options.replica + 1,
                devices);
  }
  throw_input(
      "--tp {}: {} GPUs are needed here, there are {}; a smaller --tp, more processes on other "
      "nodes, or --device cpu would do",
      options.tp, out.first + out.gpus, devices);
}

CudaOptions cuda_options(const EngineOptions& options, const GpuPlacement& place) {
  CudaOptions cuda{
      .device = place.first, .max_batch = options.max_batch, .context = options.max_context};
  // As ASSAY_CPU_KERNELS: "exact" gives the CPU's bits.
  if (options.fast) cuda.gemm = "fast";
  if (const char* kernels = std::getenv("ASSAY_CUDA_KERNELS"); kernels != nullptr) {
    cuda.gemm = kernels;
    if (cuda.gemm == "exact") cuda.attention = "exact";
  }
  cuda.ranks = options.tp;
  cuda.ranks_here = place.virtual_ranks ? options.tp : 1;
  cuda.first_rank = options.processes == nullptr ? 0 : options.processes->rank() * place.gpus;
  cuda.sums = sums_of(options);
  const char* exchange = std::getenv("ASSAY_CUDA_EXCHANGE");
  cuda.peer_sums = exchange != nullptr && std::string(exchange) == "peer";
  return cuda;
}

/// The plan that fits every GPU of every process.
CudaPlan plan_ranks(const OpenedModel& opened, const WeightSource& source,
                    const PrecisionSetting& setting, const EngineOptions& options,
                    const CudaOptions& cuda, int gpus) {
  const KvType kv = find_kv_type(options.kv);
  CudaPlan least;
  for (int g = 0; g < gpus; ++g) {
    CudaOptions own = cuda;
    own.device += g;
    own.first_rank += g;
    const CudaPlan plan = plan_cuda(opened.config, source, setting, kv, own);
    if (g == 0 || plan.pages < least.pages) least = plan;
  }
  least.pages = least_of(options.processes, least.pages);
  least.context = least_of(options.processes, least.context);
  return least;
}

Backend cuda_backend(const OpenedModel& opened, const WeightSource& source,
                     const PrecisionSetting& setting, const EngineOptions& options, int threads) {
  const GpuPlacement place = place_ranks(options);
  CudaOptions cuda = cuda_options(options, place);
  const KvType kv = find_kv_type(options.kv);
  const CudaPlan plan = plan_ranks(opened, source, setting, options, cuda, place.gpus);
  std::unique_ptr<CudaExecutor> executor;
  if (options.tp > 1 && !place.virtual_ranks) {
    const bool leads = options.processes == nullptr || options.processes->rank() == 0;
    if (leads) cuda.nccl_id = nccl_unique_id();
    if (options.processes != nullptr) cuda.nccl_id = options.processes->broadcast(cuda.nccl_id);
    executor = make_gpu_ranks(opened.config, source, setting, kv, cuda, plan, place.gpus, threads);
  } else {
    executor = make_cuda_executor(opened.config, source, setting, kv, cuda, plan, threads);
  }
  const CudaDescription description = executor->description();
  Backend out;
  out.limits = {.context = plan.context, .batch = plan.max_batch, .pages = plan.pages};
  out.info.weight_bytes = description.weight_bytes;
  out.info.device = "cuda";
  out.info.arithmetic = description.arithmetic;
  out.info.detail.set("gpu", description.device);
  if (place.virtual_ranks) out.info.detail.set("virtual_ranks", true);
  out.executor = std::move(executor);
  return out;
}

/// All processes of a model decide alike.
bool wants_cuda(const EngineOptions& options) {
  if (options.device == "cuda") return true;
  if (options.device == "cpu") return false;
  if (options.device != "auto") {
    throw_input("--device {}: known are cpu, cuda and auto", escaped(options.device));
  }
  const ProcessGroup* group = options.processes;
  const int here = group == nullptr ? options.tp : options.tp / group->size();
  const int sharing = group == nullptr || own_gpus_only() ? 1 : group->local_size();
  const bool usable = cuda_usable() && gpu_count() >= here * sharing;
  return least_of(options.processes, usable ? 1 : 0) == 1;
}

Backend make_backend(const OpenedModel& opened, const EngineOptions& options, int threads) {
  const bool cuda = wants_cuda(options);
  if (options.fast && !cuda) {
    throw_input(
        "--fast gives up results that do not depend on the batch for speed on a GPU; on the CPU, "
        "which {}, there is nothing to gain: leave it out",
        options.device == "cpu" ? "--device asks for" : "--device auto takes here");
  }
  const PrecisionSetting setting = chosen_setting(opened, options.precision);
  const ModelWeights weights(opened, options, setting, threads);
  const auto make = cuda ? cuda_backend : cpu_backend;
  Backend backend = make(opened, weights.source(), setting, options, threads);
  backend.info.setting = setting.name;
  backend.info.weight_bytes = sum_of(options.processes, backend.info.weight_bytes);
  backend.info.arithmetic += weights.id();
  backend.info.detail.set("kv_scales", weights.kv_scales());
  if (opened.checkpoint) opened.checkpoint->check_unchanged();
  backend.executor =
      std::make_unique<WatchedExecutor>(std::move(backend.executor), watch_options());
  return backend;
}

int threads_for(const EngineOptions& options, int wanted) {
  if (wanted > 0) return wanted;
  const int share = options.processes == nullptr ? 1 : options.processes->local_size();
  return std::max(1, usable_cores() / share);
}

/// Of the model as this process finds it: all processes must find the same.
std::string identity(const OpenedModel& opened) {
  return opened.checkpoint ? opened.checkpoint->header_digest() : opened.name;
}

/// Rank 0 says what is loaded, and hears whether every process finds the same.
void announce(const OpenedModel& opened, const EngineOptions& options) {
  Json load;
  load.set("model", options.model);
  load.set("identity", identity(opened));
  load.set("device", options.device);
  load.set("precision", options.precision);
  load.set("calibrate", options.calibrate);
  load.set("kv", options.kv);
  load.set("tp", options.tp);
  load.set("tp_invariant", options.tp_invariant);
  load.set("fast", options.fast);
  load.set("max_batch", options.max_batch);
  load.set("max_context", options.max_context);
  (void)options.processes->broadcast(load.dump());
}

/// The executor of what rank 0 announced.
Backend follow_load(ProcessGroup& group, int threads) {
  const Json load = parse_json(group.broadcast(""), "rank 0");
  EngineOptions options;
  options.model = load.at("model").as_string();
  options.device = load.at("device").as_string();
  options.precision = load.at("precision").as_string();
  options.calibrate = load.at("calibrate").as_string();
  options.kv = load.at("kv").as_string();
  options.tp = static_cast<int>(load.at("tp").as_int());
  options.tp_invariant = load.at("tp_invariant").as_bool();
  options.fast = load.at("fast").as_bool();
  options.max_batch = load.at("max_batch").as_int();
  options.max_context = load.at("max_context").as_int();
  options.processes = &group;
  const OpenedModel opened = open_model(options.model);
  if (identity(opened) != load.at("identity").as_string()) {
    throw_input("{}: its configuration or tensors are not those that rank 0 found", options.model);
  }
  return make_backend(opened, options, threads_for(options, threads));
}

ChatChoice chat_choice(const OpenedModel& opened, const EngineOptions& options) {
  const bool plain = !opened.checkpoint && options.chat_format == "auto";
  return choose_chat_format(plain ? "plain" : options.chat_format, opened.tokenizer);
}

void describe(LocalModel& model, const OpenedModel& opened, const EngineOptions& options,
              int threads) {
  ModelInfo& info = model.info;
  info.name = opened.name;
  info.digest = opened.checkpoint ? opened.checkpoint->digest(threads) : sha256_hex(opened.name);
  info.tokenizer_digest = model.tokenizer.digest;
  info.parameters = opened.config.parameter_count();
  info.context = model.limits.context;
  info.kv = options.kv;
  info.detail.set("ranks", options.tp);
  info.detail.set("tp_invariant", options.tp_invariant);
  if (options.fast) info.detail.set("fast", true);
  if (options.processes != nullptr) info.detail.set("processes", options.processes->size());
  info.detail.set("chat", model.encoder->chat().reason);
  info.detail.set("kv_pages", model.limits.pages);
  info.detail.set("max_batch", model.limits.batch);
  // What bounds a step (docs/bench.md): its products, and the bytes of weights it reads. Of an
  // embedding that is not the output matrix too, a step reads some rows only.
  const std::int64_t head = opened.config.vocab * opened.config.hidden;
  const std::int64_t apart = opened.config.tied ? 0 : head;
  info.detail.set("head_parameters", head);
  info.detail.set("body_parameters", info.parameters - head - apart);
  info.detail.set("step_weight_bytes",
                  info.weight_bytes - apart * static_cast<std::int64_t>(sizeof(bf16)));
}

}  // namespace

std::unique_ptr<LocalModel> load_local_model(const EngineOptions& options) {
  (void)find_setting(options.precision);
  (void)find_kv_type(options.kv);
  const int threads = threads_for(options, options.threads);
  OpenedModel opened = open_model(options.model);
  ChatChoice chat = chat_choice(opened, options);
  if (options.processes != nullptr) announce(opened, options);
  Backend backend = make_backend(opened, options, threads);
  auto model = std::make_unique<LocalModel>();
  model->tokenizer = std::move(opened.tokenizer);
  model->stop_ids = stop_ids_for(opened.config, *model->tokenizer.tokenizer);
  model->encoder = std::make_unique<PromptEncoder>(*model->tokenizer.tokenizer, std::move(chat),
                                                   options.chat_date);
  model->processes = std::move(backend.processes);
  model->executor = std::move(backend.executor);
  if (options.processes != nullptr) {
    model->executor =
        std::make_unique<LeadingExecutor>(*options.processes, std::move(model->executor));
  }
  model->limits = backend.limits;
  model->info = std::move(backend.info);
  model->truncate = options.long_prompts == "truncate";
  model->prefix_cache = options.prefix_cache;
  describe(*model, opened, options, threads);
  return model;
}

void follow_local(ProcessGroup& group, int threads) {
  for (;;) {
    const Backend backend = follow_load(group, threads);
    follow_steps(group, *backend.executor);
  }
}

}  // namespace assay::engine
