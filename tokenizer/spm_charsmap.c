#include "spm_charsmap.h"

#include <string.h>

#include "alloc.h"
#include "spm_build.h"

/* A unit of the stored array (darts-clone 0.32). An inner unit: bits 0-7 label, bit 8 a value
 * hangs below, bits 10-30 offset, to be shifted by 8 if bit 9 is set. A value unit: bit 31 set,
 * the value in bits 0-30. */
#define UNIT_VALUE 0x80000000u
#define UNIT_HAS_VALUE 0x100u

static uint32_t unit_offset(uint32_t unit)
{
    return unit >> 10 << ((unit & 0x200u) >> 6);
}

static uint32_t unit_label(uint32_t unit)
{
    return unit & (UNIT_VALUE | 0xFFu);
}

static stet_status check_units(const struct steti_spm_charsmap *c, const char *name,
                               stet_error *err)
{
    for (size_t i = 0; i < c->n_units; i++) {
        uint32_t unit = c->units[i];
        if ((unit & UNIT_VALUE) != 0 ? (unit & ~UNIT_VALUE) >= c->texts_len
                                     : ((uint32_t)i ^ unit_offset(unit)) >= c->n_units) {
            return steti_fail(err, STET_E_FORMAT,
                              "%s: precompiled_charsmap: unit %zu points outside the %s", name, i,
                              (unit & UNIT_VALUE) != 0 ? "texts" : "array");
        }
    }
    return STET_OK;
}

static stet_status check_texts(const char *texts, size_t len, const char *name, stet_error *err)
{
    size_t begin = 0;
    if (len > 0 && texts[len - 1] != '\0') {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: precompiled_charsmap: the texts do not end with a NUL", name);
    }
    while (begin < len) {
        size_t n = strlen(texts + begin);
        if (n > STETI_SPM_MAX_RULE_TEXT) {
            return steti_fail(
                err, STET_E_FORMAT,
                "%s: precompiled_charsmap: a rule writes %zu bytes; at most %u are supported", name,
                n, STETI_SPM_MAX_RULE_TEXT);
        }
        begin += n + 1;
    }
    return STET_OK;
}

static stet_status read_header(struct steti_bytes *b, const char *name, uint32_t *trie_bytes,
                               stet_error *err)
{
    if (!steti_bytes_u32le(b, trie_bytes)) {
        return steti_fail(err, STET_E_FORMAT, "%s: precompiled_charsmap has only %zu bytes", name,
                          steti_bytes_left(b));
    }
    if (*trie_bytes > steti_bytes_left(b) || *trie_bytes < 4 || *trie_bytes % 4 != 0) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: precompiled_charsmap: %u bytes of tree in %zu bytes", name,
                          *trie_bytes, steti_bytes_left(b));
    }
    return STET_OK;
}

stet_status steti_spm_charsmap_open(const struct steti_spm_view *blob, const char *name,
                                    struct steti_spm_charsmap *out, stet_error *err)
{
    struct steti_bytes b;
    uint32_t trie_bytes;
    memset(out, 0, sizeof *out);
    if (blob->len == 0) {
        return STET_OK;
    }
    steti_bytes_init(&b, blob->data, blob->len);
    STETI_TRY(read_header(&b, name, &trie_bytes, err));
    out->units = steti_malloc(trie_bytes);
    out->texts = steti_malloc(steti_bytes_left(&b) - trie_bytes);
    if (out->units == NULL || out->texts == NULL) {
        steti_spm_charsmap_close(out);
        return steti_fail_nomem(err, "normalisation rules", blob->len);
    }
    out->n_units = trie_bytes / 4;
    out->texts_len = steti_bytes_left(&b) - trie_bytes;
    for (size_t i = 0; i < out->n_units; i++) { /* of one load each, where a call would count */
        const uint8_t *p = b.p + 4 * i;
        out->units[i] = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    }
    memcpy(out->texts, b.p + trie_bytes, out->texts_len);
    STETI_TRY(check_units(out, name, err)); /* the model closes what is open */
    return check_texts(out->texts, out->texts_len, name, err);
}

void steti_spm_charsmap_close(struct steti_spm_charsmap *c)
{
    steti_free(c->units);
    steti_free(c->texts);
    memset(c, 0, sizeof *c);
}

static size_t match(const struct steti_spm_charsmap *c, const char *s, size_t n, int shortest,
                    const char **text)
{
    size_t best = 0;
    uint32_t pos, unit;
    if (c->units == NULL) {
        return 0;
    }
    n = n < STETI_SPM_MAX_RULE_KEY ? n : STETI_SPM_MAX_RULE_KEY;
    pos = unit_offset(c->units[0]);
    for (size_t i = 0; i < n && !(shortest && (best > 0 || s[i] == '\0')); i++) {
        pos ^= (unsigned char)s[i];
        if (pos >= c->n_units) {
            break;
        }
        unit = c->units[pos];
        if (unit_label(unit) != (unsigned char)s[i]) {
            break;
        }
        pos ^= unit_offset(unit);
        if ((unit & UNIT_HAS_VALUE) != 0 && pos < c->n_units &&
            (c->units[pos] & ~UNIT_VALUE) < c->texts_len) {
            *text = c->texts + (c->units[pos] & ~UNIT_VALUE);
            best = i + 1;
        }
    }
    return best;
}

size_t steti_spm_charsmap_match(const struct steti_spm_charsmap *c, const char *s, size_t n,
                                const char **text)
{
    return match(c, s, n, 0, text);
}

size_t steti_spm_charsmap_first(const struct steti_spm_charsmap *c, const char *s, size_t n,
                                const char **text)
{
    return match(c, s, n, 1, text);
}
