#include "base/digest.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

// Vectors of FIPS 180-4.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Sha256, FieldsAreNotConfusedWhenTextMovesBetweenThem) {
  Sha256 a;
  a.update_field("ab");
  a.update_field("c");
  Sha256 b;
  b.update_field("a");
  b.update_field("bc");
  EXPECT_NE(a.hex(), b.hex());
}

}  // namespace
}  // namespace assay
