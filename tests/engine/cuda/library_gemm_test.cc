// Products through cuBLASLt: in the emulation by a stand-in (fake_cublaslt.cc) that takes what the
// header's documentation allows, on a device by the library itself.
#include "engine/cuda/library_gemm.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "engine/cuda/gemm_runner.h"
#include "engine/cuda/library_scaling.h"
#include "tests/engine/cuda/random_product.h"
#include "tests/support/environment_variable.h"
#include "tests/support/shared_data.h"
#if defined(ASSAY_FAKE_CUBLASLT)
#include <dlfcn.h>

#include "engine/generator.h"
#endif

namespace assay::engine {
namespace {

using test::DeviceArray;
using test::Problem;
using test::Shape;

/// Sizes that the library takes: multiples of 16.
const Shape kShapes[] = {
    {true, true, 64, 1, 128, 1},    {true, true, 128, 1, 256, 7},  {true, true, 48, 8, 128, 33},
    {false, false, 64, 1, 128, 20}, {false, false, 32, 8, 128, 3}, {true, true, 144, 1, 384, 130},
};

class LibraryGemmTest : public testing::TestWithParam<Shape> {
 protected:
  void SetUp() override {
    try {
      (void)use_device(0);
      (void)make_library_gemm({.device = "", .capability = 90, .own = {}});
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
#if defined(ASSAY_FAKE_CUBLASLT)
  const assay::test::EnvironmentVariable library_{"ASSAY_CUBLASLT", ASSAY_FAKE_CUBLASLT};
#endif
  const assay::test::TemporaryFolder folder_;
  const assay::test::EnvironmentVariable cache_{"XDG_CACHE_HOME", folder_.path().string()};
};

TEST_P(LibraryGemmTest, StaysWithinTheToleranceOfItsInstructions) {
  const Shape& shape = GetParam();
  const FlushSubnormals flush;
  for (const GemmKind kind : {GemmKind::kLibrary, GemmKind::kFast}) {
    for (const bool biased : {false, true}) {
      const Problem problem(shape, biased);
      GemmRunner runner(kind, use_device(0));
      const auto run = [&](const DeviceGemmArgs& args) { runner.run(nullptr, args); };
      const auto magnitude = problem.magnitudes();
      const float step = shape.a_is_e4m3 ? 0x1p-10F : 0x1p-17F;
      const auto near = [&](const std::vector<float>& got, const std::vector<float>& expected,
                            float unscaled) {
        ASSERT_EQ(got.size(), expected.size());
        for (std::size_t i = 0; i < got.size(); ++i) {
          ASSERT_NEAR(got[i], expected[i], magnitude[i] * step * unscaled)
              << gemm_kind_name(kind) << " " << biased << " " << i;
        }
      };
      if (shape.shards == 1) near(problem.run(run, GemmOut::kFloat, 1), problem.expected(true), 1);
      // Sums without the row's scale, which is 0.005 at least.
      const auto sums = problem.expected(false);
      near(test::folded(problem.run(run, GemmOut::kParts, shape.shards), sums.size()), sums,
           shape.w_is_e4m3 ? 200 : 1);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, LibraryGemmTest, testing::ValuesIn(kShapes));

/// One product with scales for 128 x 1 weights and 1 x 128 activations, as `fp8-block` has them.
struct BlockProblem {
  BlockProblem(int n, int k, int m) : rows(n), inputs(k), tokens(m), blocks(k / 128) {
    SplitMix64 random(5);
    const auto code = [&] {
      return static_cast<std::uint8_t>(float_to_e4m3(static_cast<float>(random.uniform() - 0.5)));
    };
    for (int i = 0; i < rows * inputs; ++i) w.push_back(code());
    for (int i = 0; i < padded() * inputs; ++i) a.push_back(code());
    const auto some = [](std::vector<float>& out, int count, int period) {
      for (int i = 0; i < count; ++i) out.push_back(0.25F * static_cast<float>(1 + i % period));
    };
    some(w_scale, rows * blocks, 7);
    some(a_scale, tokens * blocks, 5);
    some(row_scale, rows, 3);
  }
  [[nodiscard]] int padded() const { return (tokens + 7) / 8 * 8; }

  struct Sum {
    double value = 0;
    double magnitude = 0;
  };
  [[nodiscard]] Sum expected(int token, int row) const {
    Sum out;
    for (int i = 0; i < inputs; ++i) {
      const double product =
          static_cast<double>(e4m3_to_float(w[static_cast<std::size_t>(row * inputs + i)])) *
          static_cast<double>(e4m3_to_float(a[static_cast<std::size_t>(token * inputs + i)])) *
          static_cast<double>(w_scale[static_cast<std::size_t>(row * blocks + i / 128)]) *
          static_cast<double>(a_scale[static_cast<std::size_t>(token * blocks + i / 128)]) *
          static_cast<double>(row_scale[static_cast<std::size_t>(row)]);
      out.value += product;
      out.magnitude += std::abs(product);
    }
    return out;
  }

  template <typename Run>
  std::vector<float> run(const Run& kernel) const {
    const DeviceArray<std::uint8_t> device_w(w);
    const DeviceArray<std::uint8_t> device_a(a);
    const DeviceArray<float> device_w_scale(w_scale);
    const DeviceArray<float> device_a_scale(a_scale);
    const DeviceArray<float> device_row_scale(row_scale);
    const DeviceArray<float> out(static_cast<std::size_t>(padded() * rows));
    DeviceMatrix matrix;
    matrix.type = WeightType::kE4m3;
    matrix.rows = rows;
    matrix.shard_used = matrix.shard_k = inputs;
    matrix.data = device_w.get();
    matrix.row_scale = device_row_scale.get();
    matrix.group_scale = device_w_scale.get();
    matrix.activations = ActivationType::kE4m3Group;
    kernel(DeviceGemmArgs{.a = device_a.get(),
                          .a_scale = device_a_scale.get(),
                          .a_is_e4m3 = true,
                          .w = matrix,
                          .out = out.get(),
                          .ldo = rows,
                          .tokens = tokens,
                          .a_rows = padded(),
                          .kind = GemmOut::kFloat});
    EXPECT_TRUE(out.guard_is_intact());
    return out.values();
  }

  int rows, inputs, tokens, blocks;
  std::vector<std::uint8_t> w, a;
  std::vector<float> w_scale, a_scale, row_scale;
};

TEST_F(LibraryGemmTest, ScalesOfBlocksAreTheLibrarysOnHopper) {
  if (use_device(0).capability != 90) GTEST_SKIP() << "needs compute capability 9.0";
  for (const int tokens : {1, 8, 21}) {
    const BlockProblem problem(48, 384, tokens);
    GemmRunner runner(GemmKind::kLibrary, use_device(0));
    const auto out = problem.run([&](const DeviceGemmArgs& args) { runner.run(nullptr, args); });
    for (int token = 0; token < tokens; ++token) {
      for (int row = 0; row < problem.rows; ++row) {
        const auto expected = problem.expected(token, row);
        ASSERT_NEAR(out[static_cast<std::size_t>(token * problem.rows + row)], expected.value,
                    expected.magnitude * 0x1p-10)
            << tokens << " " << token << " " << row;
      }
    }
  }
}

DeviceGemmArgs plain_args(bool e4m3, int shards = 1) {
  static float scale = 1;
  DeviceGemmArgs args;
  args.w.type = e4m3 ? WeightType::kE4m3 : WeightType::kBf16;
  args.w.rows = 64;
  args.w.shards = shards;
  args.w.shard_used = args.w.shard_k = 128;
  args.w.row_scale = e4m3 ? &scale : nullptr;
  args.w.activations = e4m3 ? ActivationType::kE4m3Token : ActivationType::kBf16;
  args.a_is_e4m3 = e4m3;
  args.a_scale = e4m3 ? &scale : nullptr;
  args.tokens = 5;
  args.a_rows = 16;
  return args;
}

/// Scales of rows and of blocks are Hopper's; elsewhere sums leave the library without them.
TEST(LibraryScalings, FollowTheArchitectureAndTheProduct) {
  using Ways = std::vector<Scaling>;
  EXPECT_EQ(library_scalings(plain_args(false), 90), Ways{Scaling::kNone});
  EXPECT_EQ(library_scalings(plain_args(true), 90), (Ways{Scaling::kRowwise, Scaling::kKernel}));
  EXPECT_EQ(library_scalings(plain_args(true), 89), Ways{Scaling::kKernel});
  EXPECT_EQ(library_scalings(plain_args(true), 120), Ways{Scaling::kKernel});
  EXPECT_EQ(library_scalings(plain_args(true, 8), 90), Ways{Scaling::kKernel});
  float bias = 0;
  DeviceGemmArgs biased = plain_args(true);
  biased.w.bias = &bias;
  EXPECT_EQ(library_scalings(biased, 90), Ways{Scaling::kKernel});
  biased.kind = GemmOut::kParts;  // the consumer adds it
  EXPECT_EQ(library_scalings(biased, 90), (Ways{Scaling::kRowwise, Scaling::kKernel}));
  DeviceGemmArgs plain = plain_args(false);
  plain.w.bias = &bias;
  EXPECT_EQ(library_scalings(plain, 90), Ways{Scaling::kKernel});

  DeviceGemmArgs blocks = plain_args(true);
  blocks.w.group_scale = &bias;
  blocks.w.activations = ActivationType::kE4m3Group;
  EXPECT_EQ(library_scalings(blocks, 90), Ways{Scaling::kBlocks});
  EXPECT_EQ(library_tokens(blocks, Scaling::kBlocks), 8);
  EXPECT_EQ(library_tokens(blocks, Scaling::kKernel), 5);
  EXPECT_EQ(library_scalings(blocks, 100), Ways{});
  blocks.a_rows = 5;  // no room for the rows that pad to 8
  EXPECT_EQ(library_scalings(blocks, 90), Ways{});
  blocks.a_rows = 16;
  blocks.w.shards = 8;
  EXPECT_EQ(library_scalings(blocks, 90), Ways{});
  DeviceGemmArgs mixed = plain_args(true);
  mixed.a_is_e4m3 = false;
  EXPECT_EQ(library_scalings(mixed, 90), Ways{});
}

#if defined(ASSAY_FAKE_CUBLASLT)

/// What the stand-in was asked.
struct Fake {
  Fake() : handle(dlopen(ASSAY_FAKE_CUBLASLT, RTLD_NOW | RTLD_LOCAL)) {
    refuse(-1);
    most_tokens(0);
  }
  template <typename Function>
  Function* find(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle, name));
  }
  int heuristics() const { return find<int()>("fake_cublaslt_heuristics")(); }
  int products() const { return find<int()>("fake_cublaslt_products")(); }
  int last_mode() const { return find<int()>("fake_cublaslt_last_mode")(); }
  void refuse(int mode) const { find<void(int)>("fake_cublaslt_refuse")(mode); }
  void most_tokens(int count) const { find<void(int)>("fake_cublaslt_most_tokens")(count); }
  void* handle;
};

class LibraryCalls : public LibraryGemmTest {
 protected:
  static std::vector<float> run(GemmRunner& runner, const Problem& problem, GemmOut kind,
                                int tokens = 0) {
    return problem.run([&](const DeviceGemmArgs& args) { runner.run(nullptr, args); }, kind, 1,
                       tokens);
  }
  const Fake fake_;
  const DeviceLimits device_ = use_device(0);
};

TEST_F(LibraryCalls, ScaleRowsWhereTheLibraryDoesAndByAKernelWhereItDoesNot) {
  const Problem problem({true, true, 64, 1, 256, 9}, false);
  GemmRunner rowwise(GemmKind::kLibrary, device_);
  const auto floats = run(rowwise, problem, GemmOut::kFloat);
  EXPECT_EQ(fake_.last_mode(), 3);
  const auto parts = run(rowwise, problem, GemmOut::kParts);
  EXPECT_EQ(fake_.last_mode(), 3);
  fake_.refuse(3);
  const assay::test::TemporaryFolder other;
  const assay::test::EnvironmentVariable cache("XDG_CACHE_HOME", other.path().string());
  GemmRunner by_kernel(GemmKind::kLibrary, device_);
  const auto floats_by_kernel = run(by_kernel, problem, GemmOut::kFloat);
  EXPECT_EQ(fake_.last_mode(), 0);
  const auto parts_by_kernel = run(by_kernel, problem, GemmOut::kParts);
  for (std::size_t i = 0; i < floats.size(); ++i) {
    EXPECT_NEAR(floats[i], floats_by_kernel[i], std::abs(floats[i]) * 0x1p-21F + 0x1p-21F) << i;
    EXPECT_NEAR(parts[i], parts_by_kernel[i], std::abs(parts[i]) * 0x1p-21F + 0x1p-21F) << i;
  }
}

TEST_F(LibraryCalls, ChooseOnceForARangeOfTokensAndRememberItOnDisk) {
  const Problem problem({true, true, 64, 1, 128, 16}, false);
  const int before = fake_.heuristics();
  {
    GemmRunner runner(GemmKind::kLibrary, device_);
    for (const int tokens : {9, 16, 12}) (void)run(runner, problem, GemmOut::kFloat, tokens);
    EXPECT_EQ(fake_.heuristics(), before + 2);  // by rows and by kernel
    (void)run(runner, problem, GemmOut::kFloat, 3);
    EXPECT_EQ(fake_.heuristics(), before + 4);
  }
  {
    GemmRunner again(GemmKind::kLibrary, device_);
    const int products = fake_.products();
    (void)run(again, problem, GemmOut::kFloat, 16);
    EXPECT_EQ(fake_.heuristics(), before + 4);
    EXPECT_EQ(fake_.products(), products + 1);  // nothing was timed
  }
  // What is remembered and refused now is chosen anew, and so is what cannot be read.
  fake_.refuse(3);
  GemmRunner third(GemmKind::kLibrary, device_);
  (void)run(third, problem, GemmOut::kFloat, 16);
  EXPECT_GT(fake_.heuristics(), before + 4);
  EXPECT_EQ(fake_.last_mode(), 0);
  std::ofstream(folder_.path() / "assay" / "cublaslt.txt") << "key 00ff\n";
  const int calls = fake_.heuristics();
  GemmRunner fourth(GemmKind::kLibrary, device_);
  (void)run(fourth, problem, GemmOut::kFloat, 16);
  EXPECT_GT(fake_.heuristics(), calls);
}

TEST_F(LibraryCalls, ChooseAgainWhereAnAlgorithmRefusesANeighbouringNumberOfTokens) {
  const Problem problem({true, true, 64, 1, 128, 16}, false);
  GemmRunner runner(GemmKind::kLibrary, device_);
  fake_.most_tokens(10);
  const auto few = run(runner, problem, GemmOut::kFloat, 9);
  fake_.most_tokens(0);
  const auto all = run(runner, problem, GemmOut::kFloat, 16);
  const int calls = fake_.heuristics();
  EXPECT_EQ(run(runner, problem, GemmOut::kFloat, 16), all);
  EXPECT_EQ(fake_.heuristics(), calls);
  for (std::size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i], all[i]);
}

TEST_F(LibraryCalls, FastTakesTheOwnKernelWhereTheLibraryHasNone) {
  const Problem problem({true, true, 64, 1, 128, 4}, false);
  fake_.refuse(-2);
  GemmRunner fast(GemmKind::kFast, device_);
  GemmRunner own(GemmKind::kWgmma, device_);
  EXPECT_EQ(run(fast, problem, GemmOut::kFloat), run(own, problem, GemmOut::kFloat));
  GemmRunner library(GemmKind::kLibrary, device_);
  const std::string message =
      assay::test::error_message([&] { (void)run(library, problem, GemmOut::kFloat); });
  EXPECT_NE(message.find("cuBLASLt has no algorithm for host_emulation/130000/64x1x128"),
            std::string::npos)
      << message;
  // Shapes that the library cannot take at all: the kernel's bits.
  fake_.refuse(-1);
  const Problem odd({true, true, 65, 1, 128, 4}, false);
  EXPECT_EQ(run(fast, odd, GemmOut::kFloat), run(own, odd, GemmOut::kFloat));
}

/// A model of the program's own with --fast, from its files to its tokens.
TEST_F(LibraryCalls, AFastModelAgreesWithTheCpuAndSaysWhatItIs) {
  Request request;
  request.prompt.text = "Question: Tom has 3 apples.";
  request.continuations = {" He has 3."};
  const auto answer = [&](const EngineOptions& options, std::string* arithmetic) {
    const auto model = make_generator(options);
    *arithmetic = model->info().arithmetic;
    double logprob = 0;
    model->run({&request, 1}, [&](std::size_t, const Completion& completion) {
      EXPECT_EQ(completion.error, "");
      logprob = completion.continuations.front().logprob;
      return true;
    });
    return logprob;
  };
  EngineOptions options{.model = ASSAY_MINI_MODEL,
                        .device = "cuda",
                        .precision = "fp8",
                        .fast = true,
                        .threads = 1,
                        .max_batch = 2,
                        .max_context = 128};
  std::string arithmetic;
  const double fast = answer(options, &arithmetic);
  EXPECT_EQ(arithmetic, "sm90-fast-exact-1-tp1");
  const int products = fake_.products();
  EXPECT_GT(products, 4 * 4);
  options.device = "cpu";
  options.fast = options.tp_invariant = false;
  const double cpu = answer(options, &arithmetic);
  EXPECT_EQ(arithmetic, "cpu-1-tp1");
  EXPECT_NEAR(fast, cpu, 0.02);
}

#endif

}  // namespace
}  // namespace assay::engine
