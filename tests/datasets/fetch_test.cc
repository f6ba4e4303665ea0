// Downloads from a real HTTPS server on the loopback address that misbehaves on demand.
#include "datasets/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include "base/digest.h"
#include "base/error.h"
#include "base/file.h"
#include "datasets/verify.h"
#include "tests/datasets/https_server.h"
#include "tests/support/shared_data.h"

namespace assay::datasets {
namespace {

namespace fs = std::filesystem;
using test::HttpAnswer;
using test::HttpRequest;
using test::HttpsServer;
using ::testing::HasSubstr;

const std::string kContent = [] {
  std::string text;
  for (int i = 0; i < 20000; ++i) text += "{\"row\":" + std::to_string(i) + "}\n";
  return text;
}();

class Fetch : public ::testing::Test {
 protected:
  void SetUp() override {
    addrinfo* found = nullptr;
    const int failed = ::getaddrinfo("localhost", nullptr, nullptr, &found);
    if (failed != 0) GTEST_SKIP() << "this machine has no name \"localhost\" (/etc/hosts)";
    ::freeaddrinfo(found);
  }

  /// The certificate's name is `name`; the address is always localhost.
  HttpsServer& serve(HttpsServer::Handler handler, const std::string& name = "localhost") {
    server_ = std::make_unique<HttpsServer>(keys_.path(), name, std::move(handler));
    options_.https.ca_file = server_->ca_file();
    options_.https.first_wait = std::chrono::milliseconds(1);
    options_.https.attempts = 3;
    return *server_;
  }
  [[nodiscard]] Manifest manifest() const {
    Manifest out{.name = "toy"};
    out.files.push_back({.path = "toy/test.jsonl",
                         .split = "test",
                         .sha256 = sha256_hex(kContent),
                         .records = 20000,
                         .url = server_->url("/test.jsonl")});
    return out;
  }
  FetchResult fetch() { return fetch_dataset(manifest(), folder_.path(), options_).at(0); }
  [[nodiscard]] fs::path target() const { return folder_.path() / "toy/test.jsonl"; }
  [[nodiscard]] fs::path side() const { return folder_.path() / "toy/test.jsonl.part"; }

  test::TemporaryFolder folder_;
  test::TemporaryFolder keys_;
  FetchOptions options_;
  std::unique_ptr<HttpsServer> server_;
};

HttpAnswer whole(const HttpRequest&) {
  return {.headers = {{"ETag", "\"one\""}}, .body = kContent};
}

/// Honours Range and If-Range for the version "one".
HttpAnswer part(const HttpRequest& request) {
  const std::string range = request.headers.at("range");
  const std::size_t start = std::stoul(range.substr(std::string("bytes=").size()));
  return {.status = 206,
          .headers = {{"Content-Range", "bytes " + std::to_string(start) + "-" +
                                            std::to_string(kContent.size() - 1) + "/" +
                                            std::to_string(kContent.size())}},
          .body = kContent.substr(start)};
}

TEST_F(Fetch, AFileArrivesUnderItsNameWithoutLeftovers) {
  serve(whole);
  EXPECT_EQ(fetch().state, FetchState::kFetched) << fetch().reason;
  EXPECT_EQ(read_file(target()), kContent);
  EXPECT_FALSE(fs::exists(side()));
  EXPECT_FALSE(fs::exists(side().string() + ".tag"));
  const auto checks = verify(manifest(), folder_.path());
  EXPECT_EQ(checks.at(0).state, FileState::kOk) << checks.at(0).reason;
  EXPECT_EQ(fetch().state, FetchState::kPresent);
}

TEST_F(Fetch, ACutConnectionGoesOnWhereItStopped) {
  auto& server = serve([](const HttpRequest& request) {
    if (request.headers.count("range") != 0) return part(request);
    HttpAnswer answer = whole(request);
    answer.cut_after = 100'000;
    return answer;
  });
  const FetchResult result = fetch();
  EXPECT_EQ(result.state, FetchState::kFetched) << result.reason;
  EXPECT_EQ(read_file(target()), kContent);
  ASSERT_EQ(server.requests().size(), 2U);
  EXPECT_EQ(server.requests()[1].headers.at("range"), "bytes=100000-");
  EXPECT_EQ(server.requests()[1].headers.at("if-range"), "\"one\"");
}

TEST_F(Fetch, ALaterCallGoesOnWithWhatAnEarlierOneLeft) {
  serve([](const HttpRequest& request) {
    HttpAnswer answer = request.headers.count("range") != 0 ? part(request) : whole(request);
    answer.cut_after = 1000;
    return answer;
  });
  const FetchResult failed = fetch();
  EXPECT_EQ(failed.state, FetchState::kFailed);
  EXPECT_THAT(failed.reason, HasSubstr("cut"));
  EXPECT_FALSE(fs::exists(target()));
  EXPECT_EQ(fs::file_size(side()), 3000U);
}

TEST_F(Fetch, AChangedFileIsBegunAgain) {
  serve([](const HttpRequest& request) {
    HttpAnswer answer = whole(request);  // ignores Range: If-Range no longer holds
    if (request.headers.count("range") == 0) answer.cut_after = 1000;
    return answer;
  });
  EXPECT_EQ(fetch().state, FetchState::kFetched);
  EXPECT_EQ(read_file(target()), kContent);
}

TEST_F(Fetch, AnotherPartThanAskedForIsNotAppended) {
  serve([](const HttpRequest& request) {
    HttpAnswer answer = whole(request);
    if (request.headers.count("range") == 0) {
      answer.cut_after = 1000;
    } else {
      answer.status = 206;
      answer.headers["Content-Range"] = "bytes 0-5/6";
    }
    return answer;
  });
  const FetchResult result = fetch();
  EXPECT_EQ(result.state, FetchState::kFailed);
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, AnotherDigestIsRefusedAndLeavesNothing) {
  serve([](const HttpRequest&) { return HttpAnswer{.body = "{\"row\":0}\n"}; });
  const FetchResult result = fetch();
  EXPECT_EQ(result.state, FetchState::kFailed);
  EXPECT_THAT(result.reason, HasSubstr("sha256 is"));
  EXPECT_FALSE(fs::exists(target()));
  EXPECT_FALSE(fs::exists(side()));
}

TEST_F(Fetch, AWrongFileInPlaceStaysUntilTheRightOneIsThere) {
  serve([](const HttpRequest&) { return HttpAnswer{.status = 404}; });
  fs::create_directories(target().parent_path());
  write_file_atomic(target(), "old");
  EXPECT_THAT(fetch().reason, HasSubstr("the server answered 404"));
  EXPECT_EQ(read_file(target()), "old");
}

TEST_F(Fetch, AMirrorServesWhereTheFirstAddressFails) {
  serve([](const HttpRequest& request) {
    return request.target == "/mirror" ? whole(request) : HttpAnswer{.status = 404};
  });
  Manifest with_mirror = manifest();
  with_mirror.files[0].mirrors = {server_->url("/mirror")};
  const auto results = fetch_dataset(with_mirror, folder_.path(), options_);
  EXPECT_EQ(results.at(0).state, FetchState::kFetched) << results.at(0).reason;
}

TEST_F(Fetch, ARedirectToHttpsIsFollowedAndOneToHttpIsNot) {
  serve([](const HttpRequest& request) {
    return request.target == "/moved"
               ? whole(request)
               : HttpAnswer{.status = 302, .headers = {{"Location", "/moved"}}};
  });
  EXPECT_EQ(fetch().state, FetchState::kFetched);
  fs::remove(target());
  serve([](const HttpRequest&) {
    return HttpAnswer{.status = 302, .headers = {{"Location", "http://localhost/x"}}};
  });
  const FetchResult result = fetch();
  EXPECT_EQ(result.state, FetchState::kFailed);
  EXPECT_THAT(result.reason, HasSubstr("not https"));
}

TEST_F(Fetch, ARedirectLoopEnds) {
  serve([](const HttpRequest&) {
    return HttpAnswer{.status = 301, .headers = {{"Location", "/again"}}};
  });
  EXPECT_THAT(fetch().reason, HasSubstr("too many redirects"));
}

TEST_F(Fetch, ABusyServerIsAskedAgain) {
  int calls = 0;
  serve([&](const HttpRequest& request) {
    return ++calls < 3 ? HttpAnswer{.status = 503} : whole(request);
  });
  EXPECT_EQ(fetch().state, FetchState::kFetched);
  EXPECT_EQ(calls, 3);
}

TEST_F(Fetch, ACertificateThatNobodyTrustsIsRefused) {
  auto& server = serve(whole);
  options_.https.ca_file = "";
  EXPECT_THAT(fetch().reason, HasSubstr("does not verify"));
  EXPECT_FALSE(fs::exists(side()));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Fetch, ATrustedCertificateOfAnotherHostIsRefused) {
  auto& server = serve(whole, "elsewhere.example");
  EXPECT_THAT(fetch().reason, HasSubstr("ostname mismatch"));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(Fetch, AnUnaskedCompressionIsRefused) {
  serve([](const HttpRequest& request) {
    HttpAnswer answer = whole(request);
    answer.headers["Content-Encoding"] = "gzip";
    return answer;
  });
  EXPECT_THAT(fetch().reason, HasSubstr("compresses"));
}

TEST_F(Fetch, AFileBeyondTheLimitIsRefused) {
  serve(whole);
  options_.https.max_bytes = 1000;
  EXPECT_THAT(fetch().reason, HasSubstr("larger than the 1000 bytes"));
  EXPECT_FALSE(fs::exists(target()));
}

TEST_F(Fetch, OnlyPlainHttpsAddressesAreTaken) {
  for (const char* url : {"http://localhost/x", "file:///etc/passwd", "https://user@localhost/x",
                          "https://localhost:0/x", "https:///x", "https://localhost/a b"}) {
    EXPECT_NE(test::error_message([&] { download(url, folder_.path() / "x"); }), "") << url;
    EXPECT_FALSE(fs::exists(folder_.path() / "x")) << url;
  }
}

TEST_F(Fetch, TheDataSetsComeFromAServerThatHasThem) {
  ASSAY_SHARED_OR_SKIP(shared, "datasets");
  serve([&](const HttpRequest& request) {
    return HttpAnswer{.body = read_file(shared / request.target.substr(1))};
  });
  const std::string packed = read_file_gunzip(shared / "humaneval/HumanEval.jsonl.gz");
  Manifest manifest{.name = "humaneval"};
  manifest.files.push_back({.path = "humaneval/HumanEval.jsonl",
                            .split = "test",
                            .sha256 = sha256_hex(packed),
                            .records = 164,
                            .url = server_->url("/humaneval/HumanEval.jsonl.gz")});
  manifest.files.push_back({.path = "math/algebra_1.json",
                            .split = "one",
                            .format = FileFormat::kJson,
                            .records = 1,
                            .url = server_->url("/math/MATH_test.tar.gz"),
                            .url_member = "/algebra/1.json"});
  auto results = fetch_dataset(manifest, folder_.path(), options_);
  EXPECT_EQ(results.at(0).state, FetchState::kFetched) << results.at(0).reason;
  EXPECT_TRUE(fs::exists(folder_.path() / "humaneval/HumanEval.jsonl.gz"));
  EXPECT_EQ(verify(manifest, folder_.path()).at(0).state, FileState::kOk);
  // The member has no published digest here, so it must not appear; its real one lets it in.
  EXPECT_EQ(results.at(1).state, FetchState::kFailed);
  EXPECT_FALSE(fs::exists(folder_.path() / "math/algebra_1.json"));
  const std::size_t at = results.at(1).reason.find("sha256 is ");
  ASSERT_NE(at, std::string::npos) << results.at(1).reason;
  manifest.files[1].sha256 = results.at(1).reason.substr(at + 10, 64);
  results = fetch_dataset(manifest, folder_.path(), options_);
  EXPECT_EQ(results.at(1).state, FetchState::kFetched) << results.at(1).reason;
  EXPECT_TRUE(fs::exists(folder_.path() / "math/algebra_1.json"));
}

}  // namespace
}  // namespace assay::datasets
