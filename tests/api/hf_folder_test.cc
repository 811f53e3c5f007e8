// A folder of Hugging Face's T5 with a SentencePiece model, through the public interface alone.
#include "api_fixture.h"

using namespace stet_test;

namespace
{

TEST(HfFolderApi, IsNamedAndCanBeRun)
{
    char buf[2048];
    ASSERT_EQ(stet_model_inspect(fixture("hf-t5-c").c_str(), nullptr, 0, STET_REPORT_TEXT, buf,
                                 sizeof buf, nullptr, nullptr),
              STET_OK);
    std::string report = buf;
    EXPECT_NE(report.find(" t5\n"), std::string::npos) << report;
    EXPECT_NE(report.find("yes"), std::string::npos) << report;
}

TEST(HfFolderApi, FoldersWithoutATokenizerAreNamedAsWell)
{
    for (std::string family : {"bart", "mbart", "marian", "m2m_100", "pegasus", "mt5", "umt5"}) {
        std::string folder = "hf-" + family + "-a";
        char buf[2048] = "";
        folder = family == "m2m_100" ? "hf-m2m-100-a" : folder;
        EXPECT_NE(stet_model_inspect(fixture(folder).c_str(), nullptr, 0, STET_REPORT_TEXT, buf,
                                     sizeof buf, nullptr, nullptr),
                  STET_OK);
        EXPECT_NE(std::string(buf).find(" " + family + "\n"), std::string::npos) << buf;
    }
}

TEST(HfFolderApi, DraftsChangeNoText)
{
    for (const char *compute : {"float32", "int8"}) {
        Model model("hf-t5-c", {{"device", "cpu"}, {"compute_type", compute}});
        ASSERT_EQ(model.status, STET_OK) << model.err.message;
        Engine greedy(model.handle, {{"draft", "none"}});
        ASSERT_EQ(greedy.status, STET_OK) << greedy.err.message;
        for (const char *draft : {"sad", "edit", "tree"}) {
            Engine drafted(model.handle, {{"draft", draft}, {"verify", "1"}});
            ASSERT_EQ(drafted.status, STET_OK) << drafted.err.message;
            for (const std::string &text : sample_texts()) {
                EXPECT_EQ(correct(drafted, text).text(), correct(greedy, text).text()) << draft;
            }
        }
    }
}

} // namespace
