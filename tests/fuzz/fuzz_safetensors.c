/* Parses any bytes as a .safetensors file and touches both ends of every tensor handed out. */
#include <stddef.h>
#include <stdint.h>

#include "safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char seen;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct steti_safetensors st;
    size_t total = 0;
    if (steti_safetensors_parse(data, size, "fuzz", &st, NULL) != STET_OK) {
        return 0;
    }
    for (size_t i = 0; i < st.n; i++) {
        const struct steti_tensor *t = &st.entries[i].view;
        const unsigned char *p = t->data;
        size_t n = steti_tensor_bytes(t);
        if (n > 0) {
            seen ^= p[0];
            seen ^= p[n - 1];
        }
        total += n;
        if (steti_safetensors_find(&st, st.entries[i].name) != t) {
            __builtin_trap();
        }
    }
    if (total > size) {
        __builtin_trap();
    }
    steti_safetensors_close(&st);
    return 0;
}
