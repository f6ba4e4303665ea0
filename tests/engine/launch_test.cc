// Each launcher's variables, as its documentation has them, and the mistakes that happen with them.
#include "engine/parallel/launch.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "base/error.h"
#include "engine/parallel/process_group.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using Variables = std::map<std::string, std::string>;

Environment environment(const Variables& variables) {
  return [&variables](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  };
}

std::optional<Launch> launch(const Variables& variables, std::string_view launcher = "auto") {
  return read_launch(environment(variables), launcher);
}

const Variables kTorchrun = {{"RANK", "3"},
                             {"WORLD_SIZE", "4"},
                             {"LOCAL_RANK", "1"},
                             {"LOCAL_WORLD_SIZE", "2"},
                             {"MASTER_ADDR", "node1"},
                             {"MASTER_PORT", "29400"}};
const Variables kSlurm = {{"SLURM_JOB_ID", "4711"},     {"SLURM_STEP_ID", "0"},
                          {"SLURM_PROCID", "1"},        {"SLURM_NTASKS", "2"},
                          {"SLURM_LOCALID", "0"},       {"SLURM_NODELIST", "gpu[007-008]"},
                          {"SLURM_STEP_NUM_TASKS", "2"}};
const Variables kOpenMpi = {{"OMPI_COMM_WORLD_RANK", "1"},
                            {"OMPI_COMM_WORLD_SIZE", "2"},
                            {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                            {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                            {"PMIX_NAMESPACE", "prterun-1@1"}};

TEST(Launch, NoVariablesMeanOneProcess) {
  EXPECT_FALSE(launch({}));
  EXPECT_FALSE(launch({{"RANK", "0"}}));  // a name that others use too
  EXPECT_FALSE(launch({{"SLURM_JOB_ID", "1"}}));
  EXPECT_FALSE(launch({{"SLURM_PROCID", "0"}, {"SLURM_NTASKS", "1"}}));  // a task of an array
  EXPECT_FALSE(launch(kTorchrun, "none"));
}

TEST(Launch, Torchrun) {
  const auto found = launch(kTorchrun);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->launcher, "torchrun");
  EXPECT_EQ(found->rank, 3);
  EXPECT_EQ(found->size, 4);
  EXPECT_EQ(found->local_rank, 1);
  EXPECT_EQ(found->host, "node1");
  EXPECT_EQ(found->port, 29'400);
  Variables agent = kTorchrun;
  agent["TORCHELASTIC_USE_AGENT_STORE"] = "True";  // its own store has the port
  EXPECT_EQ(launch(agent)->port, 29'401);
}

TEST(Launch, SlurmOverNodes) {
  const auto found = launch(kSlurm);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->launcher, "slurm");
  EXPECT_EQ(found->rank, 1);
  EXPECT_EQ(found->size, 2);
  EXPECT_EQ(found->host, "gpu007");
  EXPECT_GE(found->port, 20'000);
  EXPECT_LT(found->port, 30'000);
  EXPECT_EQ(found->hint, "");
  Variables other = kSlurm;
  other["SLURM_STEP_ID"] = "1";
  EXPECT_NE(launch(other)->port, found->port);
}

TEST(Launch, SlurmOnOneNodeStaysOnTheLoopbackAddress) {
  Variables one = kSlurm;
  one["SLURM_NODELIST"] = "gpu007";
  EXPECT_EQ(launch(one)->host, "127.0.0.1");
}

TEST(Launch, ABatchScriptThatForgotSrunIsToldSo) {
  Variables batch = kSlurm;
  batch.erase("SLURM_STEP_ID");
  batch.erase("SLURM_STEP_NUM_TASKS");
  EXPECT_NE(launch(batch)->hint.find("srun"), std::string::npos);
}

TEST(Launch, MpiWithoutAndWithSlurm) {
  const auto found = launch(kOpenMpi);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->launcher, "mpi");
  EXPECT_EQ(found->rank, 1);
  EXPECT_EQ(found->host, "127.0.0.1");
  Variables with_slurm = kSlurm;
  with_slurm.insert({{"PMI_RANK", "0"}, {"PMI_SIZE", "2"}});
  EXPECT_EQ(launch(with_slurm)->launcher, "mpi");
  EXPECT_EQ(launch(with_slurm)->rank, 0);
  EXPECT_EQ(launch(with_slurm)->host, "gpu007");
  EXPECT_EQ(launch(with_slurm, "slurm")->rank, 1);
}

TEST(Launch, MpiOverNodesNeedsToBeToldWhereRank0Is) {
  Variables nodes = kOpenMpi;
  nodes["OMPI_COMM_WORLD_LOCAL_SIZE"] = "1";
  EXPECT_NE(test::error_message([&] { launch(nodes); }).find("ASSAY_MASTER"), std::string::npos);
  nodes["ASSAY_MASTER"] = "[fe80::1]:5000";
  EXPECT_EQ(launch(nodes)->host, "fe80::1");
  EXPECT_EQ(launch(nodes)->port, 5000);
}

TEST(Launch, ByHand) {
  const auto found =
      launch({{"ASSAY_RANK", "0"}, {"ASSAY_WORLD_SIZE", "2"}, {"ASSAY_MASTER", "a.b:7"}});
  EXPECT_EQ(found->host, "a.b");
  EXPECT_EQ(found->port, 7);
}

TEST(Launch, MistakesNameTheVariable) {
  const auto message = [](Variables variables, const std::string& name, const std::string& value) {
    variables[name] = value;
    return test::error_message([&] { launch(variables); });
  };
  EXPECT_NE(message(kTorchrun, "RANK", "4").find("RANK=4"), std::string::npos);
  EXPECT_NE(message(kTorchrun, "RANK", "x\n").find("RANK=x\\n"), std::string::npos);
  EXPECT_NE(message(kTorchrun, "MASTER_PORT", "70000").find("MASTER_PORT=70000"),
            std::string::npos);
  EXPECT_NE(message(kTorchrun, "ASSAY_MASTER", "nohost").find("ASSAY_MASTER=nohost"),
            std::string::npos);
  Variables lost = kTorchrun;
  lost.erase("MASTER_ADDR");
  EXPECT_NE(test::error_message([&] { launch(lost); }).find("MASTER_ADDR"), std::string::npos);
  EXPECT_NE(test::error_message([&] { launch({}, "slurm"); }).find("slurm"), std::string::npos);
  EXPECT_NE(test::error_message([&] { launch({}, "pbs"); }).find("known are"), std::string::npos);
}

TEST(Launch, FirstHostOfSlurmsNodeLists) {
  const std::pair<const char*, const char*> cases[] = {{"node1", "node1"},
                                                       {"node1,node2", "node1"},
                                                       {"gpu[007-009,12],login1", "gpu007"},
                                                       {"gpu[3,5]", "gpu3"},
                                                       {"r[1-2]n[05-08]-ib,x", "r1n05-ib"},
                                                       {"a-b-[2-3]", "a-b-2"},
                                                       {"", ""}};
  for (const auto& [list, host] : cases) EXPECT_EQ(first_host(list), host) << list;
}

TEST(GroupOptions, TokenAndLimitsComeFromTheEnvironment) {
  const test::TemporaryFolder folder;
  const std::string file = folder.path() / "token";
  std::ofstream(file) << "  geheim \nmore\n";
  const Variables variables = {{"ASSAY_TOKEN_FILE", file}, {"ASSAY_JOIN_SECONDS", "7"}};
  const GroupOptions options = group_options(environment(variables), "b");
  EXPECT_EQ(options.token, "geheim");
  EXPECT_EQ(options.join.count(), 7000);
  const Variables bad = {{"ASSAY_JOIN_SECONDS", "0"}};
  EXPECT_NE(test::error_message([&] {
              group_options(environment(bad), "");
            }).find("ASSAY_JOIN_SECONDS=0"),
            std::string::npos);
}

}  // namespace
}  // namespace assay::engine
