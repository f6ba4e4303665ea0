// NCCL's calls, against a stand-in for the library (fake_nccl.cc); the real one needs GPUs.
#include "engine/parallel/nccl.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "base/error.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

/// The library is looked for once in a process, so every test has the stand-in.
const bool kChosen = ::setenv("ASSAY_NCCL", ASSAY_FAKE_NCCL, 1) == 0;

template <typename Body>
void on_ranks(int size, const Body& body) {
  const std::string id = nccl_unique_id();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      NcclCommunicator communicator(id, size, rank);
      body(communicator);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(Nccl, IsFoundWithItsVersion) {
  ASSERT_TRUE(kChosen);
  EXPECT_EQ(nccl_report().problem, "");
  EXPECT_EQ(nccl_report().version, "2.28.3");
}

TEST(Nccl, SumsAndGathersOverRanks) {
  for (const int size : {1, 2, 4, 8}) {
    on_ranks(size, [&](NcclCommunicator& communicator) {
      EXPECT_EQ(communicator.size(), size);
      std::vector<float> data = {1, static_cast<float>(communicator.rank())};
      communicator.all_reduce_sum(nullptr, data.data(), 2);
      EXPECT_EQ(data, (std::vector<float>{static_cast<float>(size),
                                          static_cast<float>(size * (size - 1) / 2)}));
      const auto own = static_cast<float>(communicator.rank());
      std::vector<float> all(static_cast<std::size_t>(size));
      communicator.all_gather(nullptr, &own, 1, all.data());
      for (int r = 0; r < size; ++r) EXPECT_EQ(all[static_cast<std::size_t>(r)], r);
      std::vector<float> parts;
      for (int p = 0; p < size; ++p) parts.push_back(own * 10 + static_cast<float>(p));
      communicator.all_to_all(nullptr, parts.data(), 1, all.data());
      for (int r = 0; r < size; ++r) {
        EXPECT_EQ(all[static_cast<std::size_t>(r)], static_cast<float>(r) * 10 + own);
      }
      communicator.check();
    });
  }
}

TEST(Nccl, ALostRankIsReportedAndTheGroupGivenUp) {
  on_ranks(2, [](NcclCommunicator& communicator) {
    std::vector<float> data(13);  // the stand-in's sign to fail
    communicator.all_reduce_sum(nullptr, data.data(), 13);
    EXPECT_NE(test::error_message([&] { communicator.check(); }).find("remote error"),
              std::string::npos);
    communicator.abort();
    communicator.abort();
    EXPECT_NE(test::error_message([&] { communicator.check(); }).find("given up"),
              std::string::npos);
  });
}

TEST(Nccl, ANameOfAnotherLengthIsRefused) { EXPECT_THROW(NcclCommunicator("short", 1, 0), Error); }

}  // namespace
}  // namespace assay::engine
