/* Any bytes as a text, through tokenizers of every kind. They come from the folder STET_FIXTURES:
 * the environment variable of that name, else the compile definition. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "file_map.h"
#include "tokenizer_laws.h"

#ifndef STET_FIXTURES
#define STET_FIXTURES "tests/fixtures"
#endif

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {"uni_rules.model",  "bpe_rules.model", "uni_identity.model",
                                    "bpe_suffix.model", "bpe_bart.json",   "bpe_prefix.json",
                                    "bpe_marks.json",   "uni_t5.json",     "uni_xlmr.json",
                                    "uni_first.json"};
#define N_MODELS (sizeof names / sizeof names[0])
static struct steti_tokenizer *models[N_MODELS];

static stet_status open_model(size_t i, const char *path, stet_error *err)
{
    struct steti_file_map map;
    stet_status st = steti_file_map_open(path, (size_t)1 << 24, &map, err);
    if (st == STET_OK) {
        st = strstr(names[i], ".json") != NULL
                 ? steti_tokenizer_open_json(map.data, map.len, path, &models[i], err)
                 : steti_tokenizer_open_spm(map.data, map.len, path, &models[i], err);
        steti_file_map_close(&map);
    }
    return st;
}

static void open_models(void)
{
    const char *folder = getenv("STET_FIXTURES");
    for (size_t i = 0; i < N_MODELS; i++) {
        char path[4096];
        stet_error err = {.struct_size = sizeof err};
        snprintf(path, sizeof path, "%s/tokenizer/%s", folder != NULL ? folder : STET_FIXTURES,
                 names[i]);
        if (open_model(i, path, &err) != STET_OK) {
            fprintf(stderr, "%s\n", err.message);
            exit(1);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (models[0] == NULL) {
        open_models();
    }
    for (size_t i = 0; i < N_MODELS; i++) {
        check_text(models[i], (const char *)data, size);
    }
    return 0;
}
