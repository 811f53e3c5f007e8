#include "mapped_tokenizer.h"

#include <string.h>

#include "alloc.h"
#include "spm_decode.h"
#include "spm_encode.h"

#define UNNAMED (-1) /* an unknown piece whose id is still to be looked up */

static const struct steti_mapped *mapped_of(const struct steti_tokenizer *t)
{
    return (const struct steti_mapped *)(const void *)t;
}

/* The id of a text that the file does not know but the list may: a letter of the other language. */
static int32_t id_of_unknown(const struct steti_mapped *m, const char *s, size_t len)
{
    int32_t id = steti_vocab_find(&m->pieces, s, len);
    return id < 0 || m->out.pieces[id].type == STETI_SPM_CONTROL ? m->base.unk_id : id;
}

/* The unknown pieces from p on are, in this order, the runs of unknown segments. */
static void name_unknown(const struct steti_mapped *m, const struct steti_spm_text *text,
                         const struct steti_spm_segments *segments, struct steti_piece *p)
{
    size_t pos = 0, run = 0;
    for (size_t i = 0; i < segments->len; i++) {
        int is_last = i + 1 == segments->len || segments->data[i + 1].id != m->spm.unk_id;
        pos += segments->data[i].len;
        if (segments->data[i].id != m->spm.unk_id) {
            continue;
        }
        run += segments->data[i].len;
        if (is_last) {
            while (p->id != UNNAMED) {
                p++;
            }
            p->id = id_of_unknown(m, text->data + pos - run, run);
            run = 0;
        }
    }
}

static stet_status look_up_unknown(const struct steti_mapped *m, const char *s, size_t len,
                                   struct steti_piece *p, stet_error *err)
{
    struct steti_spm_text text = {0};
    struct steti_spm_segments segments = {0};
    stet_status st = steti_spm_segment(&m->spm, s, len, &text, &segments, err);
    if (st == STET_OK) {
        name_unknown(m, &text, &segments, p);
    }
    steti_spm_text_free(&text);
    steti_spm_segments_free(&segments);
    return st;
}

static stet_status encode(const struct steti_tokenizer *t, const char *text, size_t len,
                          struct steti_pieces *out, uint64_t *work, stet_error *err)
{
    const struct steti_mapped *m = mapped_of(t);
    size_t first = out->len;
    int unnamed = 0;
    *work += len;
    STETI_TRY(steti_spm_encode(&m->spm, text, len, out, err));
    for (size_t i = first; i < out->len; i++) {
        int unknown = out->data[i].id == m->spm.unk_id;
        out->data[i].id = unknown ? UNNAMED : m->ids[out->data[i].id];
        unnamed |= unknown;
    }
    if (unnamed) {
        stet_status st = look_up_unknown(m, text, len, out->data + first, err);
        out->len = st == STET_OK ? out->len : first;
        return st;
    }
    return STET_OK;
}

static stet_status decode(const struct steti_tokenizer *t, const int32_t *ids, size_t n,
                          struct steti_buf *out, uint32_t *ends, stet_error *err)
{
    return steti_spm_decode(&mapped_of(t)->out, ids, n, out, ends, err);
}

static void piece_info(const struct steti_tokenizer *t, int32_t id, struct steti_piece_info *out)
{
    const struct steti_spm_model *m = &mapped_of(t)->out;
    const struct steti_spm_piece *p = &m->pieces[id];
    steti_describe_piece(m->text + p->off, p->len, STETI_WORD_MARK, out);
    out->is_control = p->type != STETI_SPM_NORMAL;
}

static void close_mapped(struct steti_tokenizer *t)
{
    struct steti_mapped *m = (struct steti_mapped *)(void *)t;
    m->out.text = NULL; /* that of the pieces */
    steti_spm_model_close(&m->out);
    steti_spm_model_close(&m->spm);
    steti_spm_model_close(&m->target);
    steti_vocab_free(&m->pieces);
    steti_free(m->ids);
    steti_free(m);
}

static const struct steti_tokenizer_ops ops = {encode, decode, piece_info, close_mapped};

struct steti_mapped *steti_mapped_new(stet_error *err)
{
    struct steti_mapped *m = steti_calloc(1, sizeof *m);
    if (m == NULL) {
        steti_fail_nomem(err, "a tokenizer", sizeof *m);
        return NULL;
    }
    m->base.ops = &ops;
    return m;
}

static int32_t find(const struct steti_mapped *m, const char *name)
{
    return steti_vocab_find(&m->pieces, name, strlen(name));
}

/* Names of languages, as Marian (>>de<<) and M2M-100 (__de__) write them. */
static int is_language(const char *s, size_t n)
{
    return n > 4 && ((memcmp(s, ">>", 2) == 0 && memcmp(s + n - 2, "<<", 2) == 0) ||
                     (memcmp(s, "__", 2) == 0 && memcmp(s + n - 2, "__", 2) == 0));
}

static uint8_t type_of(const struct steti_mapped *m, int32_t id, uint8_t *byte)
{
    const struct steti_vocab_entry *e = &m->pieces.entries[id];
    const char *s = m->pieces.text + e->off;
    int value = m->spm.byte_fallback ? steti_spm_byte_of(s, e->len) : -1;
    if (id == m->base.unk_id) {
        return STETI_SPM_UNKNOWN;
    }
    if (e->len == 0 || id == m->base.bos_id || id == m->base.eos_id || id == m->base.pad_id ||
        is_language(s, e->len)) {
        return STETI_SPM_CONTROL;
    }
    *byte = (uint8_t)(value >= 0 ? value : 0);
    return value >= 0 ? STETI_SPM_BYTE : STETI_SPM_NORMAL;
}

static stet_status fill_ids(struct steti_mapped *m, stet_error *err)
{
    size_t n = (size_t)m->spm.n_pieces;
    m->ids = steti_malloc(n * sizeof *m->ids);
    if (m->ids == NULL) {
        return steti_fail_nomem(err, "the ids of a tokenizer", n * sizeof *m->ids);
    }
    for (size_t i = 0; i < n; i++) {
        const struct steti_spm_piece *p = &m->spm.pieces[i];
        int32_t id = steti_vocab_find(&m->pieces, m->spm.text + p->off, p->len);
        int silent = id < 0 || m->out.pieces[id].type == STETI_SPM_CONTROL;
        m->ids[i] = silent ? m->base.unk_id : id;
    }
    return STET_OK;
}

static stet_status fill_out(struct steti_mapped *m, const struct steti_spm_model *rules,
                            stet_error *err)
{
    struct steti_spm_model *out = &m->out;
    size_t n = m->pieces.n;
    out->pieces = steti_calloc(n, sizeof *out->pieces);
    out->unk_surface = steti_strndup(rules->unk_surface, rules->unk_surface_len);
    if (out->pieces == NULL || out->unk_surface == NULL) {
        return steti_fail_nomem(err, "the pieces of a tokenizer", n * sizeof *out->pieces);
    }
    out->text = m->pieces.text;
    out->n_pieces = (int32_t)n;
    out->unk_surface_len = rules->unk_surface_len;
    out->add_dummy_prefix = rules->add_dummy_prefix;
    out->remove_extra_whitespaces = rules->remove_extra_whitespaces;
    out->unk_id = m->base.unk_id;
    for (size_t id = 0; id < n; id++) {
        struct steti_spm_piece *p = &out->pieces[id];
        p->off = m->pieces.entries[id].off;
        p->len = m->pieces.entries[id].len;
        p->type = type_of(m, (int32_t)id, &p->byte);
    }
    return STET_OK;
}

stet_status steti_mapped_finish(struct steti_mapped *m, const struct steti_spm_model *rules,
                                const char *path, stet_error *err)
{
    m->base.vocab_size = (int32_t)m->pieces.n;
    m->base.unk_id = find(m, "<unk>");
    m->base.bos_id = find(m, "<s>");
    m->base.eos_id = find(m, "</s>");
    m->base.pad_id = find(m, "<pad>");
    if (m->base.unk_id < 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: the list of pieces has no <unk>", path);
    }
    STETI_TRY(fill_out(m, rules, err));
    return fill_ids(m, err);
}
