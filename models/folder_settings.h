/* folder_settings.h - what a model folder says of requests: stet.json, which is stet's own, and the
 * prefixes of tasks that T5's config.json lists.
 *
 * stet.json is an object with these keys, all optional; any other is refused:
 *   "prompt"          text in front of every sentence, as option prompt of stet.h
 *   "min_edit_score"  a number from -1000 to 0, as the option of this name
 */
#ifndef STETI_FOLDER_SETTINGS_H
#define STETI_FOLDER_SETTINGS_H

#include <stddef.h>

#include "status.h"

#define STETI_PROMPT_MAX 4096     /* bytes of a prompt */
#define STETI_LOWEST_SCORE 1000.0 /* of min_edit_score, without the sign */
#define STETI_TASKS_MAX 64        /* tasks that are kept; others are left out */

struct steti_task {
    char *name, *prefix; /* prefix may be "" */
};

struct steti_folder_settings {
    char *prompt;         /* NULL: the folder does not say */
    float min_edit_score; /* -INFINITY: the same */
    struct steti_task *tasks;
    size_t n_tasks, cap_tasks;
};

/* Reads both files of `folder`; a file that is not there says nothing. What is no task in
 * config.json is passed over. STET_E_IO, STET_E_FORMAT: a broken file; STET_E_MODEL: a key or a
 * value of stet.json (message: file and key). On failure there is nothing to free. */
stet_status steti_folder_settings_read(const char *folder, struct steti_folder_settings *out,
                                       stet_error *err);
/* The same from memory, added to *s; for tests and fuzzing. On failure *s is still to be freed. */
stet_status steti_folder_settings_parse(const char *text, size_t len, const char *folder,
                                        struct steti_folder_settings *s, stet_error *err);
stet_status steti_folder_tasks_parse(const char *config, size_t len, const char *folder,
                                     struct steti_folder_settings *s, stet_error *err);

void steti_folder_settings_init(struct steti_folder_settings *s);
void steti_folder_settings_free(struct steti_folder_settings *s); /* legal on a zeroed one */

/* The prefix of a task. STET_E_INVALID: there is no such task (message: those there are). */
stet_status steti_folder_task(const struct steti_folder_settings *s, const char *name,
                              const char **prefix, stet_error *err);

#endif
