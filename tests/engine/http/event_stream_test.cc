#include "engine/generators/http/event_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "engine/generators/http/fault.h"

namespace assay::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// Events of a text that comes in pieces of `piece` bytes.
std::vector<std::string> events_of(std::string_view text, std::size_t piece) {
  std::vector<std::string> out;
  EventStream stream(1 << 16);
  for (std::size_t at = 0; at < text.size(); at += piece) {
    stream.feed(text.substr(at, piece), [&](std::string_view data) { out.emplace_back(data); });
  }
  return out;
}

// Line ends, comments, other fields, several data lines, no blank after the colon.
TEST(EventStreamTest, FieldsAreReadAsTheStandardSays) {
  EXPECT_THAT(events_of("data: a\n\ndata:b\n\n", 99), ElementsAre("a", "b"));
  EXPECT_THAT(events_of("data: a\r\n\r\ndata: b\r\rdata: c\n\n", 99), ElementsAre("a", "b", "c"));
  EXPECT_THAT(events_of(": hold\nevent: x\nid: 3\ndata: a\nretry: 1\ndata: b\n\n", 99),
              ElementsAre("a\nb"));
  EXPECT_THAT(events_of("data\n\ndata:  two blanks\n\n", 99), ElementsAre("", " two blanks"));
  EXPECT_THAT(events_of("\xef\xbb\xbf"
                        "data: mark\n\n",
                        99),
              ElementsAre("mark"));
  EXPECT_THAT(events_of("data: never ended\n", 99), IsEmpty());
  EXPECT_THAT(events_of("datax: a\n\n\n\n", 99), IsEmpty());
}

TEST(EventStreamTest, PiecesOfAnySizeGiveTheSameEvents) {
  const std::string text =
      "\xef\xbb\xbf"
      ": c\r\ndata: gr\xc3\xbc\xc3\x9f\r\ndata: dich\r\n\r\ndata: {\"a\": 1}\n\nevent: e\ndata: "
      "x\r\r";
  const auto whole = events_of(text, text.size());
  EXPECT_THAT(whole, ElementsAre("gr\xc3\xbc\xc3\x9f\ndich", "{\"a\": 1}", "x"));
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    EXPECT_EQ(events_of(text, piece), whole) << piece;
  }
}

TEST(EventStreamTest, RandomBytesNeitherCrashNorDependOnTheirPieces) {
  SplitMix64 random(7);
  constexpr std::string_view kAlphabet = "data: \r\n:x\xc3";
  for (int round = 0; round < 300; ++round) {
    std::string text;
    for (int i = 0; i < 60; ++i) text += kAlphabet[random.below(kAlphabet.size())];
    EXPECT_EQ(events_of(text, 1), events_of(text, 1 + random.below(20)));
  }
}

TEST(EventStreamTest, AnEventBeyondTheLimitIsAFault) {
  const auto nothing = [](std::string_view) {};
  EventStream line(100);
  EXPECT_THROW(line.feed("data: " + std::string(100, 'x'), nothing), Fault);
  EventStream lines(100);
  EXPECT_THROW(
      {
        for (int i = 0; i < 20; ++i) lines.feed("data: 0123456789\n", nothing);
      },
      Fault);
  EventStream many(100);
  for (int i = 0; i < 1000; ++i) many.feed("data: 0123456789\n\n", nothing);
}

}  // namespace
}  // namespace assay::engine
