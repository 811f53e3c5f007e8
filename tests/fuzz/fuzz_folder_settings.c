/* Parses any bytes as stet.json and as the tasks of a config.json. What is accepted is bounded. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "folder_settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct steti_folder_settings *s, stet_status st, const stet_error *err)
{
    if (st != STET_OK && (err->message[0] == '\0' || err->code != st)) {
        __builtin_trap();
    }
    if (s->n_tasks > STETI_TASKS_MAX || !(s->min_edit_score <= 0.0f) ||
        (s->prompt != NULL && strlen(s->prompt) > STETI_PROMPT_MAX)) {
        __builtin_trap();
    }
    for (size_t i = 0; i < s->n_tasks; i++) {
        const char *prefix = NULL;
        if (steti_folder_task(s, s->tasks[i].name, &prefix, NULL) != STET_OK ||
            strlen(prefix) > STETI_PROMPT_MAX) {
            __builtin_trap();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = size > 0 ? (const char *)data : "";
    struct steti_folder_settings s;
    stet_error err = {.struct_size = sizeof err};
    steti_folder_settings_init(&s);
    check(&s, steti_folder_settings_parse(text, size, "fuzz", &s, &err), &err);
    steti_folder_settings_free(&s);
    check(&s, steti_folder_tasks_parse(text, size, "fuzz", &s, &err), &err);
    steti_folder_settings_free(&s);
    return 0;
}
