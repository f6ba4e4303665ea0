#include "engine/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file.h"
#include "tests/support/safetensors_file.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using test::safetensors_bytes;
using ::testing::HasSubstr;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

/// The message for a file with this header and so many bytes of data.
std::string refusal(const std::string& header, std::size_t data_bytes) {
  const std::string file = safetensors_bytes(header, std::string(data_bytes, 'x'));
  return test::error_message([&] { parse_safetensors(as_bytes(file), "f"); });
}

TEST(Safetensors, EntriesGiveTypeShapeAndPlace) {
  const std::string file = safetensors_bytes(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[],"data_offsets":[6,10]},)"
      R"("a":{"dtype":"BF16","shape":[3,1],"data_offsets":[0,6]},)"
      R"("e":{"dtype":"I64","shape":[0,9],"data_offsets":[10,10]}}   )",
      std::string(10, 'x'));
  const SafetensorsHeader header = parse_safetensors(as_bytes(file), "f");
  ASSERT_EQ(header.tensors.size(), 3U);
  EXPECT_EQ(header.metadata.at(0).second, "pt");
  EXPECT_EQ(header.tensors[1].shape, (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(header.tensors[1].begin, header.data_begin);
  EXPECT_EQ(header.tensors[0].end, static_cast<std::int64_t>(file.size()));
}

struct Malformed {
  const char* header;
  std::size_t data;
  const char* reason;
};

// Each rule of the format, broken once.
const Malformed kMalformed[] = {
    {R"([1])", 0, "does not start with"},
    {R"( {})", 0, "does not start with"},
    {R"({"a")", 0, "invalid JSON"},
    {R"({} x)", 0, ""},
    {"{\"a\xff\":1}", 0, ""},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
     2, "stands twice"},
    {R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1, "stands twice"},
    {R"({"a":3})", 0, "is no object"},
    {R"({"__metadata__":[]})", 0, "must be an object"},
    {R"({"__metadata__":{"a":1}})", 0, "must be text"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1}})", 1, "unknown key"},
    {R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1, "no \"dtype\""},
    {R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1, "no \"shape\""},
    {R"({"a":{"dtype":"U8","shape":[1]}})", 1, "no \"data_offsets\""},
    {R"({"a":{"dtype":"U9","shape":[1],"data_offsets":[0,1]}})", 1, "unknown dtype"},
    {R"({"a":{"dtype":8,"shape":[1],"data_offsets":[0,1]}})", 1, "dtype must be a string"},
    {R"({"a":{"dtype":"U8","shape":1,"data_offsets":[0,1]}})", 1, "shape must be a list"},
    {R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}})", 1, "non-negative"},
    {R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1, "non-negative"},
    {R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1, "dimensions"},
    {R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,1]}})", 1,
     "larger than any file"},
    {R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0,
     "larger than any file"},
    {R"({"a":{"dtype":"F32","shape":[4611686018427387904,0],"data_offsets":[0,0]}})", 0,
     "larger than any file"},
    {R"({"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}})", 1, "whole number of bytes"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1, "list of two"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}})", 1, "two non-negative"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1, "run backwards"},
    {R"({"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}})", 8, "download is not complete"},
    {R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,1]}})", 1,
     "non-negative"},
    {R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4, "which take 8"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})", 2, "leave a gap"},
    {R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
     3, "overlap"},
    {R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 2, "1 bytes follow"},
    {R"({})", 5, "5 bytes follow"},
};

TEST(Safetensors, EveryBrokenRuleIsNamed) {
  for (const Malformed& malformed : kMalformed) {
    const std::string message = refusal(malformed.header, malformed.data);
    EXPECT_NE(message, "") << malformed.header;
    EXPECT_THAT(message, HasSubstr(malformed.reason)) << malformed.header;
    EXPECT_LT(message.size(), 4096U);
  }
}

TEST(Safetensors, HeaderLengthsOutOfRangeAreRefused) {
  const auto message = [](std::string file) {
    return test::error_message([&] { parse_safetensors(as_bytes(file), "f"); });
  };
  EXPECT_THAT(message(std::string(7, '\0')), HasSubstr("7 bytes"));
  EXPECT_THAT(message(std::string(9, '\0')), HasSubstr("header length 0"));
  EXPECT_THAT(message(std::string("\x01\0\0\0\0\0\0\0{", 9)), HasSubstr("header length 1"));
  EXPECT_THAT(message(std::string("\x10\0\0\0\0\0\0\0{}", 10)), HasSubstr("does not fit"));
  EXPECT_THAT(message(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10)),
              HasSubstr("is not between"));
}

TEST(Safetensors, FrequentMistakesGetTheirOwnWords) {
  const auto message = [](const std::string& file) {
    return test::error_message([&] { parse_safetensors(as_bytes(file), "f"); });
  };
  EXPECT_THAT(message("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(message("<!DOCTYPE html><html>"), HasSubstr("web page"));
  EXPECT_THAT(message(std::string("PK\x03\x04\0\0\0\0\0\0\0\0", 12)), HasSubstr("pickle"));
  EXPECT_THAT(message("\x80\x02}q\x01(X\x05hello"), HasSubstr("pickle"));
  EXPECT_THAT(message(std::string("GGUF\x03\0\0\0\0\0\0\0", 12)), HasSubstr("GGUF"));
  EXPECT_THAT(message("\x1f\x8b\x08 compressed"), HasSubstr("gunzip"));
}

TEST(Safetensors, AHeaderLengthThatLooksLikeAnotherFormatIsRead) {
  for (const std::size_t length : {0x8b1fU, 0x0280U}) {
    std::string header = "{}";
    header.resize(length, ' ');
    const std::string file = safetensors_bytes(header, "");
    EXPECT_EQ(parse_safetensors(as_bytes(file), "f").tensors.size(), 0U);
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  ASSAY_SHARED_OR_SKIP(path, "models/stories260K/model.safetensors");
  const std::string file = read_file(path);
  const std::size_t header = parse_safetensors(as_bytes(file), "f").data_begin;
  for (std::size_t cut = 0; cut < file.size(); cut += cut < header + 64 ? 37 : 9973) {
    EXPECT_NE(test::error_message([&] { parse_safetensors(as_bytes(file).first(cut), "f"); }), "")
        << cut;
  }
}

}  // namespace
}  // namespace assay::engine
