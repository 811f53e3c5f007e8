#include "folder_settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "alloc.h"
#include "config_file.h"
#include "config_value.h"

void steti_folder_settings_init(struct steti_folder_settings *s)
{
    memset(s, 0, sizeof *s);
    s->min_edit_score = -INFINITY;
}

void steti_folder_settings_free(struct steti_folder_settings *s)
{
    for (size_t i = 0; i < s->n_tasks; i++) {
        steti_free(s->tasks[i].name);
        steti_free(s->tasks[i].prefix);
    }
    steti_free(s->tasks);
    steti_free(s->prompt);
    steti_folder_settings_init(s);
}

/* ---- stet.json ------------------------------------------------------------------------------- */

struct reading {
    const struct config *file;
    struct steti_folder_settings *s;
    stet_error *err;
};

static stet_status read_prompt(const struct reading *r, const struct steti_json *v)
{
    size_t len;
    const char *text;
    if (steti_json_kind_of(v) != STETI_JSON_STRING) {
        return config_bad(r->file, r->err, "prompt", "must be a string");
    }
    text = steti_json_string(v, &len);
    if (len > STETI_PROMPT_MAX) {
        return steti_fail(r->err, STET_E_MODEL, "%s/%s: prompt: %zu bytes, at most %d are possible",
                          r->file->folder, r->file->file, len, STETI_PROMPT_MAX);
    }
    r->s->prompt = steti_strndup(text, len);
    return r->s->prompt != NULL ? STET_OK : steti_fail_nomem(r->err, "a prompt", len);
}

static stet_status read_setting(void *ctx, const char *key, size_t key_len,
                                const struct steti_json *value)
{
    const struct reading *r = ctx;
    (void)key_len;
    if (strcmp(key, "prompt") == 0) {
        return read_prompt(r, value);
    }
    if (strcmp(key, "min_edit_score") == 0) {
        if (steti_json_kind_of(value) == STETI_JSON_NULL) {
            return config_bad(r->file, r->err, key, "must be a number");
        }
        return config_real(r->file, key, -STETI_LOWEST_SCORE, 0.0, &r->s->min_edit_score, r->err);
    }
    return steti_fail(r->err, STET_E_MODEL,
                      "%s/%s: \"%.60s\" is not a key of this file, which may have prompt and "
                      "min_edit_score",
                      r->file->folder, r->file->file, key);
}

stet_status steti_folder_settings_parse(const char *text, size_t len, const char *folder,
                                        struct steti_folder_settings *s, stet_error *err)
{
    struct config file = {NULL, folder, "stet.json"};
    const struct reading r = {&file, s, err};
    struct steti_json *root = NULL;
    stet_status st;
    STETI_TRY(config_parse(text, len, &file, &root, err));
    file.obj = root;
    st = steti_json_each(root, read_setting, (void *)(uintptr_t)&r);
    steti_json_free(root);
    return st;
}

/* ---- Tasks ----------------------------------------------------------------------------------- */

static stet_status add_task(void *ctx, const char *key, size_t key_len,
                            const struct steti_json *value)
{
    const struct reading *r = ctx;
    struct steti_folder_settings *s = r->s;
    const struct steti_json *v =
        steti_json_kind_of(value) == STETI_JSON_OBJECT ? steti_json_get(value, "prefix") : NULL;
    void *list = s->tasks;
    struct steti_task t;
    size_t len;
    const char *text;
    stet_status st;
    if (v == NULL || steti_json_kind_of(v) != STETI_JSON_STRING || s->n_tasks == STETI_TASKS_MAX) {
        return STET_OK;
    }
    text = steti_json_string(v, &len);
    if (len > STETI_PROMPT_MAX) {
        return STET_OK;
    }
    st = steti_grow(&list, &s->cap_tasks, s->n_tasks + 1, sizeof *s->tasks, r->err);
    s->tasks = list;
    STETI_TRY(st);
    t = (struct steti_task){steti_strndup(key, key_len), steti_strndup(text, len)};
    if (t.name == NULL || t.prefix == NULL) {
        steti_free(t.name);
        steti_free(t.prefix);
        return steti_fail_nomem(r->err, "the tasks of a model", key_len + len);
    }
    s->tasks[s->n_tasks++] = t;
    return STET_OK;
}

stet_status steti_folder_tasks_parse(const char *config, size_t len, const char *folder,
                                     struct steti_folder_settings *s, stet_error *err)
{
    const struct config file = {NULL, folder, "config.json"};
    const struct reading r = {&file, s, err};
    const struct steti_json *tasks;
    struct steti_json *root = NULL;
    stet_status st = STET_OK;
    STETI_TRY(config_parse(config, len, &file, &root, err));
    tasks = steti_json_get(root, "task_specific_params");
    if (tasks != NULL && steti_json_kind_of(tasks) == STETI_JSON_OBJECT) {
        st = steti_json_each(tasks, add_task, (void *)(uintptr_t)&r);
    }
    steti_json_free(root);
    return st;
}

stet_status steti_folder_task(const struct steti_folder_settings *s, const char *name,
                              const char **prefix, stet_error *err)
{
    char known[240] = "";
    size_t used = 0;
    for (size_t i = 0; i < s->n_tasks; i++) {
        if (strcmp(s->tasks[i].name, name) == 0) {
            *prefix = s->tasks[i].prefix;
            return STET_OK;
        }
        if (used < sizeof known) {
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i > 0 ? ", " : "",
                                     s->tasks[i].name);
        }
    }
    if (s->n_tasks == 0) {
        return steti_fail(err, STET_E_INVALID,
                          "option task: \"%.60s\" is not possible, the model's config.json lists "
                          "no tasks with a prefix; use option prompt",
                          name);
    }
    return steti_fail(err, STET_E_INVALID,
                      "option task: \"%.60s\" is not possible, the model's config.json has: %s",
                      name, known);
}

/* ---- Both ------------------------------------------------------------------------------------ */

typedef stet_status (*parser)(const char *text, size_t len, const char *folder,
                              struct steti_folder_settings *s, stet_error *err);

static stet_status read_one(const char *folder, const char *name, parser parse,
                            struct steti_folder_settings *s, stet_error *err)
{
    struct steti_file_map map;
    const char *text;
    stet_status st;
    STETI_TRY(config_map(folder, name, 0, &map, &text, err));
    st = text != NULL ? parse(text, map.len, folder, s, err) : STET_OK;
    steti_file_map_close(&map);
    return st;
}

stet_status steti_folder_settings_read(const char *folder, struct steti_folder_settings *out,
                                       stet_error *err)
{
    stet_status st;
    steti_folder_settings_init(out);
    st = read_one(folder, "stet.json", steti_folder_settings_parse, out, err);
    if (st == STET_OK) {
        st = read_one(folder, "config.json", steti_folder_tasks_parse, out, err);
    }
    if (st != STET_OK) {
        steti_folder_settings_free(out);
    }
    return st;
}
