#include "engine/generators/http/server_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): setenv

#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

using Variables = std::vector<std::pair<std::string, std::string>>;

/// Sets variables for one test and puts them back.
class ProxyVariables {
 public:
  explicit ProxyVariables(Variables set) {
    for (const char* name : {"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy",
                             "ALL_PROXY", "no_proxy", "NO_PROXY"}) {
      const char* value = getenv(name);
      if (value != nullptr) old_.emplace_back(name, value);
      unsetenv(name);
    }
    for (const auto& [name, value] : set) setenv(name.c_str(), value.c_str(), 1);
    set_ = std::move(set);
  }
  ~ProxyVariables() {
    for (const auto& [name, value] : set_) unsetenv(name.c_str());
    for (const auto& [name, value] : old_) setenv(name.c_str(), value.c_str(), 1);
  }
  ProxyVariables(const ProxyVariables&) = delete;
  ProxyVariables& operator=(const ProxyVariables&) = delete;

 private:
  std::vector<std::pair<std::string, std::string>> set_;
  std::vector<std::pair<std::string, std::string>> old_;
};

TEST(ServerAddressTest, SeveralAreSeparatedByCommas) {
  const auto urls = parse_addresses("http://a:1/v1, https://b/v1/");
  ASSERT_EQ(urls.size(), 2U);
  EXPECT_EQ(urls[0].shown(), "http://a:1/v1");
  EXPECT_EQ(urls[1].shown(), "https://b/v1/");
}

TEST(ServerAddressTest, CredentialsAndQueriesAreRefusedAndNotRepeated) {
  const std::string message =
      test::error_message([] { (void)parse_addresses("https://user:hunter22@host/v1"); });
  EXPECT_THAT(message, HasSubstr("ASSAY_API_KEY"));
  EXPECT_THAT(message, Not(HasSubstr("hunter22")));
  const std::string query =
      test::error_message([] { (void)parse_addresses("https://host/v1?key=hunter22"); });
  EXPECT_THAT(query, HasSubstr("no query"));
  EXPECT_THAT(query, Not(HasSubstr("hunter22")));
}

TEST(ServerAddressTest, TheHeadNamesHostKeyAndPath) {
  const ServerAddress server{.url = parse_url("https://host:8443/v1/"), .key = "sk-1"};
  EXPECT_EQ(server.head("POST", "/completions", "application/json"),
            "POST /v1/completions HTTP/1.1\r\nHost: host:8443\r\nAuthorization: Bearer sk-1\r\n"
            "User-Agent: assay\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n");
  const ServerAddress behind{.url = parse_url("http://host/v1"),
                             .proxy = parse_url("http://me:pw@proxy:3128")};
  EXPECT_THAT(behind.head("GET", "/models", "application/json"),
              HasSubstr("GET http://host/v1/models HTTP/1.1\r\nHost: host\r\n"
                        "Proxy-Authorization: Basic bWU6cHc=\r\n"));
}

TEST(ServerAddressTest, TheProxyComesFromTheEnvironment) {
  const ProxyVariables environment({{"http_proxy", "http://p1:3128"},
                                    {"HTTPS_PROXY", "p2:3129"},
                                    {"no_proxy", "inside.example, .corp.example:80"}});
  EXPECT_EQ(proxy_for(parse_url("http://x.example/v1"))->host, "p1");
  EXPECT_EQ(proxy_for(parse_url("https://x.example/v1"))->host, "p2");
  for (const char* direct :
       {"http://inside.example/v1", "https://a.inside.example/v1", "http://corp.example/v1",
        "http://a.corp.example/v1", "http://localhost:8000/v1", "https://127.0.0.1/v1"}) {
    EXPECT_FALSE(proxy_for(parse_url(direct))) << direct;
  }
  EXPECT_TRUE(proxy_for(parse_url("http://notinside.example/v1")));
}

TEST(ServerAddressTest, TheUpperCaseHttpProxyIsNotRead) {
  const ProxyVariables environment(Variables{{"HTTP_PROXY", "http://p1:3128"}});
  EXPECT_FALSE(proxy_for(parse_url("http://x.example/v1")));
}

TEST(ServerAddressTest, AProxyThatIsReachedByTlsIsRefused) {
  const ProxyVariables environment(Variables{{"https_proxy", "https://p1:3128"}});
  EXPECT_THAT(test::error_message([] { (void)proxy_for(parse_url("https://x.example/v1")); }),
              HasSubstr("not supported"));
}

TEST(ServerAddressTest, AStarBypassesTheProxyForAll) {
  EXPECT_TRUE(bypasses_proxy("a.example,*", "b.example"));
  EXPECT_FALSE(bypasses_proxy("", "b.example"));
  EXPECT_TRUE(bypasses_proxy("*.example", "b.EXAMPLE"));
  EXPECT_FALSE(bypasses_proxy("b.example", "ab.example"));
}

}  // namespace
}  // namespace assay::engine
