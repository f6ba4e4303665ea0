// Processes of a job over loopback. Here they are threads of one process, each with its own end:
// nothing of a group is shared. Real processes are in tests/e2e/distributed_test.py.
#include "engine/parallel/process_group.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "engine/parallel/communicator.h"
#include "engine/parallel/remote_steps.h"
#include "engine/parallel/tree_sum.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

/// A port of this machine that nobody listens at, below those that clients get.
std::uint16_t free_port() {
  std::random_device random;
  for (;;) {
    const auto port = static_cast<std::uint16_t>(10'000 + random() % 20'000);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    const int code = ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    ::close(fd);
    if (code == 0) return port;
  }
}

GroupOptions quick() {
  GroupOptions out;
  out.build = "test";
  out.join = std::chrono::milliseconds(20'000);
  out.watchdog.interval = std::chrono::milliseconds(50);
  return out;
}

Launch launch_of(int rank, int size, std::uint16_t port) {
  return {.launcher = "test", .rank = rank, .size = size, .host = "127.0.0.1", .port = port};
}

/// Runs body(group) in `size` processes; the messages of errors, by rank.
std::vector<std::string> on_processes(int size, const std::function<void(ProcessGroup&)>& body) {
  const std::uint16_t port = free_port();
  std::vector<std::string> errors(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      errors[static_cast<std::size_t>(rank)] = test::error_message([&] {
        const auto group = ProcessGroup::join(launch_of(rank, size, port), quick());
        body(*group);
        if (rank == 0) return group->finish(0, "");
        (void)group->broadcast("");  // until the end
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  return errors;
}

std::vector<std::vector<float>> random_parts(int size, std::int64_t count) {
  SplitMix64 random(7);
  std::vector<std::vector<float>> parts(static_cast<std::size_t>(size));
  for (auto& part : parts) {
    for (std::int64_t i = 0; i < count; ++i) {
      part.push_back(static_cast<float>(random.uniform() - 0.5));
    }
  }
  return parts;
}

std::vector<float> sum_of(const std::vector<std::vector<float>>& parts) {
  std::vector<const float*> data;
  for (const auto& part : parts) data.push_back(part.data());
  std::vector<float> out;
  for (std::size_t i = 0; i < parts[0].size(); ++i) {
    out.push_back(tree_sum(data, static_cast<std::int64_t>(i)));
  }
  return out;
}

/// The same bits as ranks that are threads, whatever the length.
TEST(ProcessGroup, SumsAsATreeOverRanks) {
  for (const int size : {2, 4, 8}) {
    const auto parts = random_parts(size, 1003);
    const std::vector<float> expected = sum_of(parts);
    on_processes(size, [&](ProcessGroup& group) {
      ProcessCommunicator communicator(group);
      for (const std::int64_t count : {1003, 1, 517}) {
        std::vector<float> data = parts[static_cast<std::size_t>(group.rank())];
        communicator.all_reduce_sum(data.data(), count);
        data.resize(static_cast<std::size_t>(count));
        EXPECT_EQ(data, std::vector<float>(expected.begin(), expected.begin() + count));
      }
      communicator.barrier();
    });
  }
}

TEST(ProcessGroup, GathersAndBroadcasts) {
  on_processes(4, [](ProcessGroup& group) {
    ProcessCommunicator communicator(group);
    const float part[2] = {static_cast<float>(group.rank()), 0.5F};
    const std::vector<float> expected = {0, 0.5F, 1, 0.5F, 2, 0.5F, 3, 0.5F};
    std::vector<float> all(8);
    communicator.all_gather(part, 2, all.data());
    EXPECT_EQ(all, expected);
    std::vector<float> first(8);
    communicator.gather(part, 2, first.data());
    EXPECT_EQ(first, group.rank() == 0 ? expected : std::vector<float>(8));
    const std::string big(3 << 20, 'x');
    EXPECT_EQ(group.broadcast(group.rank() == 0 ? big : "ignored"), big);
    const auto texts = group.gather("from " + std::to_string(group.rank()));
    if (group.rank() == 0) {
      EXPECT_EQ(texts, (std::vector<std::string>{"from 0", "from 1", "from 2", "from 3"}));
    }
    EXPECT_EQ(group.local_size(), 4);
    EXPECT_EQ(group.local_rank(), group.rank());
  });
}

/// Ranks of one process are neighbours in the tree: 2 x 4 and 4 x 2 give the bits of 8 threads.
TEST(ProcessGroup, ProcessesOfSeveralRanksSumInTheSameOrder) {
  constexpr std::int64_t kCount = 301;
  const auto parts = random_parts(8, kCount);
  const std::vector<float> expected = sum_of(parts);
  for (const int processes : {2, 4}) {
    const int here = 8 / processes;
    on_processes(processes, [&](ProcessGroup& group) {
      ProcessCommunicator outer(group);
      ThreadGroup inner(here, kCount, &outer);
      std::vector<std::thread> threads;
      for (int local = 0; local < here; ++local) {
        threads.emplace_back([&, local] {
          ThreadCommunicator communicator(inner, local);
          EXPECT_EQ(communicator.rank(), group.rank() * here + local);
          EXPECT_EQ(communicator.size(), 8);
          std::vector<float> data = parts[static_cast<std::size_t>(communicator.rank())];
          communicator.all_reduce_sum(data.data(), kCount);
          EXPECT_EQ(data, expected);
          const auto own = static_cast<float>(communicator.rank());
          std::vector<float> all(8);
          communicator.all_gather(&own, 1, all.data());
          EXPECT_EQ(all, (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
          std::vector<float> first(8);
          communicator.gather(&own, 1, first.data());
          if (communicator.rank() == 0) {
            EXPECT_EQ(first, all);
          }
          communicator.barrier();
        });
      }
      for (std::thread& thread : threads) thread.join();
    });
  }
}

TEST(ProcessGroup, AFailureReachesRank0WithItsReasonAndTheOthersAsTheEnd) {
  const auto errors = on_processes(4, [](ProcessGroup& group) {
    if (group.rank() == 2) {
      group.report_failure("no more memory");
      throw_environment("no more memory");
    }
    try {
      (void)group.gather("here");
      if (group.rank() != 0) (void)group.broadcast("");
    } catch (const GroupEnded& end) {
      EXPECT_EQ(end.code(), 6);
      throw;
    } catch (const Error& error) {
      group.finish(6, error.what());
      throw;
    }
  });
  EXPECT_NE(errors[0].find("rank 2 ("), std::string::npos) << errors[0];
  EXPECT_NE(errors[0].find("failed: no more memory"), std::string::npos) << errors[0];
  EXPECT_NE(errors[1].find("rank 2 ("), std::string::npos) << errors[1];
}

TEST(ProcessGroup, AProcessThatGoesAwayIsNamed) {
  const auto errors = on_processes(2, [](ProcessGroup& group) {
    if (group.rank() == 1) throw_environment("gone");
    (void)group.gather("");
  });
  EXPECT_NE(errors[0].find("rank 1 ("), std::string::npos) << errors[0];
  EXPECT_NE(errors[0].find("is lost"), std::string::npos) << errors[0];
}

TEST(ProcessGroup, RanksThatDoNotComeAreNamed) {
  const std::uint16_t port = free_port();
  GroupOptions options = quick();
  options.join = std::chrono::milliseconds(400);
  std::string other;
  std::thread rank2([&] {
    other = test::error_message([&] { ProcessGroup::join(launch_of(2, 4, port), options); });
  });
  const std::string own =
      test::error_message([&] { ProcessGroup::join(launch_of(0, 4, port), options); });
  rank2.join();
  EXPECT_NE(own.find("ranks 1, 3 of 4 did not come"), std::string::npos) << own;
  // It hears so from rank 0, or came too late.
  EXPECT_TRUE(other == own || other.find("found no rank 0") != std::string::npos) << other;
}

TEST(ProcessGroup, AnotherTokenBuildOrSizeIsRefused) {
  struct Case {
    std::function<void(Launch&, GroupOptions&)> change;
    const char* words;
  };
  const Case cases[] = {
      {[](Launch&, GroupOptions& o) { o.token = "wrong"; }, "ASSAY_TOKEN"},
      {[](Launch&, GroupOptions& o) { o.build = "other"; }, "another build"},
      {[](Launch& l, GroupOptions&) { l.size = 4; }, "one of 4"},
  };
  for (const Case& one : cases) {
    const std::uint16_t port = free_port();
    GroupOptions options = quick();
    options.token = "right";
    std::string leader;
    GroupOptions short_options = options;
    short_options.join = std::chrono::milliseconds(1500);
    std::thread rank0([&] {
      leader =
          test::error_message([&] { ProcessGroup::join(launch_of(0, 2, port), short_options); });
    });
    Launch launch = launch_of(1, 2, port);
    one.change(launch, options);
    const std::string message = test::error_message([&] { ProcessGroup::join(launch, options); });
    rank0.join();
    EXPECT_NE(message.find(one.words), std::string::npos) << message;
    EXPECT_NE(leader.find("rank 1 of 2 did not come"), std::string::npos) << leader;
    EXPECT_NE(leader.find(one.words), std::string::npos) << leader;
  }
}

TEST(ProcessGroup, StrangersDoNotDisturb) {
  const std::uint16_t port = free_port();
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&, rank] {
      if (rank == 1) std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const auto group = ProcessGroup::join(launch_of(rank, 2, port), quick());
      float one = 1;
      group->all_reduce_sum(&one, 1);
      EXPECT_EQ(one, 2);
      if (rank == 0) {
        group->finish(0, "");
      } else {
        EXPECT_THROW(group->broadcast(""), GroupEnded);
      }
    });
  }
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (const std::string& text : {std::string("GET / HTTP/1.1\r\n\r\n"), std::string(100, '\xff'),
                                  std::string("\x05\0\0\0{\"a\":", 9)}) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
      (void)!::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    }
    ::close(fd);
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ProcessGroup, BeyondLoopbackATokenIsNeeded) {
  Launch launch = launch_of(0, 2, free_port());
  launch.host = "0.0.0.0";
  const std::string message = test::error_message([&] { ProcessGroup::join(launch, quick()); });
  EXPECT_NE(message.find("ASSAY_TOKEN"), std::string::npos) << message;
}

TEST(RemoteSteps, ABatchTravelsWholeAndDamagedBytesAreRefused) {
  const std::vector<std::int32_t> pages = {4, 9};
  Batch batch;
  batch.ids = {1, 2, 3};
  batch.positions = {7, 8, 0};
  batch.sequences = {{.first_row = 0, .rows = 2, .first_position = 7, .pages = pages},
                     {.first_row = 2, .rows = 1, .first_position = 0, .pages = pages}};
  batch.queries = {{.row = 1}, {.row = 2}};
  const std::string bytes = encode_batch(batch);
  const ReceivedBatch back = decode_batch(bytes);
  EXPECT_EQ(back.batch.ids, batch.ids);
  EXPECT_EQ(back.batch.positions, batch.positions);
  ASSERT_EQ(back.batch.sequences.size(), 2U);
  EXPECT_EQ(back.batch.sequences[1].first_row, 2);
  EXPECT_EQ(std::vector<std::int32_t>(back.batch.sequences[1].pages.begin(),
                                      back.batch.sequences[1].pages.end()),
            pages);
  EXPECT_EQ(back.batch.queries[1].row, 2);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(decode_batch(bytes.substr(0, size)), Error) << size;
  }
  EXPECT_THROW(decode_batch(bytes + "x"), Error);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x40);
    try {
      (void)decode_batch(damaged);  // another number, or refused: never read beyond its end
    } catch (const Error&) {
    }
  }
}

}  // namespace
}  // namespace assay::engine
