// What the CUDA backend decides on the host: a step's arrays, captured steps, memory, messages.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "engine/cuda/algorithm_cache.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/failure.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/library_gemm.h"
#include "engine/cuda/step_plan.h"
#include "engine/shapes.h"
#include "engine/weight_sources.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

/// Sequences given as {first position, rows}; every row's logits are wanted.
struct TestBatch {
  explicit TestBatch(const std::vector<std::pair<int, int>>& pieces) {
    pages.reserve(pieces.size());
    for (const auto& [first, rows] : pieces) {
      std::vector<std::int32_t> mine;
      for (int p = 0; p * 64 < first + rows; ++p) {
        mine.push_back(static_cast<std::int32_t>(100 * pages.size()) + p);
      }
      pages.push_back(mine);
      batch.sequences.push_back({.first_row = static_cast<std::int64_t>(batch.ids.size()),
                                 .rows = rows,
                                 .first_position = first,
                                 .pages = pages.back()});
      for (int r = 0; r < rows; ++r) {
        batch.queries.push_back({.row = static_cast<std::int64_t>(batch.ids.size())});
        batch.ids.push_back(7);
        batch.positions.push_back(first + r);
      }
    }
  }
  std::vector<std::vector<std::int32_t>> pages;
  Batch batch;
};

const StepLimits kLimits{
    .heads = 64, .kv_heads = 8, .vocab = 1000, .scratch_page = 999, .capture = true};

TEST(StepPlan, ADecodeStepIsFilledUpToACapturedSize) {
  const TestBatch t({{5, 1}, {600, 1}, {63, 1}});
  const StepPlan plan = plan_step(t.batch, kLimits);
  EXPECT_EQ(plan.shape.rows, 4);
  EXPECT_EQ(plan.shape.spans, 2);
  EXPECT_EQ(plan.shape.decode_tiles, 4);
  EXPECT_EQ(plan.shape.prompt_tiles, 0);
  EXPECT_EQ(plan.positions, (std::vector<int>{5, 600, 63, 0}));
  EXPECT_EQ(plan.sequence, (std::vector<int>{0, 1, 2, 3}));
  ASSERT_EQ(plan.page_table.size(), 4U * 16U);
  EXPECT_EQ(plan.page_table[16], 100);
  EXPECT_EQ(plan.page_table[16 + 9], 109);
  EXPECT_EQ(plan.page_table[16 + 10], 999);
  EXPECT_EQ(plan.page_table[3 * 16], 999);
  // Partial results: one span, two spans, one span.
  EXPECT_EQ(plan.tiles[1].first_span, 1);
  EXPECT_EQ(plan.tiles[2].first_span, 3);
}

TEST(StepPlan, AStepIsNotFilledUpBeyondTheRowsOfTheEngine) {
  const TestBatch t({{5, 1}, {6, 1}, {7, 1}});
  StepLimits limits = kLimits;
  limits.max_rows = 3;
  EXPECT_EQ(plan_step(t.batch, limits).shape.rows, 3);
}

TEST(StepPlan, AStepWithAPromptIsNotFilledUpAndItsTilesCoverAllRows) {
  const TestBatch t({{0, 37}, {600, 1}, {10, 2}});
  const StepPlan plan = plan_step(t.batch, kLimits);
  EXPECT_EQ(plan.shape.rows, 40);
  EXPECT_EQ(plan.shape.decode_tiles, 1);
  EXPECT_EQ(attention_tile_tokens(64, 8), 8);
  EXPECT_EQ(plan.shape.prompt_tiles, 6);
  std::vector<int> covered(40, 0);
  for (const AttentionTile& tile : plan.tiles) {
    for (int r = 0; r < tile.rows; ++r) {
      const auto row = static_cast<std::size_t>(tile.first_row + r);
      ++covered[row];
      EXPECT_EQ(tile.first_position + r, plan.positions[row]);
      EXPECT_EQ(tile.sequence, plan.sequence[row]);
    }
  }
  EXPECT_EQ(covered, std::vector<int>(40, 1));
}

TEST(StepPlan, RowsBeyondTheRoomForPartialResultsAreReadByOneBlock) {
  const TestBatch t({{1200, 1}, {1200, 1}, {20, 1}});
  StepLimits limits = kLimits;
  limits.partial_spans = 4;
  const StepPlan plan = plan_step(t.batch, limits);
  EXPECT_EQ(plan.shape.decode_tiles, 2);
  EXPECT_EQ(plan.shape.prompt_tiles, 1);
  EXPECT_EQ(plan.shape.rows, 3);
}

TEST(StepPlan, ArraysDoNotOverlapAndArriveUnchanged) {
  const TestBatch t({{0, 37}, {600, 1}});
  const StepPlan plan = plan_step(t.batch, kLimits);
  const StepLayout layout(plan.shape, 2, static_cast<std::int64_t>(plan.asks.size()));
  std::vector<std::byte> block(layout.bytes);
  write_step(plan, layout, block.data());
  const auto read = [&](std::size_t at, std::size_t count) {
    std::vector<int> out(count);
    std::copy_n(reinterpret_cast<const int*>(block.data() + at), count, out.begin());
    return out;
  };
  EXPECT_EQ(read(layout.ids, plan.ids.size()), plan.ids);
  EXPECT_EQ(read(layout.from, plan.from.size()), plan.from);
  EXPECT_EQ(read(layout.positions, plan.positions.size()), plan.positions);
  EXPECT_EQ(read(layout.sequence, plan.sequence.size()), plan.sequence);
  EXPECT_EQ(read(layout.query_rows, plan.query_rows.size()), plan.query_rows);
  EXPECT_EQ(read(layout.page_table, plan.page_table.size()), plan.page_table);
}

TEST(StepPlan, RowsNameTheQueryThatChoosesTheirToken) {
  TestBatch t({{5, 1}, {600, 1}, {63, 1}});
  t.batch.chosen = {{.row = 0, .query = 4}, {.row = 2, .query = 0}};
  EXPECT_EQ(plan_step(t.batch, kLimits).from, (std::vector<int>{4, -1, 0, -1}));
}

TEST(StepPlan, CapturedSizesAscendAndHoldEveryCountUpToTheLargest) {
  EXPECT_TRUE(std::is_sorted(captured_rows().begin(), captured_rows().end()));
  for (int rows = 1; rows <= captured_rows().back(); ++rows) {
    EXPECT_GE(captured_rows_for(rows), rows);
  }
  EXPECT_EQ(captured_rows_for(captured_rows().back() + 1), 0);
}

TEST(MemoryPlan, SeventyBillionParametersFitOneH200InFp8AndNotAnEightyGigabyteCardInBf16) {
  const ModelConfig config = known_shape("llama-3.3-70b");
  constexpr std::int64_t kGiB = std::int64_t{1} << 30;
  const CudaOptions options{.max_batch = 256, .context = 2048};
  const CudaPlan plan =
      divide_memory(config, DummyWeights(), find_setting("fp8"), KvType::kFp8, options, 139 * kGiB);
  // ENGINE_NOTES 9.1: 72.66 GB of weights, 160 KiB a token.
  EXPECT_NEAR(static_cast<double>(plan.weight_bytes), 72.66e9, 0.2e9);
  EXPECT_NEAR(static_cast<double>(plan.page_bytes) / 64, 160 * 1024, 6000);
  EXPECT_GT(plan.pages * 64, 300000);
  const std::string message = test::error_message([&] {
    divide_memory(config, DummyWeights(), find_setting("bf16"), KvType::kBf16, options, 79 * kGiB);
  });
  EXPECT_NE(message.find("GiB for weights in bf16"), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

TEST(Parts, MorePartsForFewTokensAndNeverMoreMemoryThanPlanned) {
  const DeviceLimits hopper{.name = "test", .capability = 90, .multiprocessors = 132};
  const GemmRunner runner(GemmKind::kWgmma, hopper);
  DeviceMatrix w;
  w.type = WeightType::kE4m3;
  w.rows = 8192;
  w.shards = 8;
  for (int tokens = 1; tokens <= 4096; ++tokens) {
    EXPECT_LE(static_cast<std::int64_t>(runner.parts(w, tokens, true)) * tokens,
              most_part_rows(GemmKind::kWgmma, 4096));
  }
  EXPECT_EQ(runner.parts(w, 1, true), 1);  // a cluster folds all shards
  EXPECT_EQ(GemmRunner(GemmKind::kMma, hopper).parts(w, 1, true), 8);
  EXPECT_EQ(runner.parts(w, 4096, true), 1);
  // 64 tiles of 128 outputs, and as many more as there are tiles of 128 tokens, on 132
  // multiprocessors: as few parts as leave no round mostly idle.
  EXPECT_EQ(runner.parts(w, 100, true), 2);
  EXPECT_EQ(runner.parts(w, 256, true), 1);
  EXPECT_EQ(runner.parts(w, 300, true), 2);
  EXPECT_EQ(runner.parts(w, 512, true), 1);
}

TEST(GemmKinds, WgmmaNeedsHopper) {
  const DeviceLimits ada{.name = "Ada", .capability = 89};
  EXPECT_EQ(default_gemm_kind(ada), GemmKind::kMma);
  EXPECT_NE(test::error_message([&] { const GemmRunner r(GemmKind::kWgmma, ada); }).find("9.0"),
            std::string::npos);
  EXPECT_NE(test::error_message([] { find_gemm_kind("quick"); }).find("wgmma"), std::string::npos);
}

TEST(Failures, KnownCodesSayWhatToDoInOneLine) {
  EXPECT_NE(cuda_failure(2, "cudaErrorMemoryAllocation", "weights").find("--max-batch"),
            std::string::npos);
  EXPECT_NE(cuda_failure(35, "cudaErrorInsufficientDriver", "start").find("580"),
            std::string::npos);
  EXPECT_NE(cuda_failure(12345, "cudaErrorNew", "a kernel").find("12345"), std::string::npos);
}

TEST(Failures, ADeviceNeedsCodeForItsArchitecture) {
  EXPECT_EQ(capability_problem(90, "90a-real"), "");
  EXPECT_EQ(capability_problem(89, "89-real,90a-real"), "");
  EXPECT_EQ(capability_problem(120, "89-real,90a-real,100a-real,103a-real,120a-real"), "");
  EXPECT_NE(capability_problem(89, "90a-real").find("8.9"), std::string::npos);
  EXPECT_NE(capability_problem(100, "90a-real").find("10.0"), std::string::npos);
  EXPECT_EQ(capability_problem(86, "80-real"), "");
}

TEST(AlgorithmCache, RemembersAcrossRunsAndSkipsWhatItCannotRead) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "deep" / "algorithms.txt";
  {
    AlgorithmCache cache(file);
    EXPECT_EQ(cache.find("NVIDIA_H200/130000/8192"), std::nullopt);
    cache.add("NVIDIA_H200/130000/8192", {0, 17, 255});
    cache.add("other", {1});
  }
  std::ofstream(file, std::ios::app) << "broken xyz\nodd abc\nalone\n";
  const AlgorithmCache again(file);
  EXPECT_EQ(again.find("NVIDIA_H200/130000/8192"), (std::vector<unsigned char>{0, 17, 255}));
  EXPECT_EQ(again.find("broken"), std::nullopt);
  EXPECT_EQ(again.find("odd"), std::nullopt);
  AlgorithmCache nowhere("");
  nowhere.add("key", {3});
  EXPECT_EQ(nowhere.find("key"), (std::vector<unsigned char>{3}));
}

TEST(CublasLt, IsLookedForInWheelsOfEveryPythonBelowAPrefix) {
  const test::TemporaryFolder folder;
  const auto wheel = folder.path() / "lib/python3.11/site-packages/nvidia/cu13/lib";
  std::filesystem::create_directories(wheel);
  std::ofstream(wheel / "libcublasLt.so.13") << "x";
  const auto files = cublaslt_candidates({folder.path().string(), "/nonexistent"});
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0], "libcublasLt.so.13");
  EXPECT_EQ(files[1], (wheel / "libcublasLt.so.13").string());
}

}  // namespace
}  // namespace assay::engine
