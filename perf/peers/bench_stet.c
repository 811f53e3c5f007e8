/* stet as one of the systems that peers_run.py and perf/gpu measure
 *
 *   bench_stet MODEL COMPUTE_TYPE DECODING TEXT THREADS [DRAFT_WINDOW [DEVICE [LENGTH]]]
 *
 * LENGTH: most tokens of a source and of an output, where the engine's own limits take more memory
 * than many sentences on a device have.
 * TEXT.source.txt and TEXT.source.ids: the same sentences, one a line, as text and as token ids.
 * Without the second file the text is taken in place of the ids.
 * Reads commands from standard input and answers each with one line of JSON; peer_worker.py takes
 * the same commands:
 *   one BEGIN END       sentences one at a time: milliseconds of each, handed over as text and as
 *                       ids, and counts of the latter
 *   ids BEGIN END       the same, handed over as ids alone
 *   many BATCH LAYOUT [COUNT]
 *                       all sentences or the first COUNT as ids, at most BATCH together:
 *                       milliseconds. LAYOUT is for other systems
 *   use DECODING        what DECODING is from now on; gives back the memory of all engines
 *   text TEXT           other sentences, likewise
 *   write FILE          the last output of every sentence, one a line: ids, or text where there
 *                       are no ids
 *   memory              most resident memory so far, in bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../serving/serving_common.h"

enum { MOST = 4096, MOST_IDS = 512, ENGINES = 4 };

struct bench {
    char decoding[16];
    const char *window, *length;
    struct lines text, ids;
    stet_request requests[2][MOST]; /* of text, of ids */
    int32_t *tokens;                /* of all requests, MOST_IDS each */
    stet_result *results[MOST];     /* the last ones */
    stet_model *model;
    stet_engine *engines[ENGINES]; /* one for each number of sentences together */
    char batches[ENGINES][16];
};

static void parse_ids(stet_request *r, int32_t *ids, const char *line, size_t len)
{
    const char *at = line, *end = line + len;
    char *next;
    r->tokens = ids;
    while (at < end && r->n_tokens < MOST_IDS) {
        long id = strtol(at, &next, 10);
        if (next == at || next > end) {
            break;
        }
        ids[r->n_tokens++] = (int32_t)id;
        at = next;
    }
}

static void read_texts(struct bench *b, const char *name)
{
    char path[2048];
    int has_ids;
    snprintf(path, sizeof path, "%s.source.txt", name);
    lines_read(&b->text, path);
    snprintf(path, sizeof path, "%s.source.ids", name);
    has_ids = access(path, F_OK) == 0;
    if (has_ids) {
        lines_read(&b->ids, path);
    }
    if ((has_ids && b->text.n != b->ids.n) || b->text.n > MOST) {
        fprintf(stderr, "%s: texts and ids differ in number, or are more than %d\n", name, MOST);
        exit(1);
    }
    b->tokens = calloc(b->text.n * MOST_IDS + 1, sizeof *b->tokens);
    for (size_t i = 0; i < b->text.n && b->tokens != NULL; i++) {
        b->requests[0][i] = b->requests[1][i] = request_of(&b->text, i, i);
        if (!has_ids) {
            continue;
        }
        memset(&b->requests[1][i], 0, sizeof b->requests[1][i]);
        b->requests[1][i].struct_size = sizeof(stet_request);
        b->requests[1][i].flags = STET_REQ_TOKENS;
        parse_ids(&b->requests[1][i], b->tokens + i * MOST_IDS, b->ids.text[i], b->ids.len[i]);
    }
}

static stet_engine *engine_for(struct bench *b, const char *batch)
{
    const char *options[] = {"batch_size",
                             batch,
                             "decoding",
                             b->decoding,
                             "draft_window",
                             b->window,
                             "queue_size",
                             "4096",
                             b->length != NULL ? "max_input_length" : NULL,
                             b->length,
                             "max_decoding_length",
                             b->length,
                             NULL};
    for (int i = 0; i < ENGINES; i++) {
        if (b->engines[i] == NULL) {
            b->engines[i] = engine_or_exit(b->model, options);
            snprintf(b->batches[i], sizeof b->batches[i], "%s", batch);
        }
        if (strcmp(b->batches[i], batch) == 0) {
            return b->engines[i];
        }
    }
    fprintf(stderr, "bench_stet: more than %d numbers of sentences together\n", ENGINES);
    exit(1);
}

/* Milliseconds for n requests handed in together. */
static double run(stet_engine *g, const stet_request *r, size_t n, stet_result **results)
{
    stet_error err = {.struct_size = sizeof err};
    uint64_t start = stet_clock_ns();
    if (stet_correct_batch(g, r, n, results, NULL, &err) != STET_OK) {
        exit_with("correct", &err);
    }
    return (double)(stet_clock_ns() - start) / 1e6;
}

static void forget(struct bench *b, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        stet_result_release(b->results[i]);
        b->results[i] = NULL;
    }
}

/* The engines keep the memory of their batches, which a device may lack for several of them. */
static void close_engines(struct bench *b)
{
    forget(b, 0, b->text.n);
    for (int i = 0; i < ENGINES; i++) {
        stet_engine_destroy(b->engines[i]);
        b->engines[i] = NULL;
    }
}

static void forget_texts(struct bench *b)
{
    close_engines(b);
    free(b->tokens);
    lines_free(&b->text);
    lines_free(&b->ids);
    memset(&b->ids, 0, sizeof b->ids);
}

static void print_counts(const stet_stats *a, const stet_stats *z)
{
    printf("\"sentences\": %llu, \"passes\": %llu, \"rows\": %llu, \"drafted\": %llu, "
           "\"accepted\": %llu",
           (unsigned long long)(z->sentences - a->sentences),
           (unsigned long long)(z->passes - a->passes), (unsigned long long)(z->rows - a->rows),
           (unsigned long long)(z->drafted - a->drafted),
           (unsigned long long)(z->accepted - a->accepted));
}

static void print_list(const char *name, const double *ms, size_t n)
{
    printf("\"%s\": [", name);
    for (size_t i = 0; i < n; i++) {
        printf("%s%.4f", i > 0 ? ", " : "", ms[i]);
    }
    printf("], ");
}

static void one(struct bench *b, size_t begin, size_t end, int as_text)
{
    static double ms[2][MOST];
    stet_engine *g = engine_for(b, "1");
    stet_stats before, after;
    end = end < b->text.n ? end : b->text.n;
    begin = begin < end ? begin : end;
    for (size_t i = begin; i < end && as_text; i++) {
        stet_result *result = NULL;
        ms[0][i - begin] = run(g, &b->requests[0][i], 1, &result);
        stet_result_release(result);
    }
    forget(b, begin, end);
    before = engine_stats(g);
    for (size_t i = begin; i < end; i++) {
        ms[1][i - begin] = run(g, &b->requests[1][i], 1, &b->results[i]);
    }
    after = engine_stats(g);
    printf("{");
    if (as_text) {
        print_list("text_ms", ms[0], end - begin);
    }
    print_list("ids_ms", ms[1], end - begin);
    print_counts(&before, &after);
    printf("}\n");
}

static void many(struct bench *b, const char *batch, size_t count)
{
    stet_engine *g = engine_for(b, batch);
    stet_stats before = engine_stats(g), after;
    double ms;
    forget(b, 0, b->text.n);
    ms = run(g, b->requests[1], count < b->text.n ? count : b->text.n, b->results);
    after = engine_stats(g);
    printf("{\"ms\": %.3f, ", ms);
    print_counts(&before, &after);
    printf("}\n");
}

static void write_outputs(const struct bench *b, const char *path)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    for (size_t i = 0; i < b->text.n; i++) {
        size_t n = 0;
        const int32_t *tokens = b->results[i] ? stet_result_tokens(b->results[i], &n) : NULL;
        for (size_t k = 0; k < n; k++) {
            fprintf(f, "%s%d", k > 0 ? " " : "", tokens[k]);
        }
        if (b->results[i] != NULL && tokens == NULL) {
            const char *text = stet_result_text(b->results[i], &n);
            fwrite(text, 1, n, f);
        }
        fputc('\n', f);
    }
    if (fclose(f) != 0) {
        perror(path);
        exit(1);
    }
    printf("{\"written\": %zu}\n", b->text.n);
}

static void memory(void)
{
    char line[256];
    unsigned long long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (sscanf(line, "VmHWM: %llu", &kb) == 1) {
            break;
        }
    }
    if (f != NULL) {
        fclose(f);
    }
    printf("{\"peak_resident_bytes\": %llu}\n", kb * 1024);
}

static int obey(struct bench *b, char *line)
{
    char *save, *word[4] = {0};
    int n = 0;
    for (char *w = strtok_r(line, " \n", &save); w != NULL && n < 4;
         w = strtok_r(NULL, " \n", &save)) {
        word[n++] = w;
    }
    if (n == 3 && (strcmp(word[0], "one") == 0 || strcmp(word[0], "ids") == 0)) {
        one(b, strtoul(word[1], NULL, 10), strtoul(word[2], NULL, 10), word[0][0] == 'o');
    } else if (n >= 3 && strcmp(word[0], "many") == 0) {
        many(b, word[1], n == 4 ? strtoul(word[3], NULL, 10) : b->text.n);
    } else if (n == 2 && strcmp(word[0], "use") == 0) {
        close_engines(b);
        snprintf(b->decoding, sizeof b->decoding, "%s", word[1]);
        printf("{\"decoding\": \"%s\"}\n", b->decoding);
    } else if (n == 2 && strcmp(word[0], "text") == 0) {
        forget_texts(b);
        read_texts(b, word[1]);
        printf("{\"sentences\": %zu}\n", b->text.n);
    } else if (n == 2 && strcmp(word[0], "write") == 0) {
        write_outputs(b, word[1]);
    } else if (n == 1 && strcmp(word[0], "memory") == 0) {
        memory();
    } else {
        fprintf(stderr, "bench_stet: unknown command %s with %d words\n", n > 0 ? word[0] : "", n);
        return 1;
    }
    fflush(stdout);
    return 0;
}

static void load(struct bench *b, char **argv, const char *device)
{
    stet_error err = {.struct_size = sizeof err};
    stet_option options[] = {
        {"compute_type", argv[2]}, {"intra_threads", argv[5]}, {"device", device}};
    uint64_t start = stet_clock_ns();
    if (stet_model_load(argv[1], options, 3, &b->model, &err) != STET_OK) {
        exit_with("the model", &err);
    }
    read_texts(b, argv[4]);
    printf("{\"version\": \"%s\", \"import_ms\": 0, \"load_ms\": %.3f}\n", stet_version(),
           (double)(stet_clock_ns() - start) / 1e6);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static struct bench b;
    char line[4096];
    int bad = 0;
    if (argc < 6 || argc > 9) {
        fprintf(stderr, "usage: bench_stet MODEL COMPUTE_TYPE greedy|aggressive TEXT THREADS "
                        "[DRAFT_WINDOW [DEVICE [LENGTH]]]\n");
        return 1;
    }
    snprintf(b.decoding, sizeof b.decoding, "%s", argv[3]);
    b.window = argc > 6 ? argv[6] : "auto";
    b.length = argc > 8 ? argv[8] : NULL;
    load(&b, argv, argc > 7 ? argv[7] : "cpu");
    while (!bad && fgets(line, sizeof line, stdin) != NULL) {
        bad = obey(&b, line);
    }
    forget_texts(&b);
    stet_model_release(b.model);
    return bad;
}
