#include "engine/cuda/step_plan.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "engine/ops/memory.h"
#include "engine/sampler.h"

namespace assay::engine {
namespace {

constexpr std::int64_t kMmaRows = 16;
constexpr std::int64_t kPromptWarps = 4;  // tensor-core tiles of a prompt's attention block
constexpr std::size_t kAlignment = 256;

std::size_t place(std::size_t& end, std::int64_t count, std::size_t size) {
  const std::size_t at = end;
  end += (static_cast<std::size_t>(count) * size + kAlignment - 1) / kAlignment * kAlignment;
  return at;
}

template <typename T>
void write(std::byte* block, std::size_t at, const std::vector<T>& values) {
  if (!values.empty()) std::memcpy(block + at, values.data(), values.size() * sizeof(T));
}

LogitAsk ask_of(const LogitQuery& query) {
  LogitAsk ask;
  ask.wants_sum = query.top >= 0 || !query.targets.empty() ? 1 : 0;
  if (query.sampling == nullptr || query.sampling->temperature <= 0) return ask;
  const SamplingParams& s = *query.sampling;
  constexpr double kLog2E = 1.4426950408889634;
  ask.samples = 1;
  ask.per_degree = static_cast<float>(kLog2E / s.temperature);
  ask.top_k = static_cast<int>(std::min<std::int64_t>(s.top_k, std::int64_t{1} << 30));
  ask.top_p = s.top_p;
  ask.min_p = static_cast<float>(s.min_p);
  ask.draw = static_cast<std::uint32_t>(sampling_uniform(query.key, query.position) * 0x1p24F);
  return ask;
}

void add_queries(StepPlan& plan, const Batch& batch, const StepLimits& limits) {
  for (std::size_t i = 0; i < batch.queries.size(); ++i) {
    const LogitQuery& query = batch.queries[i];
    plan.query_rows.push_back(static_cast<int>(query.row));
    plan.asks.push_back(ask_of(query));
    const int top = std::min(std::max(query.top, 0), static_cast<int>(limits.vocab));
    plan.top_counts.push_back(top);
    plan.most_top = std::max(plan.most_top, top);
    for (const TokenId id : query.targets) {
      plan.target_rows.push_back(static_cast<int>(i));
      plan.target_ids.push_back(id);
    }
  }
  if (plan.most_top == 0) plan.top_counts.clear();
}

void add_page_table(StepPlan& plan, const SequenceRows& sequence, const StepLimits& limits) {
  const std::size_t first = plan.page_table.size();
  plan.page_table.resize(first + static_cast<std::size_t>(plan.shape.spans * kSpanChunks),
                         limits.scratch_page);
  const std::int64_t end = sequence.first_position + sequence.rows;
  const std::int64_t used = (end + kPageTokens - 1) / kPageTokens;
  std::copy_n(sequence.pages.begin(), used,
              plan.page_table.begin() + static_cast<std::ptrdiff_t>(first));
}

void add_tiles(StepPlan& plan, const SequenceRows& sequence, std::size_t index,
               std::int64_t tokens) {
  for (std::int64_t r = 0; r < sequence.rows; r += tokens) {
    plan.tiles.push_back({.first_row = static_cast<int>(sequence.first_row + r),
                          .rows = static_cast<int>(std::min(tokens, sequence.rows - r)),
                          .sequence = static_cast<int>(index),
                          .first_position = static_cast<int>(sequence.first_position + r)});
  }
}

int spans_of(std::int64_t positions) {
  return static_cast<int>((positions + kSpanTokens - 1) / kSpanTokens);
}

void add_sequences(StepPlan& plan, const Batch& batch, const StepLimits& limits) {
  int spans = 0;
  std::vector<std::size_t> prompts;
  for (std::size_t s = 0; s < batch.sequences.size(); ++s) {
    const SequenceRows& sequence = batch.sequences[s];
    for (std::int64_t r = 0; r < sequence.rows; ++r) plan.sequence.push_back(static_cast<int>(s));
    add_page_table(plan, sequence, limits);
    const int mine = spans_of(sequence.first_position + 1);
    if (sequence.rows > 1 || spans + mine > limits.partial_spans) {
      prompts.push_back(s);
      continue;
    }
    add_tiles(plan, sequence, s, 1);
    plan.tiles.back().first_span = spans;
    spans += mine;
  }
  plan.shape.decode_tiles = static_cast<int>(plan.tiles.size());
  const std::int64_t tokens = attention_tile_tokens(limits.heads, limits.kv_heads);
  for (const std::size_t s : prompts) add_tiles(plan, batch.sequences[s], s, tokens);
  plan.shape.prompt_tiles = static_cast<int>(plan.tiles.size()) - plan.shape.decode_tiles;
}

/// Rows that nobody reads: position 0 of a sequence of their own on the scratch page.
void fill_up(StepPlan& plan, const StepLimits& limits, int rows) {
  const int ld = plan.shape.spans * kSpanChunks;
  while (static_cast<int>(plan.ids.size()) < rows) {
    const auto row = static_cast<int>(plan.ids.size());
    plan.ids.push_back(0);
    plan.from.push_back(-1);
    plan.positions.push_back(0);
    plan.sequence.push_back(row);
    // Its only span is folded by no one: it needs no place.
    plan.tiles.push_back({.first_row = row, .rows = 1, .sequence = row});
    plan.page_table.resize(plan.page_table.size() + static_cast<std::size_t>(ld),
                           limits.scratch_page);
    plan.query_rows.push_back(row);
    plan.asks.emplace_back();
  }
}

StepShape shape_of(const Batch& batch) {
  StepShape shape;
  shape.rows = static_cast<int>(batch.ids.size());
  std::int64_t longest = 1;
  shape.decode = batch.queries.size() == batch.ids.size();
  for (const SequenceRows& sequence : batch.sequences) {
    longest = std::max(longest, sequence.first_position + sequence.rows);
    shape.decode = shape.decode && sequence.rows == 1;
  }
  shape.spans = static_cast<int>(std::bit_ceil(static_cast<unsigned>(spans_of(longest))));
  return shape;
}

}  // namespace

const std::vector<int>& captured_rows() {
  static const std::vector<int> kRows = {1,  2,  4,   8,   16,  24,  32,  48,
                                         64, 96, 128, 192, 256, 320, 384, 512};
  return kRows;
}

int captured_rows_for(int rows) {
  const auto found = std::lower_bound(captured_rows().begin(), captured_rows().end(), rows);
  return found == captured_rows().end() ? 0 : *found;
}

int attention_tile_tokens(std::int64_t heads, std::int64_t kv_heads) {
  const std::int64_t tokens = std::max<std::int64_t>(1, kMmaRows * kv_heads / heads) * kPromptWarps;
  return static_cast<int>(std::bit_floor(static_cast<std::uint64_t>(tokens)));
}

StepLayout::StepLayout(const StepShape& shape, std::int64_t sequences, std::int64_t queries) {
  ids = place(bytes, shape.rows, sizeof(int));
  from = place(bytes, shape.rows, sizeof(int));
  positions = place(bytes, shape.rows, sizeof(int));
  sequence = place(bytes, shape.rows, sizeof(int));
  query_rows = place(bytes, queries, sizeof(int));
  asks = place(bytes, queries, sizeof(LogitAsk));
  tiles = place(bytes, shape.decode_tiles + shape.prompt_tiles, sizeof(AttentionTile));
  page_table = place(bytes, sequences * shape.spans * kSpanChunks, sizeof(int));
}

StepPlan plan_step(const Batch& batch, const StepLimits& limits) {
  StepPlan plan;
  plan.shape = shape_of(batch);
  for (std::size_t r = 0; r < batch.ids.size(); ++r) {
    plan.ids.push_back(batch.ids[r]);
    plan.positions.push_back(static_cast<int>(batch.positions[r]));
  }
  plan.from.assign(batch.ids.size(), -1);
  for (const ChosenToken& token : batch.chosen) {
    plan.from[static_cast<std::size_t>(token.row)] = token.query;
  }
  add_sequences(plan, batch, limits);
  add_queries(plan, batch, limits);
  ASSAY_CHECK(plan.sequence.size() == plan.ids.size(), "sequences cover all rows");
  const int padded = captured_rows_for(plan.shape.rows);
  if (limits.capture && plan.shape.decode && plan.shape.prompt_tiles == 0 && padded > 0 &&
      padded <= limits.max_rows) {
    fill_up(plan, limits, padded);
    plan.shape.rows = padded;
    plan.shape.decode_tiles = padded;
  }
  return plan;
}

void write_step(const StepPlan& plan, const StepLayout& layout, std::byte* block) {
  write(block, layout.ids, plan.ids);
  write(block, layout.from, plan.from);
  write(block, layout.positions, plan.positions);
  write(block, layout.sequence, plan.sequence);
  write(block, layout.query_rows, plan.query_rows);
  write(block, layout.asks, plan.asks);
  write(block, layout.tiles, plan.tiles);
  write(block, layout.page_table, plan.page_table);
}

std::vector<LogitResult> step_results(const Batch& batch, const StepPlan& plan,
                                      const LogitAnswer* answers, const float* targets,
                                      const TopEntry* top) {
  std::vector<LogitResult> out(batch.queries.size());
  std::size_t target = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const LogitQuery& query = batch.queries[i];
    const LogitAnswer& answer = answers[i];
    LogitResult& result = out[i];
    const float* mine = targets + target;
    target += query.targets.size();
    result.finite = answer.finite != 0;
    if (!result.finite) continue;
    result.argmax = answer.argmax;
    result.chosen = answer.chosen;
    const double log_sum_exp = static_cast<double>(answer.max) + std::log(answer.sum);
    const auto logprob = [&](float logit) { return static_cast<double>(logit) - log_sum_exp; };
    for (std::size_t t = 0; t < query.targets.size(); ++t) {
      result.target_logprobs.push_back(logprob(mine[t]));
    }
    if (query.top < 0) continue;
    result.logprob.id = answer.chosen;
    result.logprob.logprob = static_cast<float>(logprob(answer.chosen_logit));
    if (plan.top_counts.empty()) continue;
    const TopEntry* first = top + i * static_cast<std::size_t>(plan.most_top);
    std::vector<TopEntry> best(first, first + plan.top_counts[i]);
    std::sort(best.begin(), best.end(), [](const TopEntry& a, const TopEntry& b) {
      return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
    });
    for (const TopEntry& entry : best) {
      result.logprob.top.emplace_back(entry.id, static_cast<float>(logprob(entry.logit)));
    }
  }
  return out;
}

}  // namespace assay::engine
