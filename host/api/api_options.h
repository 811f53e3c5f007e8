/* api_options.h - key/value options of stet.h, parsed once into one struct. Private to host/api. */
#ifndef STETI_API_OPTIONS_H
#define STETI_API_OPTIONS_H

#include "device_list.h"
#include "draft.h"
#include "folder_settings.h"
#include "status.h"

/* Longest sentence or output that an option may ask for. */
#define API_MAX_TOKENS 65536
#define API_MAX_BATCH 1024
#define API_LEAST_ROOM 8 /* tokens: least max_input_length, and what a prompt must leave of it */
#define API_MAX_BATCH_TOKENS 65536
#define API_MAX_QUEUE (1 << 20)

enum api_scope {
    API_SCOPE_MODEL = 1,
    API_SCOPE_ENGINE = 2,
    API_SCOPE_REPLAY = 4,
    API_SCOPE_QUANTIZE = 8
};
#define API_COMPUTE_AUTO (-1)

struct api_options {
    char device[16]; /* "auto", "cpu", "cuda"; of a loaded model what it is on */
    struct api_device_list devices;
    int compute; /* enum steti_dtype, or API_COMPUTE_AUTO */
    int stored;  /* enum steti_dtype: of a folder that is written */
    int threads; /* 0 = choose */
    int greedy;
    const struct steti_draft_ops *draft;
    unsigned drafts;  /* of a replay: bit i is policy i of steti_draft_list() */
    int draft_window; /* -1 = auto, 0 = no limit */
    int batch_size;   /* sentences in flight */
    int batch_tokens; /* and their tokens; 0: no such limit */
    int counts_tokens;
    int max_input, max_output; /* 0 = choose */
    size_t memory_limit;       /* 0 = none */
    int queue_size, queue_tokens, queue_delay_ms;
    int verify, scores, misspellings;
    float min_edit_score; /* -INFINITY: all edits are made; NAN: as the folder says */
    const char *prompt;   /* in front of every sentence; NULL: as the folder says */
    const char *task;     /* NULL: none */
    const char *source_language, *target_language; /* NULL: as the folder says */
    /* these four are the caller's strings */
};

void api_options_defaults(struct api_options *o);

/* Applies options of the given scopes. STET_E_INVALID names the key and what is legal. */
stet_status api_options_parse(const stet_option *list, size_t n, int scopes, struct api_options *o,
                              stet_error *err);

/* A prompt of an option or a request: UTF-8 of at most STETI_PROMPT_MAX bytes. STET_E_INVALID names
 * `what`. (prompt.c) */
stet_status api_check_prompt(const char *what, const char *prompt, stet_error *err);

#endif
