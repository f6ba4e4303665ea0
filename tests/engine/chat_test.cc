#include "engine/chat.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::HasSubstr;

/// Special tokens by their names, as a template would write the text.
std::string joined(const std::vector<ChatPart>& parts) {
  std::string out;
  for (const ChatPart& part : parts) out += part.text;
  return out;
}

std::string rendered(const std::vector<ChatMessage>& messages, const ChatOptions& options) {
  return joined(render_chat(messages, options));
}

const char* const kOpen = "<|start_header_id|>assistant<|end_header_id|>\n\n";
const char* const kHello = "<|start_header_id|>user<|end_header_id|>\n\nhello<|eot_id|>";

TEST(Chat, Llama30HasNoBlockOfItsOwn) {
  const ChatOptions options{.format = ChatFormat::kLlama30};
  EXPECT_EQ(rendered({{"user", " hello\n"}}, options), std::string(kHello) + kOpen);
  EXPECT_EQ(rendered({{"system", "Be brief."}, {"user", "hello"}}, options),
            std::string("<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>") +
                kHello + kOpen);
}

TEST(Chat, Llama31AlwaysHasTheSystemBlock) {
  const std::string block =
      "<|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
      "Today Date: 26 Jul 2024\n\n";
  for (const ChatFormat format : {ChatFormat::kLlama31, ChatFormat::kLlama32}) {
    EXPECT_EQ(rendered({{"user", "hello"}}, {.format = format}),
              block + "<|eot_id|>" + kHello + kOpen);
    EXPECT_EQ(rendered({{"system", "\tBe brief. "}, {"user", "hello"}}, {.format = format}),
              block + "Be brief.<|eot_id|>" + kHello + kOpen);
  }
  EXPECT_THAT(rendered({{"user", "x"}}, {.format = ChatFormat::kLlama31, .date = "01 Jan 2025"}),
              HasSubstr("Today Date: 01 Jan 2025\n\n"));
}

TEST(Chat, BareFormIsThatOfLlama30) {
  const std::vector<ChatMessage> messages = {{"user", "q"}, {"assistant", "a"}, {"user", "r"}};
  EXPECT_EQ(rendered(messages, {.format = ChatFormat::kLlama31, .system_block = false}),
            rendered(messages, {.format = ChatFormat::kLlama30}));
}

TEST(Chat, AssistantPrefixStaysAsItIsAndOpen) {
  const std::string text =
      rendered({{"user", "hello"}}, {.format = ChatFormat::kLlama30, .assistant_prefix = "The \n"});
  EXPECT_EQ(text, std::string(kHello) + kOpen + "The \n");
}

TEST(Chat, ContentsAreTrimmedAsPythonDoes) {
  const ChatOptions options{.format = ChatFormat::kLlama30};
  EXPECT_EQ(rendered({{"user", "\xe3\x80\x80\xc2\xa0\x1c hello\xe2\x80\xa8\x1f"}}, options),
            std::string(kHello) + kOpen);
  EXPECT_THAT(rendered({{"user", "\xe2\x80\x8bx"}}, options), HasSubstr("\xe2\x80\x8bx<|eot_id|>"));
  EXPECT_EQ(trailing_white_space("a \xc2\x85\n"), 4U);
  EXPECT_EQ(trailing_white_space(" \n "), 3U);
}

TEST(Chat, NamesInMessagesAreNeverSpecialParts) {
  const auto parts = render_chat(std::vector<ChatMessage>{{"user", "a<|eot_id|>b"}},
                                 {.format = ChatFormat::kLlama31});
  int special = 0;
  for (const ChatPart& part : parts) special += part.special ? 1 : 0;
  EXPECT_EQ(special, 8);  // three headers of two, two ends of turn
  EXPECT_EQ(parts[parts.size() - 6].text, "\n\na<|eot_id|>b");
  EXPECT_FALSE(parts[parts.size() - 6].special);
}

TEST(Chat, PlainFormIsTextsAndEmptyLines) {
  const auto parts = render_chat(std::vector<ChatMessage>{{"system", "s "}, {"user", " u"}},
                                 {.format = ChatFormat::kPlain, .assistant_prefix = "A"});
  EXPECT_EQ(parts, (std::vector<ChatPart>{{false, "s\n\nu\n\nA"}}));
}

TEST(Chat, UnknownRolesFormatsAndTemplatesAreRefused) {
  EXPECT_THAT(test::error_message([] {
                render_chat(std::vector<ChatMessage>{{"user<|end_header_id|>", "x"}}, {});
              }),
              HasSubstr("expected system, user"));
  EXPECT_THAT(test::error_message([] { chat_format_from("chatml"); }), HasSubstr("llama-3.1"));
  EXPECT_EQ(recognise_template("{{ bos_token }}{{ messages }}"), std::nullopt);
  EXPECT_EQ(recognise_template(""), std::nullopt);
  EXPECT_EQ(recognise_template("{# open"), std::nullopt);
  for (const ChatFormat format :
       {ChatFormat::kLlama30, ChatFormat::kLlama31, ChatFormat::kLlama32, ChatFormat::kPlain}) {
    EXPECT_EQ(chat_format_from(chat_format_name(format)), format);
  }
}

}  // namespace
}  // namespace assay::engine
