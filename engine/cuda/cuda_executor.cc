#include "engine/cuda/cuda_executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "base/check.h"
#include "base/error.h"
#include "base/log.h"
#include "base/text.h"
#include "engine/cuda/cuda_forward.h"
#include "engine/cuda/device_exchange.h"
#include "engine/cuda/device_model.h"
#include "engine/cuda/device_ranks.h"
#include "engine/cuda/devices.h"
#include "engine/cuda/failure.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/peer_exchange.h"
#include "engine/cuda/step_plan.h"
#include "engine/ops/memory.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kDefaultRows = 4096;
constexpr std::int64_t kDefaultBatch = 256;
constexpr std::int64_t kMostBatch = CudaForward::kLogitRows;
/// For the context, modules, graphs, library workspaces and loading.
constexpr std::int64_t kReserve = std::int64_t{1536} << 20;

int most_spans(std::int64_t context) {
  return static_cast<int>((context + kSpanTokens - 1) / kSpanTokens);
}

std::string gibibytes(std::int64_t bytes) {
  return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1 << 30));
}

AttentionKind attention_kind(const std::string& name, const ModelConfig& c) {
  const bool fits = attention_tensor_fits(static_cast<int>(c.heads), static_cast<int>(c.kv_heads),
                                          static_cast<int>(c.head_dim));
  if (name.empty()) return fits ? AttentionKind::kTensor : AttentionKind::kExact;
  if (name == "exact") return AttentionKind::kExact;
  if (name == "tensor" && fits) return AttentionKind::kTensor;
  throw_input("attention \"{}\": known are exact, and tensor for heads of 64 or 128 values",
              escaped(name));
}

/// Logits of all ranks side by side, and what NCCL gathers into.
std::int64_t exchange_bytes(const ModelConfig& config, const CudaOptions& options,
                            std::int64_t max_rows) {
  const std::int64_t rows = std::min<std::int64_t>(max_rows, CudaForward::kLogitRows);
  const bool apart = options.ranks_here < options.ranks;
  return rows * config.vocab * static_cast<std::int64_t>(sizeof(float)) +
         (apart ? nccl_exchange_bytes(options.ranks, config.vocab) : 0);
}

/// Grows memory that is too small; what it held is lost.
void reserve(DeviceBuffer& buffer, std::size_t bytes, const char* what) {
  if (bytes > buffer.size()) buffer = DeviceBuffer(std::max(bytes, 2 * buffer.size()), what);
}
void reserve(PinnedBuffer& buffer, std::size_t bytes) {
  if (bytes > buffer.size()) buffer = PinnedBuffer(std::max(bytes, 2 * buffer.size()));
}

/// A step between its start and its end. Its host memory is on its way to the device and back while
/// the other step in flight is written; device memory needs no second copy, because steps follow
/// each other on one stream.
struct HostStep {
  const Batch* batch = nullptr;
  StepPlan plan;
  PinnedBuffer block;
  PinnedBuffer answers;
  PinnedBuffer targets;     // ids, rows, logits
  PinnedBuffer top_counts;  // one a query
  PinnedBuffer tops;        // [queries, most_top]
  Event done;
  bool enqueued = false;  // the device may still read and write this
};

class Implementation : public CudaExecutor {
 public:
  Implementation(std::vector<DeviceModel> models, std::unique_ptr<DeviceExchange> exchange,
                 KvType kv, const CudaOptions& options, const CudaPlan& plan,
                 const DeviceLimits& device)
      : plan_(plan),
        attention_(attention_kind(options.attention, models.front().shape)),
        gemm_(options.gemm.empty() ? default_gemm_kind(device) : find_gemm_kind(options.gemm),
              device),
        ranks_(std::move(models), std::move(exchange), gemm_, attention_, kv,
               {.pages = plan.pages,
                .max_rows = static_cast<int>(plan.max_rows),
                .most_spans = most_spans(plan.context)}),
        device_(options.device),
        ahead_(options.ahead && steps_ahead()),
        capability_(device.capability),
        arithmetic_(arithmetic(options)) {
    const DeviceModel& model = ranks_.first();
    limits_ = {.heads = model.shape.heads,
               .kv_heads = model.shape.kv_heads,
               .vocab = model.config.vocab,
               .scratch_page = static_cast<std::int32_t>(plan.pages),
               .capture = options.graphs && graphs_work(),
               .max_rows = plan.max_rows};
    StepShape largest;
    largest.rows = static_cast<int>(plan.max_rows);
    largest.spans = static_cast<int>(round_up(most_spans(plan.context), 2)) * 2;
    largest.prompt_tiles = largest.rows;
    const StepLayout layout(largest, std::min(plan.max_batch, kMostBatch), plan.max_rows);
    step_ = DeviceBuffer(layout.bytes, "a step");
    const std::size_t answers = static_cast<std::size_t>(plan.max_rows) * sizeof(LogitAnswer);
    answers_ = DeviceBuffer(answers, "answers");
    for (HostStep& step : steps_) {
      step.block = PinnedBuffer(layout.bytes);
      step.answers = PinnedBuffer(answers);
    }
  }

  /// Steps that were forgotten may still be under way, in memory that goes now.
  ~Implementation() override {
    try {
      stream_.synchronize();
    } catch (const Error&) {  // a lost device; whoever waited for it said so
    }
  }
  Implementation(const Implementation&) = delete;
  Implementation& operator=(const Implementation&) = delete;
  Implementation(Implementation&&) = delete;
  Implementation& operator=(Implementation&&) = delete;

  std::int64_t max_rows() const override { return plan_.max_rows; }
  bool takes_logit_bias() const override { return false; }  // tokens are chosen on the device

  CudaDescription description() const override {
    return {
        .device = plan_.device, .arithmetic = arithmetic_, .weight_bytes = ranks_.weight_bytes()};
  }

  void abort() noexcept override {
    if (ranks_.exchange() != nullptr) ranks_.exchange()->abort();
  }

  void run(const Batch& batch, std::span<LogitResult> results) override {
    start(batch);
    finish(results);
  }

  bool runs_ahead() const override { return ahead_; }

  void start(const Batch& batch) override {
    select_device(device_);  // a session's thread is not the one that loaded
    HostStep& step = steps_[started_ % 2];
    if (step.enqueued) step.done.wait();  // nobody did, if it was forgotten
    step.enqueued = false;
    step.batch = &batch;
    step.plan = plan_step(batch, limits_);
    const StepPlan& plan = step.plan;
    ASSAY_CHECK(plan.shape.rows <= plan_.max_rows, "rows of a batch");
    const StepLayout layout(
        plan.shape,
        static_cast<std::int64_t>(plan.page_table.size()) / (plan.shape.spans * kSpanChunks),
        static_cast<std::int64_t>(plan.asks.size()));
    reserve(step_, layout.bytes, "a step");
    reserve(step.block, layout.bytes);
    write_step(plan, layout, step.block.as<std::byte>());
    step.enqueued = true;
    copy_to_device(stream_.get(), step_.as<std::byte>(), step.block.as<std::byte>(), layout.bytes);
    prepare_extras(step);
    enqueue(plan, layout);
    enqueue_answers(step);
    step.done.record(stream_.get());
    ++started_;
  }

  void finish(std::span<LogitResult> results) override {
    HostStep& step = steps_[finished_ % 2];
    step.done.wait();
    step.enqueued = false;
    ++finished_;
    if (ranks_.exchange() != nullptr) ranks_.exchange()->check();
    std::vector<LogitResult> all = step_results(
        *step.batch, step.plan, step.answers.as<LogitAnswer>(),
        step.targets.as<float>() + 2 * step.plan.target_ids.size(), step.tops.as<TopEntry>());
    std::move(all.begin(), all.end(), results.begin());
  }

  void forget() noexcept override { finished_ = started_; }

 private:
  /// Own kernels give the bits of one rank, whatever their number; a library's choice depends on
  /// the shapes of the ranks' parts.
  [[nodiscard]] std::string arithmetic(const CudaOptions& options) const {
    const bool same = options.sums == RowSums::kEighths &&
                      (options.ranks == 1 || gemm_.kind() != GemmKind::kLibrary);
    const DeviceExchange* exchange = ranks_.exchange();
    return fmt::format("sm{}-{}-{}-1{}{}", capability_, gemm_kind_name(gemm_.kind()),
                       attention_ == AttentionKind::kExact ? "exact" : "tensor",
                       same ? "" : fmt::format("-tp{}", options.ranks),
                       exchange == nullptr ? "" : exchange->arithmetic());
  }

  static int queries(const StepPlan& plan) { return static_cast<int>(plan.asks.size()); }

  template <typename T>
  T* at(std::size_t offset) const {
    return reinterpret_cast<T*>(step_.as<std::byte>() + offset);
  }

  void enqueue_layers(const StepShape& shape, const StepLayout& layout) {
    ranks_.layers(stream_.get(), {.tokens = {.ids = at<TokenId>(layout.ids),
                                             .from = at<int>(layout.from),
                                             .before = answers_.as<LogitAnswer>()},
                                  .rows = {.rows = shape.rows,
                                           .positions = at<int>(layout.positions),
                                           .sequence = at<int>(layout.sequence),
                                           .page_table = at<int>(layout.page_table),
                                           .table_ld = shape.spans * kSpanChunks},
                                  .tiles = at<AttentionTile>(layout.tiles),
                                  .decode_tiles = shape.decode_tiles,
                                  .prompt_tiles = shape.prompt_tiles,
                                  .spans = shape.spans});
  }

  void enqueue_logits(const StepShape& shape, const StepLayout& layout, int first, int count) {
    ranks_.logits(stream_.get(), at<int>(layout.query_rows) + first, count, shape.rows);
    logits_cuda(stream_.get(), {.logits = ranks_.logits_data(),
                                .ld = ranks_.logits_ld(),
                                .rows = count,
                                .vocab = static_cast<int>(ranks_.first().config.vocab),
                                .asks = at<LogitAsk>(layout.asks) + first,
                                .answers = answers_.as<LogitAnswer>() + first});
  }

  void enqueue(const StepPlan& plan, const StepLayout& layout) {
    if (limits_.capture && plan.shape.decode && plan.shape.prompt_tiles == 0 &&
        captured_rows_for(plan.shape.rows) == plan.shape.rows) {
      return replay(plan, layout);
    }
    enqueue_layers(plan.shape, layout);
    for (int first = 0; first < queries(plan); first += CudaForward::kLogitRows) {
      const int count = std::min(CudaForward::kLogitRows, queries(plan) - first);
      enqueue_logits(plan.shape, layout, first, count);
      enqueue_extras(plan, first, count);
    }
  }

  /// The first step of a shape runs as any other, which loads its kernels; the second is recorded.
  /// Everything that a step touches has a fixed place.
  void replay(const StepPlan& plan, const StepLayout& layout) {
    const StepKey key(plan.shape.rows, plan.shape.spans, step_.as<void>());
    if (seen_.insert(key).second) {
      enqueue_layers(plan.shape, layout);
      enqueue_logits(plan.shape, layout, 0, plan.shape.rows);
      enqueue_extras(plan, 0, queries(plan));
      return;
    }
    auto found = graphs_.find(key);
    if (found == graphs_.end()) {
      Graph::begin(stream_.get());
      enqueue_layers(plan.shape, layout);
      enqueue_logits(plan.shape, layout, 0, plan.shape.rows);
      found = graphs_.emplace(key, Graph::end(stream_.get())).first;
    }
    found->second.replay(stream_.get());
    enqueue_extras(plan, 0, queries(plan));
  }

  /// Room for what few steps ask: the best logits, and logits of given tokens.
  void prepare_extras(HostStep& step) {
    const StepPlan& plan = step.plan;
    const std::size_t targets = plan.target_ids.size();
    reserve(targets_, targets * 3 * sizeof(int), "wanted log-probabilities");
    reserve(step.targets, targets * 3 * sizeof(int));
    if (targets > 0) {
      auto* ids = step.targets.as<int>();
      std::copy(plan.target_ids.begin(), plan.target_ids.end(), ids);
      for (std::size_t i = 0; i < targets; ++i) {
        ids[targets + i] = plan.target_rows[i] % CudaForward::kLogitRows;
      }
      copy_to_device(stream_.get(), targets_.as<int>(), ids, 2 * targets * sizeof(int));
    }
    const std::size_t counts = plan.top_counts.size();
    reserve(top_counts_, counts * sizeof(int), "best log-probabilities");
    reserve(step.top_counts, counts * sizeof(int));
    reserve(tops_, top_bytes(plan), "best log-probabilities");
    reserve(step.tops, top_bytes(plan));
    if (counts > 0) {
      std::copy(plan.top_counts.begin(), plan.top_counts.end(), step.top_counts.as<int>());
      copy_to_device(stream_.get(), top_counts_.as<int>(), step.top_counts.as<int>(),
                     counts * sizeof(int));
    }
  }

  static std::size_t top_bytes(const StepPlan& plan) {
    return plan.top_counts.size() * static_cast<std::size_t>(plan.most_top) * sizeof(TopEntry);
  }

  /// For queries [first, first + count), whose logits are there now.
  void enqueue_extras(const StepPlan& plan, int first, int count) {
    const auto begin = std::lower_bound(plan.target_rows.begin(), plan.target_rows.end(), first);
    const auto end = std::lower_bound(begin, plan.target_rows.end(), first + count);
    const auto offset = begin - plan.target_rows.begin();
    const auto targets = static_cast<std::ptrdiff_t>(plan.target_rows.size());
    gather_logits_cuda(stream_.get(), {.logits = ranks_.logits_data(),
                                       .ld = ranks_.logits_ld(),
                                       .count = static_cast<int>(end - begin),
                                       .rows = targets_.as<int>() + targets + offset,
                                       .ids = targets_.as<int>() + offset,
                                       .out = targets_.as<float>() + 2 * targets + offset});
    if (plan.top_counts.empty()) return;
    const int wanted = std::min(count, static_cast<int>(plan.top_counts.size()) - first);
    top_logits_cuda(stream_.get(), {.logits = ranks_.logits_data(),
                                    .ld = ranks_.logits_ld(),
                                    .rows = std::max(0, wanted),
                                    .vocab = static_cast<int>(ranks_.first().config.vocab),
                                    .counts = top_counts_.as<int>() + first,
                                    .out = tops_.as<TopEntry>() +
                                           static_cast<std::ptrdiff_t>(first) * plan.most_top,
                                    .most = plan.most_top});
  }

  void enqueue_answers(HostStep& step) {
    const StepPlan& plan = step.plan;
    const std::size_t targets = plan.target_ids.size();
    copy_to_host(stream_.get(), step.answers.as<LogitAnswer>(), answers_.as<LogitAnswer>(),
                 step.batch->queries.size() * sizeof(LogitAnswer));
    if (targets > 0) {
      copy_to_host(stream_.get(), step.targets.as<float>() + 2 * targets,
                   targets_.as<float>() + 2 * targets, targets * sizeof(float));
    }
    if (!plan.top_counts.empty()) {
      copy_to_host(stream_.get(), step.tops.as<TopEntry>(), tops_.as<TopEntry>(), top_bytes(plan));
    }
  }

  CudaPlan plan_;
  AttentionKind attention_;
  Stream stream_;
  GemmRunner gemm_;
  DeviceRanks ranks_;
  int device_;
  bool ahead_;
  int capability_;
  std::string arithmetic_;
  StepLimits limits_;
  DeviceBuffer step_;
  DeviceBuffer answers_;
  DeviceBuffer targets_;
  DeviceBuffer top_counts_;
  DeviceBuffer tops_;
  std::array<HostStep, 2> steps_;  // of even and odd number
  std::size_t started_ = 0;
  std::size_t finished_ = 0;
  using StepKey = std::tuple<int, int, void*>;  // rows, spans, the step's block
  std::set<StepKey> seen_;
  std::map<StepKey, Graph> graphs_;
};

}  // namespace

CudaPlan divide_memory(const ModelConfig& config, const WeightSource& source,
                       const PrecisionSetting& setting, KvType kv, const CudaOptions& options,
                       std::int64_t free_bytes) {
  CudaPlan plan;
  plan.free_bytes = free_bytes;
  plan.context = options.context > 0 ? options.context : config.max_position;
  plan.max_batch = std::min(options.max_batch > 0 ? options.max_batch : kDefaultBatch, kMostBatch);
  plan.max_rows = std::max(options.max_rows > 0 ? options.max_rows : kDefaultRows, plan.max_batch);
  for (int r = 0; r < options.ranks_here; ++r) {
    const Partition rank =
        make_partition(config, options.ranks, options.first_rank + r, options.sums);
    plan.weight_bytes += estimate_device_weight_bytes(config, rank, source, setting, plan.context);
    const CudaForward::Memory need = CudaForward::memory_for(
        rank_shape(config, rank),
        options.gemm.empty() ? GemmKind::kWgmma : find_gemm_kind(options.gemm), kv,
        static_cast<int>(plan.max_rows), most_spans(plan.context),
        widest_device_input(config, rank, source, setting));
    plan.activation_bytes += need.activations;
    plan.page_bytes += need.page;
  }
  if (options.ranks > 1) plan.activation_bytes += exchange_bytes(config, options, plan.max_rows);
  const std::int64_t left = free_bytes - plan.weight_bytes - plan.activation_bytes - kReserve;
  // One page more than the pool knows: what rows that fill up a step write.
  const std::int64_t fits = left / plan.page_bytes - 1;
  if (fits < 1) {
    throw_environment(
        "needs {} for weights in {}, {} for activations of {} tokens and {} for a page of keys and "
        "values; {} are free on the GPU. Another precision, a smaller --max-context or a larger "
        "GPU would do",
        gibibytes(plan.weight_bytes), setting.name, gibibytes(plan.activation_bytes + kReserve),
        plan.max_rows, gibibytes(plan.page_bytes), gibibytes(free_bytes));
  }
  const std::int64_t one_sequence = (plan.context + kPageTokens - 1) / kPageTokens;
  // Shared prefixes are worth more pages than the sequences that run at once.
  plan.pages = std::min(fits, 2 * plan.max_batch * one_sequence + 64);
  if (plan.pages * kPageTokens < plan.context) {
    log_warning("keys and values of {} tokens fit the GPU, the context is cut to that",
                plan.pages * kPageTokens);
    plan.context = plan.pages * kPageTokens;
  }
  return plan;
}

CudaPlan plan_cuda(const ModelConfig& config, const WeightSource& source,
                   const PrecisionSetting& setting, KvType kv, const CudaOptions& options) {
  const DeviceLimits device = use_device(options.device);
  CudaPlan plan = divide_memory(config, source, setting, kv, options, device.free_bytes);
  plan.device = device.name;
  return plan;
}

std::unique_ptr<CudaExecutor> make_cuda_executor(const ModelConfig& config,
                                                 const WeightSource& source,
                                                 const PrecisionSetting& setting, KvType kv,
                                                 const CudaOptions& options, const CudaPlan& plan,
                                                 int threads) {
  const DeviceLimits device = use_device(options.device);
  if (options.gemm == "fast" && options.sums != RowSums::kRanks) {
    throw_input("matrix products of kind fast take whole rows: ask for them with --fast");
  }
  // All ranks join before any loads, so that one that fails to load leaves nobody waiting.
  std::unique_ptr<DeviceExchange> exchange;
  if (options.ranks_here < options.ranks) {
    ASSAY_CHECK(options.ranks_here == 1, "a device of several has one rank");
    exchange = make_nccl_exchange(options.nccl_id, options.ranks, options.first_rank, options.sums,
                                  config.vocab);
    if (options.peers != nullptr) {
      exchange = make_peer_exchange(std::move(exchange), *options.peers, options.device,
                                    options.ranks, options.first_rank);
    }
  } else if (options.ranks > 1) {
    exchange = make_virtual_exchange();
  }
  std::vector<DeviceModel> models;
  for (int r = 0; r < options.ranks_here; ++r) {
    const Partition rank =
        make_partition(config, options.ranks, options.first_rank + r, options.sums);
    models.push_back(load_device_model(config, rank, source, setting, plan.context, threads));
  }
  return std::make_unique<Implementation>(std::move(models), std::move(exchange), kv, options, plan,
                                          device);
}

bool cuda_usable() {
  const GpuReport report = gpu_report();
  if (report.devices.empty()) return false;
  const GpuDevice& first = report.devices.front();
  return capability_problem(first.capability_major * 10 + first.capability_minor,
                            report.architectures)
      .empty();
}

}  // namespace assay::engine
