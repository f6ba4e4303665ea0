// Tensor-parallel ranks on the CUDA executor, in the emulation or on a device: virtual ranks on one
// device give the bits of one rank, and with exact kernels those of the CPU backend.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <barrier>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "engine/cpu_executor.h"
#include "engine/cuda/cuda_executor.h"
#include "engine/cuda/device_exchange.h"
#include "engine/cuda/gpu_ranks.h"
#include "engine/cuda/peer_exchange.h"
#include "engine/cuda/runtime.h"
#include "engine/ops/rank_sum.h"
#include "engine/parallel/nccl.h"
#include "engine/weight_sources.h"
#include "tests/engine/answers.h"
#include "tests/engine/cuda/device_array.h"
#include "tests/engine/layouts.h"

namespace assay::engine {
namespace {

using test::Answers;
using test::Ask;

#if defined(ASSAY_FAKE_NCCL)
/// The emulation's device memory is the host's, which the stand-in (fake_nccl.cc) works on.
const bool kChosen = ::setenv("ASSAY_NCCL", ASSAY_FAKE_NCCL, 1) == 0;
#endif

constexpr std::int64_t kPages = 24;
constexpr std::int64_t kContext = 256;
constexpr std::int64_t kRows = 16;

struct Case {
  std::string setting;
  KvType kv = KvType::kBf16;
  RowSums sums = RowSums::kEighths;
  std::string gemm = "exact";
  std::string attention = "exact";
};

Answers on_cpu(const ModelConfig& config, const WeightSource& source, const Case& one, int ranks,
               const std::vector<Ask>& all) {
  const PrecisionSetting setting = find_setting(one.setting);
  CpuExecutor executor(config, source,
                       {.setting = &setting,
                        .kv = one.kv,
                        .ranks = ranks,
                        .sums = one.sums,
                        .threads = 1,
                        .context = kContext,
                        .pages = kPages,
                        .max_rows = kRows});
  return test::answer(executor, kPages, all, 8, false);
}

CudaPlan small_plan() {
  CudaPlan plan;
  plan.context = kContext;
  plan.pages = kPages;
  plan.max_batch = 8;
  plan.max_rows = kRows;
  return plan;
}

Answers on_cuda(const ModelConfig& config, const WeightSource& source, const Case& one, int ranks,
                const std::vector<Ask>& all) {
  CudaOptions options{.gemm = one.gemm, .attention = one.attention, .context = kContext};
  options.ranks = ranks;
  options.ranks_here = ranks;
  options.sums = one.sums;
  const auto executor = make_cuda_executor(config, source, find_setting(one.setting), one.kv,
                                           options, small_plan(), 1);
  return test::answer(*executor, kPages, all, 8, false);
}

/// Prompts on both sides of a step's rows, few tokens: the emulation runs every thread of a device.
std::vector<Ask> short_asks(std::int64_t vocab) {
  std::vector<Ask> all = test::asks(vocab, 9);
  all[3].prompt.resize(20);
  all[3].first_logit = 18;
  for (Ask& ask : all) ask.generate = 2;
  return all;
}

TEST(RanksCuda, EveryHeadLayoutGivesTheBitsOfTheCpuBackend) {
  const test::LoudWeights source;
  for (const test::Layout& layout : test::layouts()) {
    ModelConfig config = test::small_model(layout);
    config.layers = 1;
    const std::vector<Ask> all = short_asks(config.vocab);
    for (const Case& one : {Case{"bf16", KvType::kFp8}, Case{"fp8", KvType::kBf16}}) {
      const Answers cpu = on_cpu(config, source, one, 1, all);
      for (const int ranks : {1, 2, 4, 8}) {
        test::expect_same(on_cuda(config, source, one, ranks, all), cpu,
                          fmt::format("{} {} {} ranks", layout.name, one.setting, ranks));
      }
    }
  }
}

/// Scales of groups that begin inside a rank's inputs, codes made on the host, mixed settings.
TEST(RanksCuda, EverySettingGivesTheBitsOfTheCpuBackend) {
  const test::LoudWeights source;
  ModelConfig config = test::small_model({"16/2", 16, 2, true});
  config.layers = 1;
  const std::vector<Ask> all = short_asks(config.vocab);
  for (const char* setting :
       {"fp8-tensor", "w8a16-fp8", "fp8-block", "int8", "int4-g128", "nvfp4", "mxfp4",
        "fp8[lm_head=fp8-block,*.o_proj=int4-g128,*.down_proj=bf16]"}) {
    const Case one{.setting = setting};
    const Answers cpu = on_cpu(config, source, one, 1, all);
    for (const int ranks : {2, 8}) {
      test::expect_same(on_cuda(config, source, one, ranks, all), cpu,
                        fmt::format("{} {} ranks", setting, ranks));
    }
  }
}

TEST(RanksCuda, RandomWeightsMadeOnTheDeviceAreTheCpusWhateverTheRanks) {
  const ModelConfig config = test::small_model({"8B", 32, 8, false});
  const std::vector<Ask> all = short_asks(config.vocab);
  const Case one{.setting = "fp8"};
  test::expect_same(on_cuda(config, DummyWeights(), one, 4, all),
                    on_cpu(config, DummyWeights(), one, 1, all), "4 ranks");
}

/// Without the option: the CPU's bits for the same number of ranks.
TEST(RanksCuda, SumsOfWholeRanksAreTheCpusToo) {
  const test::LoudWeights source;
  ModelConfig config = test::small_model({"8B", 32, 8, false});
  config.layers = 1;
  const std::vector<Ask> all = short_asks(config.vocab);
  for (const int ranks : {1, 4}) {
    const Case one{.setting = "fp8", .sums = RowSums::kRanks};
    test::expect_same(on_cuda(config, source, one, ranks, all),
                      on_cpu(config, source, one, ranks, all), fmt::format("{} ranks", ranks));
  }
}

/// Heads of 64 values, so that the tensor-core kernels take them; more ranks than KV heads at 8.
TEST(RanksCuda, TensorCoresGiveTheBitsOfOneRank) {
  ModelConfig config = test::small_model({"8/4", 8, 4, true});
  config.head_dim = 64;
  config.hidden = 72;
  config.intermediate = 140;
  config.layers = 1;
  const test::LoudWeights source;
  const std::vector<Ask> all = short_asks(config.vocab);
  for (const auto& [gemm, setting] :
       {std::pair{"mma", "bf16"}, {"mma", "fp8"}, {"wgmma", "bf16"}, {"wgmma", "fp8"}}) {
    if (gemm == std::string("wgmma") && use_device(0).capability != 90) continue;
    const Case one{.setting = setting, .kv = KvType::kFp8, .gemm = gemm, .attention = "tensor"};
    const Answers alone = on_cuda(config, source, one, 1, all);
    for (const int ranks : {2, 8}) {
      test::expect_same(on_cuda(config, source, one, ranks, all), alone,
                        fmt::format("{} {} {} ranks", setting, gemm, ranks));
    }
  }
}

#if defined(ASSAY_FAKE_NCCL)
/// Each rank a thread with an emulated device of its own.
TEST(RanksCuda, RanksWithAGpuEachGiveTheBitsOfOne) {
  const test::LoudWeights source;
  ModelConfig config = test::small_model({"8B", 32, 8, false});
  config.layers = 1;
  const std::vector<Ask> all = short_asks(config.vocab);
  const PrecisionSetting setting = find_setting("fp8");
  for (const RowSums sums : {RowSums::kEighths, RowSums::kRanks}) {
    const Case one{.setting = "fp8", .sums = sums};
    for (const int ranks : {2, 4}) {
      CudaOptions options{.gemm = one.gemm, .attention = one.attention, .context = kContext};
      options.ranks = ranks;
      options.sums = sums;
      options.nccl_id = nccl_unique_id();
      options.peer_sums = ranks == 4;
      const auto executor =
          make_gpu_ranks(config, source, setting, one.kv, options, small_plan(), ranks, 1);
      const bool tree = sums == RowSums::kEighths;
      EXPECT_EQ(executor->description().arithmetic,
                tree ? "sm90-exact-exact-1" : fmt::format("sm90-exact-exact-1-tp{}-nccl", ranks));
      const Answers got = test::answer(*executor, kPages, all, 8, false);
      const Answers cpu = on_cpu(config, source, one, ranks, all);
      if (tree || ranks == 2) test::expect_same(got, cpu, fmt::format("{} GPUs", ranks));
      // The stand-in adds rank after rank, as NCCL may.
      EXPECT_LT(test::largest_difference(got, cpu, all), 0.1) << ranks;
    }
  }
}
#endif

TEST(RanksCuda, FoldsNodesAsTheTreeAndJoinsColumns) {
  constexpr int kCount = 1003;
  const Stream stream;
  SplitMix64 random(3);
  for (const auto& [ranks, parts] : {std::pair{1, 8}, {2, 4}, {4, 2}, {8, 1}, {2, 1}, {1, 1}}) {
    std::vector<test::DeviceArray<float>> in;
    std::vector<std::vector<float>> values;
    FoldRanksArgs args{
        .ranks = ranks, .parts = parts, .outs = ranks, .stride = kCount, .count = kCount};
    for (int r = 0; r < ranks; ++r) {
      std::vector<float> own;
      for (int i = 0; i < parts * kCount; ++i) {
        own.push_back(static_cast<float>(random.uniform() - 0.5));
      }
      in.emplace_back(own);
      values.push_back(own);
      args.in[r] = in.back().get();
      args.out[r] = in.back().get();
    }
    fold_ranks_cuda(stream.get(), args);
    stream.synchronize();
    std::vector<const float*> nodes;
    for (const auto& own : values) {
      for (int p = 0; p < parts; ++p) nodes.push_back(own.data() + p * kCount);
    }
    for (int r = 0; r < ranks; ++r) {
      const std::vector<float> out = in[static_cast<std::size_t>(r)].values();
      for (int i = 0; i < kCount; ++i) {
        ASSERT_EQ(out[static_cast<std::size_t>(i)], tree_sum(nodes, i)) << ranks << parts << r << i;
      }
    }
  }
  const test::DeviceArray<float> left(std::vector<float>{0, 1, 10, 11});
  const test::DeviceArray<float> right(std::vector<float>{2, -1, 12, -1});
  test::DeviceArray<float> all(std::vector<float>(6, -9));
  join_columns_cuda(stream.get(), {.in = {left.get(), right.get()},
                                   .out = all.get(),
                                   .ranks = 2,
                                   .rows = 2,
                                   .cols = 2,
                                   .width = 3});
  stream.synchronize();
  EXPECT_EQ(all.values(), (std::vector<float>{0, 1, 2, 10, 11, 12}));
}

#if defined(ASSAY_FAKE_NCCL)
/// Below and above the size from which sums take two exchanges, and one that ranks do not divide.
TEST(RanksCuda, NcclSumsAreTheTreeOverRanksWhateverTheirSize) {
  for (const int ranks : {2, 8}) {
    for (const std::int64_t count : {std::int64_t{1000}, std::int64_t{1} << 18, (1L << 18) + 1}) {
      const std::string id = nccl_unique_id();
      std::vector<std::vector<float>> parts(static_cast<std::size_t>(ranks));
      SplitMix64 random(5);
      for (auto& part : parts) {
        for (std::int64_t i = 0; i < count; ++i) {
          part.push_back(static_cast<float>(random.uniform() - 0.5));
        }
      }
      std::vector<const float*> nodes;
      for (const auto& part : parts) nodes.push_back(part.data());
      std::vector<std::thread> threads;
      for (int rank = 0; rank < ranks; ++rank) {
        threads.emplace_back([&, rank] {
          const auto exchange = make_nccl_exchange(id, ranks, rank, RowSums::kEighths, 64);
          const test::DeviceArray<float> data(parts[static_cast<std::size_t>(rank)]);
          float* own = data.get();
          exchange->fold(nullptr, {&own, 1}, 1, count);
          const std::vector<float> out = data.values();
          for (std::int64_t i = 0; i < count; i += 97) {
            ASSERT_EQ(out[static_cast<std::size_t>(i)], tree_sum(nodes, i)) << ranks << " " << i;
          }
        });
      }
      for (std::thread& thread : threads) thread.join();
    }
  }
}
#endif

#if defined(ASSAY_FAKE_NCCL)
/// Ranks run ahead of each other: a sum's buffer must not be written while others still read it.
TEST(RanksCuda, PeersSumAgainAndAgainInTheTreesOrder) {
  constexpr int kRanks = 4;
  constexpr int kParts = 2;
  const std::vector<std::int64_t> counts = {5000, 7, 2048, 2049, 9000, 1, 4096};
  PeerGroup group(kRanks);
  const std::string id = nccl_unique_id();
  const auto value = [](int round, int rank, std::int64_t i) {
    return static_cast<float>((round * 31 + rank * 7 + i * 13) % 1009) * 0.001F - 0.5F;
  };
  std::barrier done(kRanks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto exchange = make_peer_exchange(
          make_nccl_exchange(id, kRanks, rank, RowSums::kEighths, 64), group, 0, kRanks, rank);
      for (int round = 0; round < 40; ++round) {
        const std::int64_t count = counts[static_cast<std::size_t>(round) % counts.size()];
        std::vector<std::vector<float>> nodes(kRanks * kParts);
        for (int n = 0; n < kRanks * kParts; ++n) {
          for (std::int64_t i = 0; i < count; ++i) {
            nodes[static_cast<std::size_t>(n)].push_back(value(round, n, i));
          }
        }
        std::vector<float> own = nodes[static_cast<std::size_t>(rank) * kParts];
        const std::vector<float>& second = nodes[static_cast<std::size_t>(rank) * kParts + 1];
        own.insert(own.end(), second.begin(), second.end());
        const test::DeviceArray<float> data(own);
        float* sums = data.get();
        exchange->fold(nullptr, {&sums, 1}, kParts, count);
        std::vector<const float*> pointers;
        for (const auto& node : nodes) pointers.push_back(node.data());
        const std::vector<float> out = data.values();
        for (std::int64_t i = 0; i < count; ++i) {
          EXPECT_EQ(out[static_cast<std::size_t>(i)], tree_sum(pointers, i)) << round << " " << i;
        }
      }
      done.arrive_and_wait();  // others may still read this rank's memory
    });
  }
  for (std::thread& thread : threads) thread.join();
}
#endif

/// The library and its calls, wherever they are; a stand-in in the emulation.
TEST(RanksCuda, NcclAtWorldSizeOneMovesAndAddsNothing) {
  if (!nccl_report().problem.empty()) GTEST_SKIP() << nccl_report().problem;
  (void)use_device(0);
  const Stream stream;
  for (const RowSums sums : {RowSums::kEighths, RowSums::kRanks}) {
    const auto exchange = make_nccl_exchange(nccl_unique_id(), 1, 0, sums, 4);
    test::DeviceArray<float> data(std::vector<float>{1, 2, 3, 4, 10, 20, 30, 40});
    float* own = data.get();
    exchange->fold(stream.get(), {&own, 1}, 2, 4);
    test::DeviceArray<float> out(std::vector<float>(3));
    exchange->join(stream.get(), {&own, 1}, 1, 4, out.get(), 3);
    stream.synchronize();
    exchange->check();
    EXPECT_EQ(out.values(), (std::vector<float>{11, 22, 33}));
  }
}

}  // namespace
}  // namespace assay::engine
