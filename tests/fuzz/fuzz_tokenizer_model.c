/* Any bytes as a SentencePiece model; if it opens, a few texts through it. */
#include <stddef.h>
#include <stdint.h>

#include "tokenizer_laws.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steti_tokenizer *t;
    stet_error err;
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    if (steti_tokenizer_open_spm(data, size, "fuzz", &t, &err) != STET_OK) {
        must(t == NULL && err.code != STET_OK && err.message[0] != '\0');
        return 0;
    }
    check_tokenizer(t);
    steti_tokenizer_close(t);
    return 0;
}
