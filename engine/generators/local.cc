#include "engine/generators/local.h"

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
#include "engine/generators/answer.h"
#include "engine/generators/opened_model.h"
#include "engine/prompt_encoder.h"
#include "engine/scheduler.h"
#include "engine/weight_sources.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kStepRows = 256;      // tokens in one step
constexpr std::int64_t kDefaultBatch = 64;   // sequences at once
constexpr std::size_t kRequestBlock = 1024;  // requests prepared at a time
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

struct Limits {
  std::int64_t context = 0;
  std::int64_t batch = 0;
  std::int64_t pages = 0;
};

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

Limits plan_memory(const OpenedModel& opened, const WeightSource& source,
                   const EngineOptions& options, const PrecisionSetting& setting) {
  Limits limits;
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
  Limits limits;
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

/// The tokenizer is no longer with `opened`.
Backend make_backend(const OpenedModel& opened, const Tokenizer& tokenizer,
                     const EngineOptions& options, int threads) {
  const PrecisionSetting setting = chosen_setting(opened, options.precision);
  const ModelWeights weights(opened, tokenizer, options, setting, threads);
  const auto make = wants_cuda(options) ? cuda_backend : cpu_backend;
  Backend backend = make(opened, weights.source(), setting, options, threads);
  backend.info.setting = setting.name;
  backend.info.arithmetic += weights.id();
  backend.info.detail.set("kv_scales", weights.kv_scales());
  if (opened.checkpoint) opened.checkpoint->check_unchanged();
  return backend;
}

class LocalGenerator : public Generator {
 public:
  LocalGenerator(OpenedModel opened, const EngineOptions& options)
      : options_(options),
        tokenizer_(std::move(opened.tokenizer)),
        stop_ids_(stop_ids_for(opened.config, *tokenizer_.tokenizer)),
        encoder_(*tokenizer_.tokenizer,
                 chat_choice(tokenizer_, !opened.checkpoint.has_value(), options),
                 options.chat_date) {
    const int threads = options.threads > 0 ? options.threads : usable_cores();
    backend_ = make_backend(opened, *tokenizer_.tokenizer, options, threads);
    limits_ = backend_.limits;
    pool_ = std::make_unique<PagePool>(limits_.pages);
    scheduler_ = std::make_unique<Scheduler>(*backend_.executor, *pool_, limits_.batch,
                                             options.prefix_cache);
    describe(opened, threads);
  }

  const ModelInfo& info() const override { return info_; }

  void run(std::span<const Request> requests, const CompletionSink& sink) override {
    bool go_on = true;
    for (std::size_t first = 0; go_on && first < requests.size(); first += kRequestBlock) {
      const std::size_t count = std::min(kRequestBlock, requests.size() - first);
      go_on = run_block(requests.subspan(first, count), first, sink);
    }
  }

 private:
  static ChatChoice chat_choice(const LoadedTokenizer& tokenizer, bool dummy,
                                const EngineOptions& options) {
    const bool plain = dummy && options.chat_format == "auto";
    return choose_chat_format(plain ? "plain" : options.chat_format, tokenizer);
  }

  void describe(const OpenedModel& opened, int threads) {
    info_ = std::move(backend_.info);
    info_.name = opened.name;
    info_.digest = opened.checkpoint ? opened.checkpoint->digest(threads) : sha256_hex(opened.name);
    info_.tokenizer_digest = tokenizer_.digest;
    info_.parameters = opened.config.parameter_count();
    info_.context = limits_.context;
    info_.kv = options_.kv;
    info_.detail.set("ranks", options_.tp);
    info_.detail.set("chat", encoder_.chat().reason);
    info_.detail.set("kv_pages", limits_.pages);
  }

  bool run_block(std::span<const Request> requests, std::size_t first, const CompletionSink& sink) {
    bool go_on = true;
    std::vector<Answer> answers;
    answers.reserve(requests.size());
    std::vector<std::unique_ptr<Sequence>> sequences;
    const AnswerContext context{.encoder = &encoder_,
                                .stop_ids = stop_ids_,
                                .context = limits_.context,
                                .truncate = options_.long_prompts == "truncate"};
    for (std::size_t i = 0; i < requests.size(); ++i) {
      answers.emplace_back(requests[i], context);
      for (auto& sequence : answers.back().begin()) {
        sequence->owner = i;
        sequences.push_back(std::move(sequence));
      }
      if (answers.back().done() && go_on) go_on = sink(first + i, answers.back().take());
    }
    if (!go_on) return false;
    scheduler_->run(std::move(sequences),
                    {.query =
                         [&](const Sequence& sequence, std::int64_t position) {
                           return answers[sequence.owner].query(sequence, position);
                         },
                     .on_result =
                         [&](Sequence& sequence, std::int64_t position, const LogitResult& result) {
                           return answers[sequence.owner].on_result(sequence, position, result);
                         },
                     .on_done =
                         [&](Sequence& sequence) {
                           Answer& answer = answers[sequence.owner];
                           answer.on_done(sequence);
                           if (answer.done() && go_on)
                             go_on = sink(first + sequence.owner, answer.take());
                         },
                     .stop = [&] { return !go_on; }});
    return go_on;
  }

  EngineOptions options_;
  LoadedTokenizer tokenizer_;
  std::vector<TokenId> stop_ids_;
  PromptEncoder encoder_;
  Limits limits_;
  Backend backend_;
  std::unique_ptr<PagePool> pool_;
  std::unique_ptr<Scheduler> scheduler_;
  ModelInfo info_;
};

}  // namespace

std::unique_ptr<Generator> make_local_generator(const EngineOptions& options) {
  (void)find_setting(options.precision);
  (void)find_kv_type(options.kv);
  return std::make_unique<LocalGenerator>(open_model(options.model), options);
}

}  // namespace assay::engine
