/* Any bytes as the files of a replay: the first says how to read them, then lines in turn are a
 * source and its answer. What is refused must be said; what is not must give a whole report. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "stet.h"

#ifndef STET_FIXTURES
#define STET_FIXTURES "tests/fixtures"
#endif

#define MAX_LINES 32
#define REPORT_CAP 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

/* Returns the number of pairs; the last line may be half of one. */
static size_t split(const char *p, size_t size, stet_text *sources, stet_text *answers)
{
    size_t n = 0;
    for (const char *end = p + size; p < end && n < 2 * MAX_LINES; n++) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        size_t len = stop != NULL ? (size_t)(stop - p) : (size_t)(end - p);
        (n % 2 == 0 ? sources : answers)[n / 2] = (stet_text){p, len};
        p += len + (stop != NULL);
    }
    return n / 2;
}

static void check(const stet_replay_input *in, const char *window)
{
    static char report[REPORT_CAP];
    const stet_option options[] = {{"draft_window", window}, {"batch_size", "3"}};
    for (uint32_t format = STET_REPORT_TEXT; format <= STET_REPORT_JSON; format++) {
        stet_error err = {.struct_size = sizeof err};
        size_t needed = 0;
        stet_status st = stet_replay(in, options, 2, format, report, sizeof report, &needed, &err);
        must(st == STET_OK || (st == STET_E_FORMAT && err.code == st && err.message[0] != '\0'));
        must(st != STET_OK || (needed > 0 && needed < sizeof report && strlen(report) == needed));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const windows[] = {"0", "1", "5", "auto"};
    stet_text sources[MAX_LINES], answers[MAX_LINES];
    const char *fixtures = getenv("STET_FIXTURES");
    char folder[4096] = {0};
    int mode; /* ids, ids of a tokenizer, text: opening a tokenizer takes most of the time */
    stet_replay_answers list = {"answers", answers};
    stet_replay_input in = {.struct_size = sizeof in,
                            .flags = STET_REPLAY_IDS | STET_REPLAY_PER_SENTENCE,
                            .source_name = "source",
                            .sources = sources,
                            .answers = &list,
                            .n_answers = 1};
    if (size == 0 || size > 4096) {
        return 0;
    }
    in.n_sources = split((const char *)data + 1, size - 1, sources, answers);
    if (in.n_sources == 0) {
        return 0;
    }
    mode = data[0] / 4 % 3;
    if (mode > 0) {
        strncpy(folder, fixtures != NULL ? fixtures : STET_FIXTURES, sizeof folder - 20);
        strncat(folder, "/edgeformer-a", sizeof folder - strlen(folder) - 1);
        in.folder = folder;
    }
    in.flags = mode == 2 ? STET_REPLAY_PER_SENTENCE : in.flags;
    check(&in, windows[data[0] % 4]);
    return 0;
}
