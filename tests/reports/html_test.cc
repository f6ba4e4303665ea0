#include "reports/html.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace assay::reports {
namespace {

TEST(Html, TextCannotBecomeMarkup) {
  EXPECT_EQ(text("<img src=x onerror='a(\"b\")'>&").str(),
            "&lt;img src=x onerror=&#39;a(&quot;b&quot;)&#39;&gt;&amp;");
}

TEST(Html, InvisibleCharactersAreShownAsMarks) {
  EXPECT_EQ(text("a\xE2\x80\xAE"
                 "b\x01\n")
                .str(),
            "a\xE2\x9F\xA8U+202E\xE2\x9F\xA9"
            "b\xE2\x9F\xA8U+0001\xE2\x9F\xA9\n");
}

TEST(Html, InvalidUtf8BecomesReplacementCharacters) {
  EXPECT_EQ(text("a\xff").str(), "a\xEF\xBF\xBD");
}

TEST(Html, JsonBlockCannotEndItsScriptAndReadsBackEqual) {
  const Json value = Json("</script><!--<script>\xE2\x80\xA8&");
  const std::string block = json_block(value.dump()).str();
  EXPECT_EQ(block.find('<'), std::string::npos);
  EXPECT_EQ(block.find('&'), std::string::npos);
  EXPECT_EQ(parse_json(block, "block"), value);
}

// Digest of the empty text, from FIPS 180-4, in base 64.
TEST(Html, PolicyDigestIsBase64OfSha256) {
  EXPECT_EQ(csp_digest(""), "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
}

TEST(Html, AssetsAreEmbeddedAndLoadNothing) {
  EXPECT_NE(kReportCss.find("--accent"), std::string_view::npos);
  for (const char* forbidden : {"url(", "@import", "http"}) {
    EXPECT_EQ(kReportCss.find(forbidden), std::string_view::npos) << forbidden;
  }
  for (const char* forbidden : {"innerHTML", "outerHTML", "insertAdjacentHTML", "document.write",
                                "eval(", "srcdoc", "fetch("}) {
    EXPECT_EQ(kReportJs.find(forbidden), std::string_view::npos) << forbidden;
  }
}

}  // namespace
}  // namespace assay::reports
