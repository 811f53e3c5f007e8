// stet.json and the tasks of config.json.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

extern "C" {
#include "folder_settings.h"
}

namespace
{

struct Settings : steti_folder_settings {
    Settings() : steti_folder_settings{}
    {
        steti_folder_settings_init(this);
        err.struct_size = sizeof err;
    }
    ~Settings()
    {
        steti_folder_settings_free(this);
    }
    Settings(const Settings &) = delete;
    Settings &operator=(const Settings &) = delete;
    stet_status read(const std::string &text)
    {
        return steti_folder_settings_parse(text.data(), text.size(), "folder", this, &err);
    }
    stet_status tasks_of(const std::string &text)
    {
        return steti_folder_tasks_parse(text.data(), text.size(), "folder", this, &err);
    }
    bool says(const std::string &part) const
    {
        return std::string(err.message).find(part) != std::string::npos;
    }
    stet_error err{};
};

TEST(FolderSettings, Keys)
{
    Settings s, empty;
    ASSERT_EQ(s.read("{\"prompt\": \"f\\u00fcr: \", \"min_edit_score\": -0.5}"), STET_OK);
    EXPECT_STREQ(s.prompt, "f\xC3\xBCr: ");
    EXPECT_EQ(s.min_edit_score, -0.5f);
    ASSERT_EQ(empty.read("{}"), STET_OK);
    EXPECT_EQ(empty.prompt, nullptr);
    EXPECT_TRUE(std::isinf(empty.min_edit_score) && empty.min_edit_score < 0);
}

TEST(FolderSettings, WrongFilesAreRefused)
{
    const struct {
        const char *text, *says;
    } cases[] = {
        {"{\"promt\": \"x\"}", "folder/stet.json: \"promt\" is not a key"},
        {"{\"prompt\": 1}", "prompt: must be a string"},
        {"{\"prompt\": null}", "prompt: must be a string"},
        {"{\"min_edit_score\": \"x\"}", "min_edit_score: must be a number"},
        {"{\"min_edit_score\": null}", "min_edit_score: must be a number"},
        {"{\"min_edit_score\": 0.5}", "min_edit_score: is 0.5"},
        {"{\"min_edit_score\": -1001}", "min_edit_score: is -1001"},
        {"{\"prompt\": \"a\\u0000b\"}", "folder"},
        {"[]", "folder"},
        {"", "folder"},
    };
    for (const auto &c : cases) {
        Settings s;
        EXPECT_NE(s.read(c.text), STET_OK) << c.text;
        EXPECT_TRUE(s.says(c.says)) << s.err.message;
    }
    Settings most, more;
    EXPECT_EQ(most.read("{\"prompt\":\"" + std::string(4096, 'a') + "\"}"), STET_OK);
    EXPECT_EQ(more.read("{\"prompt\":\"" + std::string(4097, 'a') + "\"}"), STET_E_MODEL);
}

TEST(FolderSettings, Tasks)
{
    Settings s;
    const char *prefix = nullptr;
    ASSERT_EQ(s.tasks_of("{\"task_specific_params\":{\"a\":{\"prefix\":\"x: \"},\"b\":3,\"c\":"
                         "{\"prefix\":null},\"d\":{\"prefix\":\"\"}}}"),
              STET_OK);
    EXPECT_EQ(steti_folder_task(&s, "a", &prefix, nullptr), STET_OK);
    EXPECT_STREQ(prefix, "x: ");
    EXPECT_EQ(steti_folder_task(&s, "d", &prefix, nullptr), STET_OK);
    EXPECT_STREQ(prefix, "");
    EXPECT_EQ(steti_folder_task(&s, "b", &prefix, &s.err), STET_E_INVALID);
    EXPECT_TRUE(s.says("has: a, d")) << s.err.message;
    for (const char *none :
         {"{}", "{\"task_specific_params\":null}", "{\"task_specific_params\":[1]}"}) {
        Settings n;
        EXPECT_EQ(n.tasks_of(none), STET_OK);
        EXPECT_EQ(n.n_tasks, 0u);
    }
}

TEST(FolderSettings, ManyTasksAreListedAsFarAsTheyFit)
{
    std::string text = "{\"task_specific_params\":{";
    for (int i = 0; i < 100; i++) {
        text += (i > 0 ? ",\"" : "\"") + std::string(30, 'n') + std::to_string(i) +
                "\":{\"prefix\":\"x\"}";
    }
    Settings s;
    const char *prefix = nullptr;
    ASSERT_EQ(s.tasks_of(text + "}}"), STET_OK);
    EXPECT_EQ(s.n_tasks, static_cast<size_t>(STETI_TASKS_MAX));
    EXPECT_EQ(steti_folder_task(&s, "x", &prefix, &s.err), STET_E_INVALID);
}

} // namespace
