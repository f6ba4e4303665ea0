// The spawner of sandboxes comes before everything else, as in the program.
#include <gtest/gtest.h>

#include "evals/sandbox/sandbox_client.h"

int main(int argc, char** argv) {
  // Its arguments are not blanked: nothing secret is in them.
  assay::evals::start_sandbox_spawner(0, argv);
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
