#include "serving_common.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *p)
{
    if (p == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

void exit_with(const char *what, const stet_error *err)
{
    fprintf(stderr, "%s: %s\n", what, err->message);
    exit(1);
}

static char *read_file(const char *path, size_t *len)
{
    FILE *f = fopen(path, "rb");
    size_t cap = 1 << 16, n = 0;
    char *data = need(malloc(cap));
    if (f == NULL) {
        perror(path);
        exit(1);
    }
    for (;;) {
        size_t got = fread(data + n, 1, cap - n, f);
        n += got;
        if (got == 0) {
            break;
        }
        if (n == cap) {
            cap *= 2;
            data = need(realloc(data, cap));
        }
    }
    fclose(f);
    *len = n;
    return data;
}

void lines_read(struct lines *l, const char *path)
{
    size_t len, most = 1;
    memset(l, 0, sizeof *l);
    l->data = read_file(path, &len);
    for (size_t i = 0; i < len; i++) {
        most += l->data[i] == '\n';
    }
    l->text = need(calloc(most, sizeof *l->text));
    l->len = need(calloc(most, sizeof *l->len));
    for (size_t begin = 0; begin < len;) {
        const char *end = memchr(l->data + begin, '\n', len - begin);
        size_t n = end != NULL ? (size_t)(end - l->data) - begin : len - begin;
        if (n > 0) {
            l->text[l->n] = l->data + begin;
            l->len[l->n++] = n;
        }
        begin += n + 1;
    }
}

void lines_free(struct lines *l)
{
    free(l->data);
    free(l->text);
    free(l->len);
}

void samples_add(struct samples *s, double value)
{
    if (s->n == s->cap) {
        s->cap = s->cap > 0 ? 2 * s->cap : 1024;
        s->value = need(realloc(s->value, s->cap * sizeof *s->value));
    }
    s->value[s->n++] = value;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double samples_percentile(struct samples *s, double p)
{
    size_t at;
    if (s->n == 0) {
        return 0;
    }
    qsort(s->value, s->n, sizeof *s->value, by_value);
    at = (size_t)(p * (double)s->n);
    return s->value[at < s->n ? at : s->n - 1];
}

void samples_free(struct samples *s)
{
    free(s->value);
    memset(s, 0, sizeof *s);
}

stet_model *model_or_exit(const char *path, const char *threads)
{
    stet_error err = {.struct_size = sizeof err};
    stet_option o = {"intra_threads", threads};
    stet_model *m;
    if (stet_model_load(path, &o, 1, &m, &err) != STET_OK) {
        exit_with("the model", &err);
    }
    return m;
}

stet_engine *engine_or_exit(stet_model *m, const char *const *options)
{
    stet_error err = {.struct_size = sizeof err};
    stet_option list[16];
    stet_engine *g;
    size_t n = 0;
    for (; options[2 * n] != NULL && n < 16; n++) {
        list[n] = (stet_option){options[2 * n], options[2 * n + 1]};
    }
    if (stet_engine_create(m, list, n, &g, &err) != STET_OK) {
        exit_with("the engine", &err);
    }
    return g;
}

stet_cq *queue_or_exit(void)
{
    stet_error err = {.struct_size = sizeof err};
    stet_cq *cq;
    if (stet_cq_create(&cq, &err) != STET_OK) {
        exit_with("the completion queue", &err);
    }
    return cq;
}

stet_stats engine_stats(stet_engine *g)
{
    stet_stats s = {.struct_size = sizeof s};
    stet_engine_stats(g, &s);
    return s;
}

stet_request request_of(const struct lines *l, size_t i, uint64_t tag)
{
    return (stet_request){.struct_size = sizeof(stet_request),
                          .flags = STET_REQ_SENTENCE,
                          .text = l->text[i % l->n],
                          .len = l->len[i % l->n],
                          .tag = tag};
}
