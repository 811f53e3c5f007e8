/* Any bytes as a text, through a unigram and a BPE model. The models come from the folder
 * STET_FIXTURES: the environment variable of that name, else the compile definition. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc.h"
#include "file_map.h"
#include "tokenizer.h"

#ifndef STET_FIXTURES
#define STET_FIXTURES "tests/fixtures"
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"uni_rules", "bpe_rules", "uni_identity", "bpe_suffix"};
#define N_MODELS (sizeof names / sizeof names[0])
static struct steti_tokenizer *models[N_MODELS];

static void must(int condition)
{
    if (!condition) {
        __builtin_trap();
    }
}

static void open_models(void)
{
    const char *folder = getenv("STET_FIXTURES");
    for (size_t i = 0; i < N_MODELS; i++) {
        struct steti_file_map map;
        char path[4096];
        stet_error err = {.struct_size = sizeof err};
        snprintf(path, sizeof path, "%s/tokenizer/%s.model",
                 folder != NULL ? folder : STET_FIXTURES, names[i]);
        if (steti_file_map_open(path, (size_t)1 << 24, &map, &err) != STET_OK ||
            steti_tokenizer_open_spm(map.data, map.len, path, &models[i], &err) != STET_OK) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
        steti_file_map_close(&map);
    }
}

static void check_laws(const struct steti_pieces *p, size_t len)
{
    uint32_t at = 0;
    for (size_t i = 0; i < p->len; i++) {
        must(p->data[i].begin == at && p->data[i].end >= at);
        at = p->data[i].end;
    }
    must(p->len == 0 || at == len);
}

static void check_model(const struct steti_tokenizer *t, const char *text, size_t len)
{
    struct steti_pieces p = {NULL, 0, 0};
    struct steti_buf out;
    int32_t *ids;
    uint32_t *ends;
    steti_buf_init(&out);
    must(steti_tokenizer_encode(t, text, len, &p, NULL) == STET_OK);
    check_laws(&p, len);
    ids = steti_malloc(p.len * sizeof *ids);
    ends = steti_malloc(p.len * sizeof *ends);
    must(ids != NULL && ends != NULL);
    for (size_t i = 0; i < p.len; i++) {
        ids[i] = p.data[i].id;
        must(ids[i] >= 0 && ids[i] < steti_tokenizer_vocab_size(t));
        must(ids[i] != steti_tokenizer_eos_id(t) && ids[i] != steti_tokenizer_pad_id(t));
    }
    must(steti_tokenizer_decode(t, ids, p.len, &out, ends, NULL) == STET_OK);
    must(p.len == 0 || ends[p.len - 1] == out.len);
    steti_free(ids);
    steti_free(ends);
    steti_buf_free(&out);
    steti_pieces_free(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (models[0] == NULL) {
        open_models();
    }
    for (size_t i = 0; i < N_MODELS; i++) {
        check_model(models[i], (const char *)data, size);
    }
    return 0;
}
