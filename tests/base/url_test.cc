#include "base/url.h"

#include <gtest/gtest.h>

#include "base/secret.h"
#include "tests/support/shared_data.h"

namespace assay {
namespace {

TEST(UrlTest, AddressesAreTakenApart) {
  const Url plain = parse_url("http://example.org");
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(plain.host, "example.org");
  EXPECT_EQ(plain.port, "80");
  EXPECT_EQ(plain.target, "/");
  EXPECT_EQ(plain.authority(), "example.org");
  const Url full = parse_url("https://me:pw@Example.org:8443/v1/x?key=1#part");
  EXPECT_TRUE(full.tls);
  EXPECT_EQ(full.credentials, "me:pw");
  EXPECT_EQ(full.target, "/v1/x?key=1");
  EXPECT_EQ(full.shown(), "https://Example.org:8443/v1/x");
  const Url six = parse_url("http://[::1]:80/v1");
  EXPECT_EQ(six.host, "::1");
  EXPECT_EQ(six.authority(), "[::1]");
}

TEST(UrlTest, AnythingElseIsRefused) {
  for (const char* text :
       {"", "ftp://x", "http://", "https://:80/", "http://x:0/", "http://x:65536/", "http://x:1a/",
        "http://x y/", "http://x\n/", "http://x\\y/", "http://[::1/", "http://[::1]x/"}) {
    EXPECT_NE(test::error_message([&] { (void)parse_url(text); }), "") << text;
  }
  EXPECT_NE(test::error_message([] { (void)parse_url("http://" + std::string(5000, 'x')); }), "");
  const std::string message = test::error_message([] { (void)parse_url("http://me:pw@x:0/"); });
  EXPECT_EQ(message.find("pw"), std::string::npos) << message;
}

TEST(UrlTest, LoopbackIsThisMachine) {
  for (const char* host : {"localhost", "LocalHost", "127.0.0.1", "127.1.2.3", "::1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host :
       {"127.0.0.1.example.org", "localhost.example.org", "10.0.0.1", "128.0.0.1"}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

TEST(SecretTest, WhatIsKnownIsTakenOutOfTexts) {
  EXPECT_EQ(without_secrets("nothing is known"), "nothing is known");
  keep_secret("sk-part");
  keep_secret("sk-part-and-more");
  keep_secret("abc");  // too short to be one
  EXPECT_EQ(without_secrets("a sk-part-and-more b sk-part c abc"), "a [secret] b [secret] c abc");
}

}  // namespace
}  // namespace assay
