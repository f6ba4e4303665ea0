#include "engine/generators/local_model.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "base/digest.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/checkpoint.h"
#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/generators/opened_model.h"
#include "engine/prompt_encoder.h"
#include "engine/scheduler.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kStepRows = 256;     // tokens in one step
constexpr std::int64_t kDefaultBatch = 64;  // sequences at once
constexpr std::int64_t kMostKvBytes = std::int64_t{4} << 30;
constexpr std::int64_t kReserveBytes = std::int64_t{300} << 20;

std::int64_t available_memory() {
  std::ifstream in("/proc/meminfo");
  std::string word;
  std::int64_t kilobytes = 0;
  while (in >> word) {
    if (word == "MemAvailable:" && in >> kilobytes) return kilobytes * 1024;
  }
  return std::int64_t{1} << 62;
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
  const std::int64_t weights = estimate_weight_bytes(opened.config, source, setting, options.tp);
  const std::int64_t page = page_bytes(opened.config, options);
  const std::int64_t available = available_memory();
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
  std::unique_ptr<Executor> executor;
  LocalLimits limits;
  ModelInfo info;  // device, arithmetic and bytes of weights
};

Backend cpu_backend(const OpenedModel& opened, const WeightSource& source,
                    const PrecisionSetting& setting, const EngineOptions& options, int threads) {
  Backend out;
  out.limits = plan_memory(opened, source, options, setting);
  auto executor = std::make_unique<CpuExecutor>(opened.config, source,
                                                CpuExecutorOptions{.setting = &setting,
                                                                   .kv = find_kv_type(options.kv),
                                                                   .ranks = options.tp,
                                                                   .threads = threads,
                                                                   .context = out.limits.context,
                                                                   .pages = out.limits.pages,
                                                                   .max_rows = kStepRows});
  out.info.weight_bytes = executor->weight_bytes();
  out.info.device = "cpu";
  out.info.arithmetic = "cpu-1";
  out.info.detail.set("kernels", executor->kernels().name);
  out.executor = std::move(executor);
  return out;
}

Backend cuda_backend(const OpenedModel& opened, const WeightSource& source,
                     const PrecisionSetting& setting, const EngineOptions& options, int threads) {
  if (options.tp != 1) throw_input("--tp {}: with --device cuda only 1 is built yet", options.tp);
  CudaOptions cuda{.max_batch = options.max_batch, .context = options.max_context};
  // As ASSAY_CPU_KERNELS: "exact" gives the CPU's bits.
  if (const char* kernels = std::getenv("ASSAY_CUDA_KERNELS"); kernels != nullptr) {
    cuda.gemm = kernels;
    if (cuda.gemm == "exact") cuda.attention = "exact";
  }
  const KvType kv = find_kv_type(options.kv);
  const CudaPlan plan = plan_cuda(opened.config, source, setting, kv, cuda);
  auto executor = make_cuda_executor(opened.config, source, setting, kv, cuda, plan, threads);
  const CudaDescription description = executor->description();
  Backend out;
  out.limits = {.context = plan.context, .batch = plan.max_batch, .pages = plan.pages};
  out.info.weight_bytes = description.weight_bytes;
  out.info.device = "cuda";
  out.info.arithmetic = description.arithmetic;
  out.info.detail.set("gpu", description.device);
  out.executor = std::move(executor);
  return out;
}

bool wants_cuda(const EngineOptions& options) {
  if (options.device == "cuda") return true;
  if (options.device == "cpu") return false;
  if (options.device != "auto") {
    throw_input("--device {}: known are cpu, cuda and auto", escaped(options.device));
  }
  return options.tp == 1 && cuda_usable();
}

Backend make_backend(const OpenedModel& opened, const EngineOptions& options, int threads) {
  const PrecisionSetting setting = chosen_setting(opened, options.precision);
  const ModelWeights weights(opened, options, setting, threads);
  const auto make = wants_cuda(options) ? cuda_backend : cpu_backend;
  Backend backend = make(opened, weights.source(), setting, options, threads);
  backend.info.setting = setting.name;
  backend.info.arithmetic += weights.id();
  backend.info.detail.set("kv_scales", weights.kv_scales());
  if (opened.checkpoint) opened.checkpoint->check_unchanged();
  return backend;
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
  const int threads = options.threads > 0 ? options.threads : usable_cores();
  OpenedModel opened = open_model(options.model);
  ChatChoice chat = chat_choice(opened, options);
  Backend backend = make_backend(opened, options, threads);
  auto model = std::make_unique<LocalModel>();
  model->tokenizer = std::move(opened.tokenizer);
  model->stop_ids = stop_ids_for(opened.config, *model->tokenizer.tokenizer);
  model->encoder = std::make_unique<PromptEncoder>(*model->tokenizer.tokenizer, std::move(chat),
                                                   options.chat_date);
  model->executor = std::move(backend.executor);
  model->limits = backend.limits;
  model->info = std::move(backend.info);
  model->truncate = options.long_prompts == "truncate";
  model->prefix_cache = options.prefix_cache;
  describe(*model, opened, options, threads);
  return model;
}

}  // namespace assay::engine
