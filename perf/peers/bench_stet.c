/* stet as one of the systems that peers_run.py measures
 *
 *   bench_stet MODEL COMPUTE_TYPE DECODING TEXT
 *
 * TEXT.source.txt and TEXT.source.ids: the same sentences, one a line, as text and as token ids.
 * Reads commands from standard input and answers each with one line of JSON; peer_worker.py takes
 * the same commands:
 *   one BEGIN END text|ids   sentences one at a time: milliseconds of each, and counts
 *   many BATCH LAYOUT        all sentences as ids, at most BATCH together: milliseconds. LAYOUT is
 *                            for other systems
 *   write FILE text|ids      all outputs, one a line
 *   memory                   most resident memory so far, in bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../serving/serving_common.h"

enum { MOST = 4096, MOST_IDS = 512 };

struct bench {
    const char *decoding;
    struct lines text, ids;
    stet_request requests[2][MOST]; /* of text, of ids */
    int32_t *tokens; /* of all requests, MOST_IDS each */
    stet_model *model;
    stet_engine *engine;
    char batch[16]; /* of the engine */
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
    snprintf(path, sizeof path, "%s.source.txt", name);
    lines_read(&b->text, path);
    snprintf(path, sizeof path, "%s.source.ids", name);
    lines_read(&b->ids, path);
    if (b->text.n != b->ids.n || b->text.n > MOST) {
        fprintf(stderr, "%s: texts and ids differ in number, or are more than %d\n", name, MOST);
        exit(1);
    }
    b->tokens = calloc(b->text.n * MOST_IDS + 1, sizeof *b->tokens);
    for (size_t i = 0; i < b->text.n && b->tokens != NULL; i++) {
        b->requests[0][i] = request_of(&b->text, i, i);
        b->requests[1][i].struct_size = sizeof(stet_request);
        b->requests[1][i].flags = STET_REQ_TOKENS;
        parse_ids(&b->requests[1][i], b->tokens + i * MOST_IDS, b->ids.text[i], b->ids.len[i]);
    }
}

static void need_engine(struct bench *b, const char *batch)
{
    const char *options[] = {"batch_size", batch, "decoding", b->decoding, "queue_size", "4096",
                             NULL};
    if (b->engine != NULL && strcmp(b->batch, batch) == 0) {
        return;
    }
    stet_engine_destroy(b->engine);
    b->engine = engine_or_exit(b->model, options);
    snprintf(b->batch, sizeof b->batch, "%s", batch);
}

/* Milliseconds for n requests handed in together. */
static double run(struct bench *b, const stet_request *r, size_t n, stet_result **results)
{
    stet_error err = {.struct_size = sizeof err};
    uint64_t start = stet_clock_ns();
    if (stet_correct_batch(b->engine, r, n, results, NULL, &err) != STET_OK) {
        exit_with("correct", &err);
    }
    return (double)(stet_clock_ns() - start) / 1e6;
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

static void one(struct bench *b, size_t begin, size_t end, int ids)
{
    stet_stats before, after;
    need_engine(b, "1");
    before = engine_stats(b->engine);
    printf("{\"ms\": [");
    for (size_t i = begin; i < end && i < b->text.n; i++) {
        stet_result *result = NULL;
        printf("%s%.4f", i > begin ? ", " : "", run(b, &b->requests[ids][i], 1, &result));
        stet_result_release(result);
    }
    after = engine_stats(b->engine);
    printf("], ");
    print_counts(&before, &after);
    printf("}\n");
}

static void many(struct bench *b, const char *batch)
{
    static stet_result *results[MOST];
    stet_stats before, after;
    double ms;
    need_engine(b, batch);
    before = engine_stats(b->engine);
    ms = run(b, b->requests[1], b->text.n, results);
    after = engine_stats(b->engine);
    for (size_t i = 0; i < b->text.n; i++) {
        stet_result_release(results[i]);
    }
    printf("{\"ms\": %.3f, ", ms);
    print_counts(&before, &after);
    printf("}\n");
}

static void write_result(FILE *f, const stet_result *result, int ids)
{
    size_t n;
    if (ids) {
        const int32_t *tokens = stet_result_tokens(result, &n);
        for (size_t i = 0; i < n; i++) {
            fprintf(f, "%s%d", i > 0 ? " " : "", tokens[i]);
        }
    } else {
        const char *text = stet_result_text(result, &n);
        fwrite(text, 1, n, f);
    }
    fputc('\n', f);
}

static void write_outputs(struct bench *b, const char *path, int ids)
{
    FILE *f = fopen(path, "wb");
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    need_engine(b, "1");
    for (size_t i = 0; i < b->text.n; i++) {
        stet_result *result = NULL;
        run(b, &b->requests[ids][i], 1, &result);
        write_result(f, result, ids);
        stet_result_release(result);
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
    for (char *w = strtok_r(line, " \n", &save); w != NULL && n < 4; w = strtok_r(NULL, " \n", &save)) {
        word[n++] = w;
    }
    if (n == 4 && strcmp(word[0], "one") == 0) {
        one(b, strtoul(word[1], NULL, 10), strtoul(word[2], NULL, 10), strcmp(word[3], "ids") == 0);
    } else if (n == 3 && strcmp(word[0], "many") == 0) {
        many(b, word[1]);
    } else if (n == 3 && strcmp(word[0], "write") == 0) {
        write_outputs(b, word[1], strcmp(word[2], "ids") == 0);
    } else if (n == 1 && strcmp(word[0], "memory") == 0) {
        memory();
    } else {
        fprintf(stderr, "bench_stet: unknown command %s with %d words\n", n > 0 ? word[0] : "", n);
        return 1;
    }
    fflush(stdout);
    return 0;
}

int main(int argc, char **argv)
{
    static struct bench b;
    char line[4096];
    int bad = 0;
    stet_error err = {.struct_size = sizeof err};
    uint64_t start = stet_clock_ns();
    if (argc != 5) {
        fprintf(stderr, "usage: bench_stet MODEL COMPUTE_TYPE greedy|aggressive TEXT\n");
        return 1;
    }
    stet_option options[] = {{"compute_type", argv[2]}, {"intra_threads", "2"}};
    b.decoding = argv[3];
    if (stet_model_load(argv[1], options, 2, &b.model, &err) != STET_OK) {
        exit_with("the model", &err);
    }
    read_texts(&b, argv[4]);
    printf("{\"version\": \"%s\", \"import_ms\": 0, \"load_ms\": %.3f}\n", stet_version(),
           (double)(stet_clock_ns() - start) / 1e6);
    fflush(stdout);
    while (!bad && fgets(line, sizeof line, stdin) != NULL) {
        bad = obey(&b, line);
    }
    free(b.tokens);
    stet_engine_destroy(b.engine);
    stet_model_release(b.model);
    lines_free(&b.text);
    lines_free(&b.ids);
    return bad;
}
