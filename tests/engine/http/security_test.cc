// Whom the client talks to, and what it tells them: certificates, proxies, keys.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "base/error.h"
#include "base/file.h"
#include "engine/generators/http/http.h"
#include "tests/support/environment_variable.h"
#include "tests/support/scripted_model.h"
#include "tests/support/shared_data.h"

namespace assay::engine {
namespace {

using std::chrono::milliseconds;
using test::EnvironmentVariable;
using test::ScriptedExchange;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kKey = "sk-marker-0123456789";

EngineOptions options_for(const std::string& model) {
  EngineOptions options;
  options.model = model;
  options.http.first_wait = milliseconds{1};
  return options;
}

Completion ask(const EngineOptions& options, const std::string& prompt = "hello") {
  const auto model = make_http_generator(options);
  std::vector<Request> requests(1);
  requests[0].prompt.text = prompt;
  Completion out;
  model->run(requests, [&](std::size_t, Completion completion) {
    out = std::move(completion);
    return true;
  });
  return out;
}

std::string refusal_of(const EngineOptions& options) {
  return test::error_message([&] { (void)ask(options); });
}

class TlsTest : public ::testing::Test {
 protected:
  /// A server with such a certificate, which the client trusts.
  EngineOptions serve(const std::string& host, int from_days = -1, int to_days = 2) {
    const auto certificate = test::make_certificate(host, from_days, to_days);
    server_ = std::make_unique<ScriptedServer>(
        test::serve_scripted_model,
        ScriptedServer::Options{.certificate = certificate.certificate, .key = certificate.key});
    EngineOptions options = options_for(server_->url());
    options.http.ca_file = (folder_.path() / "roots.pem").string();
    write_file_atomic(options.http.ca_file, certificate.certificate);
    return options;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<ScriptedServer> server_;
};

TEST_F(TlsTest, ATrustedCertificateOfTheRightNameIsAccepted) {
  EXPECT_EQ(ask(serve("localhost")).text, "answer to hello");
}

TEST_F(TlsTest, AnAddressIsCheckedAsAnAddress) {
  EngineOptions options = serve("127.0.0.1");
  EXPECT_THAT(refusal_of(options), HasSubstr("certificate does not verify"));
  options.model = "https://127.0.0.1:" + std::to_string(server_->port()) + "/v1";
  EXPECT_EQ(ask(options).text, "answer to hello");
}

TEST_F(TlsTest, ASelfSignedCertificateIsRefused) {
  EngineOptions options = serve("localhost");
  options.http.ca_file.clear();
  EXPECT_THAT(refusal_of(options), AllOf(HasSubstr("does not verify"), HasSubstr("self-signed")));
}

TEST_F(TlsTest, AnotherHostsCertificateIsRefused) {
  EXPECT_THAT(refusal_of(serve("elsewhere.example")), HasSubstr("ostname mismatch"));
}

TEST_F(TlsTest, AnExpiredCertificateIsRefused) {
  EXPECT_THAT(refusal_of(serve("localhost", -9, -2)), HasSubstr("expired"));
}

TEST_F(TlsTest, ACertificateOfTheFutureIsRefused) {
  EXPECT_THAT(refusal_of(serve("localhost", 2, 9)), HasSubstr("not yet valid"));
}

TEST_F(TlsTest, TheRootsMayComeFromTheEnvironment) {
  EngineOptions options = serve("localhost");
  const EnvironmentVariable roots("SSL_CERT_FILE", options.http.ca_file);
  options.http.ca_file.clear();
  EXPECT_EQ(ask(options).text, "answer to hello");
}

TEST_F(TlsTest, InsecureSkipsTheCheckAndIsStored) {
  EngineOptions options = serve("elsewhere.example", -9, -2);
  options.http.insecure = true;
  const auto model = make_http_generator(options);
  EXPECT_FALSE(model->info().detail.at("tls_verified").as_bool());
}

TEST_F(TlsTest, AHandshakeThatNeverComesEndsInTime) {
  ScriptedServer silent(test::serve_scripted_model, {.silent_handshake = true});
  EngineOptions options = options_for(silent.url());
  options.http.connect = milliseconds{40};
  EXPECT_THAT(refusal_of(options), AllOf(HasSubstr("waited too long for a connection"),
                                         HasSubstr("is the server running?")));
}

TEST_F(TlsTest, AServerWithoutTlsIsNoServer) {
  ScriptedServer plain(test::serve_scripted_model);
  EngineOptions options = options_for("https://localhost:" + std::to_string(plain.port()) + "/v1");
  options.http.connect = milliseconds{40};
  EXPECT_THAT(refusal_of(options), HasSubstr("is the server running?"));
}

TEST_F(TlsTest, TlsGoesThroughAProxyByATunnel) {
  EngineOptions options = serve("model.example");
  std::atomic<int> tunnels{0};
  std::string asked;
  std::string authorization;
  ScriptedServer proxy([&](ScriptedExchange& exchange) {
    if (tunnels++ == 0) {
      asked = exchange.request().method + " " + exchange.request().target;
      authorization = exchange.request().headers.at("proxy-authorization");
    }
    EXPECT_EQ(exchange.request().headers.count("authorization"), 0U);
    exchange.send("HTTP/1.1 200 Connection established\r\n\r\n");
    exchange.tunnel(server_->port());
  });
  const EnvironmentVariable none("no_proxy", std::nullopt);
  const EnvironmentVariable upper("NO_PROXY", std::nullopt);
  const EnvironmentVariable variable(
      "https_proxy", "http://me:secret-pw@127.0.0.1:" + std::to_string(proxy.port()));
  options.model = "https://model.example/v1";
  EXPECT_EQ(ask(options).text, "answer to hello");
  EXPECT_GT(tunnels, 0);
  EXPECT_EQ(asked, "CONNECT model.example:443");
  EXPECT_EQ(authorization, "Basic bWU6c2VjcmV0LXB3");
}

TEST_F(TlsTest, AProxyThatRefusesIsNamedWithoutItsPassword) {
  ScriptedServer proxy([](ScriptedExchange& exchange) { exchange.reply(407, ""); });
  const EnvironmentVariable none("no_proxy", std::nullopt);
  const EnvironmentVariable upper("NO_PROXY", std::nullopt);
  const EnvironmentVariable variable(
      "https_proxy", "http://me:secret-pw@127.0.0.1:" + std::to_string(proxy.port()));
  EXPECT_THAT(refusal_of(options_for("https://model.example/v1")),
              AllOf(HasSubstr("the proxy http://127.0.0.1"), HasSubstr("answers 407"),
                    Not(HasSubstr("secret-pw"))));
}

/// A server that keeps what it was sent as a key, and says it in every answer.
struct Gossip {
  std::mutex lock;
  std::vector<std::string> keys;
  ScriptedServer server{[this](ScriptedExchange& exchange) {
    const auto& headers = exchange.request().headers;
    const auto found = headers.find("authorization");
    const std::string key = found == headers.end() ? "" : found->second;
    {
      const std::lock_guard guard(lock);
      keys.push_back(key);
    }
    if (test::serve_models(exchange)) return;
    if (exchange.request().body.find("fail") != std::string::npos) {
      exchange.reply(400, R"({"error": {"message": "not with )" + key + R"("}})");
      return;
    }
    exchange.reply(200, test::chunk_json("your key is " + key, "stop"));
  }};
};

TEST(KeyTest, TheKeyComesFromFileOrEnvironmentAndTheFileWins) {
  Gossip gossip;
  test::TemporaryFolder folder;
  EngineOptions options = options_for(gossip.server.url());
  const EnvironmentVariable openai("OPENAI_API_KEY", "sk-from-openai");
  const EnvironmentVariable none("ASSAY_API_KEY", std::nullopt);
  (void)ask(options);
  EXPECT_EQ(gossip.keys.back(), "Bearer sk-from-openai");
  const EnvironmentVariable own("ASSAY_API_KEY", "sk-from-assay");
  (void)ask(options);
  EXPECT_EQ(gossip.keys.back(), "Bearer sk-from-assay");
  options.http.api_key_file = (folder.path() / "key").string();
  write_file_atomic(options.http.api_key_file, std::string(kKey) + "\n");
  (void)ask(options);
  EXPECT_EQ(gossip.keys.back(), std::string("Bearer ") + kKey);
}

TEST(KeyTest, AKeyThatTheServerRepeatsIsTakenOut) {
  Gossip gossip;
  const EnvironmentVariable own("ASSAY_API_KEY", kKey);
  EXPECT_EQ(ask(options_for(gossip.server.url())).text, "your key is Bearer [secret]");
  const Completion failed = ask(options_for(gossip.server.url()), "fail");
  EXPECT_THAT(failed.error, AllOf(HasSubstr("not with Bearer [secret]"), Not(HasSubstr(kKey))));
}

TEST(KeyTest, AKeyWithControlCharactersIsRefusedWithoutShowingIt) {
  const EnvironmentVariable own("ASSAY_API_KEY", "sk-bad\nX-Injected: 1");
  const std::string message = refusal_of(options_for("http://127.0.0.1:1/v1"));
  EXPECT_THAT(message, AllOf(HasSubstr("ASSAY_API_KEY"), Not(HasSubstr("sk-bad"))));
}

// Another machine is played by a name that only the proxy can reach.
TEST(KeyTest, TheKeyIsNotSentOverPlainHttpToOtherMachinesUnlessAllowed) {
  Gossip gossip;
  const EnvironmentVariable own("ASSAY_API_KEY", kKey);
  const EnvironmentVariable none("no_proxy", std::nullopt);
  const EnvironmentVariable upper("NO_PROXY", std::nullopt);
  const EnvironmentVariable proxy("http_proxy",
                                  "http://127.0.0.1:" + std::to_string(gossip.server.port()));
  // The scripted server is the proxy: it sees whole addresses as targets.
  EngineOptions options = options_for("http://model.example/v1");
  options.model_name = "scripted";
  (void)refusal_of(options);
  ASSERT_FALSE(gossip.keys.empty());
  for (const std::string& key : gossip.keys) EXPECT_EQ(key, "");
  gossip.keys.clear();
  options.http.key_without_tls = true;
  (void)refusal_of(options);
  ASSERT_FALSE(gossip.keys.empty());
  EXPECT_EQ(gossip.keys.back(), std::string("Bearer ") + kKey);
}

}  // namespace
}  // namespace assay::engine
