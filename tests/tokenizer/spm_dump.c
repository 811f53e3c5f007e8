/* spm_dump.c - encodes texts with a tokenizer and prints what came out, for
 * scripts/compare_tokenizer.py. MODEL is a SentencePiece file, a tokenizer.json or a folder.
 *
 *   spm_dump [--records] [--full] MODEL < texts > ids
 *   spm_dump --ids MODEL < ids > texts
 *
 * A text is a line, or with --records its length in decimal, a line end, its bytes and a line end.
 * Output, a line for each text: the ids; with --full also, after tabs, begin:end of each piece, the
 * decoded text in hexadecimal digits, and where each piece ends in it. With --ids a line holds ids,
 * and what comes out is the text that they are decoded to, in hexadecimal digits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file_map.h"
#include "tokenizer.h"

struct input {
    char *data;
    size_t cap;
    ssize_t len;
};

static int read_record(struct input *in)
{
    ssize_t n = getline(&in->data, &in->cap, stdin);
    unsigned long len;
    if (n <= 0) {
        return 0;
    }
    len = strtoul(in->data, NULL, 10);
    if (len + 1 > in->cap) {
        free(in->data);
        in->cap = len + 1;
        in->data = malloc(in->cap);
        if (in->data == NULL) {
            return 0;
        }
    }
    in->len = (ssize_t)len;
    return fread(in->data, 1, len + 1, stdin) == len + 1;
}

static int read_line(struct input *in)
{
    in->len = getline(&in->data, &in->cap, stdin);
    if (in->len < 0) {
        return 0;
    }
    in->len -= in->len > 0 && in->data[in->len - 1] == '\n';
    return 1;
}

static void print_hex(const struct steti_buf *text)
{
    for (size_t i = 0; i < text->len; i++) {
        printf("%02x", (unsigned char)text->data[i]);
    }
}

static stet_status print_full(const struct steti_tokenizer *t, const struct steti_pieces *p,
                              stet_error *err)
{
    struct steti_buf text;
    int32_t *ids = malloc((p->len + 1) * sizeof *ids);
    uint32_t *ends = malloc((p->len + 1) * sizeof *ends);
    stet_status st = STET_E_NOMEM;
    steti_buf_init(&text);
    putchar('\t');
    for (size_t i = 0; i < p->len; i++) {
        printf("%s%u:%u", i > 0 ? " " : "", p->data[i].begin, p->data[i].end);
        if (ids != NULL) {
            ids[i] = p->data[i].id;
        }
    }
    if (ids != NULL && ends != NULL) {
        st = steti_tokenizer_decode(t, ids, p->len, &text, ends, err);
    }
    putchar('\t');
    print_hex(&text);
    putchar('\t');
    for (size_t i = 0; st == STET_OK && i < p->len; i++) {
        printf("%s%u", i > 0 ? " " : "", ends[i]);
    }
    free(ids);
    free(ends);
    steti_buf_free(&text);
    return st;
}

static stet_status print_text(const struct steti_tokenizer *t, const char *line, stet_error *err)
{
    size_t n = 0;
    int32_t *ids = malloc((strlen(line) / 2 + 1) * sizeof *ids);
    struct steti_buf text;
    stet_status st = STET_E_NOMEM;
    steti_buf_init(&text);
    for (char *end; ids != NULL; line = end) {
        long id = strtol(line, &end, 10);
        if (end == line) {
            break;
        }
        ids[n++] = (int32_t)id;
    }
    if (ids != NULL) {
        st = steti_tokenizer_decode(t, ids, n, &text, NULL, err);
    }
    print_hex(&text);
    putchar('\n');
    free(ids);
    steti_buf_free(&text);
    return st;
}

static int run_ids(const struct steti_tokenizer *t)
{
    struct input in = {NULL, 0, 0};
    stet_error err = {.struct_size = sizeof err};
    stet_status st = STET_OK;
    while (st == STET_OK && read_line(&in)) {
        st = print_text(t, in.data, &err);
    }
    if (st != STET_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    free(in.data);
    return st == STET_OK ? 0 : 2;
}

static int run(const struct steti_tokenizer *t, int records, int full)
{
    struct input in = {NULL, 0, 0};
    struct steti_pieces p = {NULL, 0, 0};
    stet_error err = {.struct_size = sizeof err};
    stet_status st = STET_OK;
    while (st == STET_OK && (records ? read_record(&in) : read_line(&in))) {
        p.len = 0;
        st = steti_tokenizer_encode(t, in.data, (size_t)in.len, &p, &err);
        for (size_t i = 0; st == STET_OK && i < p.len; i++) {
            printf("%s%d", i > 0 ? " " : "", (int)p.data[i].id);
        }
        if (st == STET_OK && full) {
            st = print_full(t, &p, &err);
        }
        putchar('\n');
    }
    if (st != STET_OK) {
        fprintf(stderr, "%s\n", err.message);
    }
    free(in.data);
    steti_pieces_free(&p);
    return st == STET_OK ? 0 : 2;
}

static stet_status open_model(const char *path, struct steti_tokenizer **t, stet_error *err)
{
    struct steti_file_map map;
    size_t n = strlen(path);
    stet_status st;
    if (!steti_file_exists(path)) {
        return steti_tokenizer_open(path, t, err);
    }
    st = steti_file_map_open(path, (size_t)1 << 30, &map, err);
    if (st == STET_OK) {
        st = n > 5 && strcmp(path + n - 5, ".json") == 0
                 ? steti_tokenizer_open_json(map.data, map.len, path, t, err)
                 : steti_tokenizer_open_spm(map.data, map.len, path, t, err);
        steti_file_map_close(&map);
    }
    return st;
}

int main(int argc, char **argv)
{
    struct steti_tokenizer *t = NULL;
    stet_error err = {.struct_size = sizeof err};
    int records = 0, full = 0, ids = 0, rc, i = 1;
    for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
        records |= strcmp(argv[i], "--records") == 0;
        full |= strcmp(argv[i], "--full") == 0;
        ids |= strcmp(argv[i], "--ids") == 0;
    }
    if (i + 1 != argc) {
        fprintf(stderr, "usage: spm_dump [--records] [--full] | --ids MODEL < texts\n");
        return 1;
    }
    if (open_model(argv[i], &t, &err) != STET_OK) {
        fprintf(stderr, "%s\n", err.message);
        return 2;
    }
    rc = ids ? run_ids(t) : run(t, records, full);
    steti_tokenizer_close(t);
    return rc;
}
