// The spawner of sandboxes comes before everything else, as in the program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "evals/sandbox/sandbox_client.h"
#include "tests/evals/sandbox/as_user.h"

int main(int argc, char** argv) {
  assay::evals::own_descriptors();
  if (assay::evals::wants_ordinary_user(argc, argv)) assay::evals::become_ordinary_user();
  assay::evals::start_sandbox_spawner(argc, argv);
  ::testing::InitGoogleMock(&argc, argv);
  return RUN_ALL_TESTS();
}
