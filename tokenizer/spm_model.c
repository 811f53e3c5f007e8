#include "spm_model.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "alloc.h"
#include "spm_build.h"

struct copy_state {
    struct steti_spm_model *m;
    const char *name;
    size_t text_len;
};

static stet_status check_kind(const struct steti_spm_proto *p, stet_error *err)
{
    const char *kind = p->model_kind == STETI_SPM_WORD   ? "WORD"
                       : p->model_kind == STETI_SPM_CHAR ? "CHAR"
                                                         : NULL;
    if (kind != NULL) {
        return steti_fail(err, STET_E_MODEL,
                          "%s: model type %s is not supported; UNIGRAM and BPE are", p->name, kind);
    }
    if (p->model_kind != STETI_SPM_UNIGRAM && p->model_kind != STETI_SPM_BPE) {
        return steti_fail(err, STET_E_MODEL,
                          "%s: unknown model_type %lld; UNIGRAM (1) and BPE (2) are supported",
                          p->name, (long long)p->model_kind);
    }
    if (p->denormalizer_charsmap.len > 0) {
        return steti_fail(err, STET_E_MODEL, "%s: denormalizer rules are not supported", p->name);
    }
    if (p->n_pieces == 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: no pieces; this is not a SentencePiece model",
                          p->name);
    }
    return STET_OK;
}

/* Upper-case digits only, as the format has them. */
int steti_spm_byte_of(const char *s, size_t len)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *hi, *lo;
    if (len != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>' || s[3] == '\0' || s[4] == '\0') {
        return -1;
    }
    hi = strchr(digits, s[3]);
    lo = strchr(digits, s[4]);
    return hi == NULL || lo == NULL ? -1 : (int)((hi - digits) * 16 + (lo - digits));
}

static stet_status set_unknown(struct copy_state *c, int32_t id, stet_error *err)
{
    if (c->m->unk_id >= 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: pieces %d and %d are both of type UNKNOWN",
                          c->name, (int)c->m->unk_id, (int)id);
    }
    c->m->unk_id = id;
    return STET_OK;
}

static stet_status set_byte(struct copy_state *c, int32_t id, const struct steti_spm_view *text,
                            stet_error *err)
{
    int byte = steti_spm_byte_of(text->data, text->len);
    if (!c->m->byte_fallback) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: piece %d is a byte piece, but byte_fallback is off", c->name,
                          (int)id);
    }
    if (byte < 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: byte piece %d is not <0x00> .. <0xFF>", c->name,
                          (int)id);
    }
    c->m->pieces[id].byte = (uint8_t)byte;
    c->m->byte_ids[byte] = id;
    return STET_OK;
}

static stet_status set_score(struct copy_state *c, int32_t id,
                             const struct steti_spm_proto_piece *piece, stet_error *err)
{
    struct steti_spm_model *m = c->m;
    if (!isfinite(piece->score)) {
        return steti_fail(err, STET_E_FORMAT, "%s: the score of piece %d is not a finite number",
                          c->name, (int)id);
    }
    m->pieces[id].score = piece->score;
    if (piece->type == STETI_SPM_NORMAL) {
        m->min_score = piece->score < m->min_score ? piece->score : m->min_score;
    }
    return STET_OK;
}

static stet_status copy_piece(void *ctx, const struct steti_spm_proto_piece *piece, stet_error *err)
{
    struct copy_state *c = ctx;
    struct steti_spm_model *m = c->m;
    int32_t id = m->n_pieces;
    struct steti_spm_piece *out = &m->pieces[id];
    if (piece->type < STETI_SPM_NORMAL || piece->type > STETI_SPM_BYTE) {
        return steti_fail(err, STET_E_FORMAT, "%s: piece %d has the unknown type %lld", c->name,
                          (int)id, (long long)piece->type);
    }
    out->off = (uint32_t)c->text_len;
    out->len = (uint32_t)piece->text.len;
    out->type = (uint8_t)piece->type;
    out->byte = 0;
    memcpy(m->text + c->text_len, piece->text.data, piece->text.len);
    c->text_len += piece->text.len;
    m->n_pieces++;
    STETI_TRY(set_score(c, id, piece, err));
    switch (piece->type) {
    case STETI_SPM_UNKNOWN:
        return set_unknown(c, id, err);
    case STETI_SPM_BYTE:
        return set_byte(c, id, &piece->text, err);
    case STETI_SPM_UNUSED:
        m->n_unused++;
        return STET_OK;
    default:
        return STET_OK;
    }
}

static stet_status copy_pieces(struct steti_spm_model *m, const struct steti_spm_proto *p,
                               stet_error *err)
{
    struct copy_state c = {m, p->name, 0};
    m->text = steti_malloc(p->piece_bytes);
    m->pieces = steti_calloc(p->n_pieces, sizeof *m->pieces);
    if (m->text == NULL || m->pieces == NULL) {
        return steti_fail_nomem(err, "the pieces of a tokenizer",
                                p->piece_bytes + p->n_pieces * sizeof *m->pieces);
    }
    STETI_TRY(steti_spm_proto_pieces(p, copy_piece, &c, err));
    if (m->unk_id < 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: no piece of type UNKNOWN", p->name);
    }
    if (m->kind == STETI_SPM_UNIGRAM && m->min_score == FLT_MAX) {
        return steti_fail(err, STET_E_FORMAT, "%s: no piece of type NORMAL", p->name);
    }
    for (int i = 0; m->byte_fallback && i < 256; i++) {
        if (m->byte_ids[i] < 0) {
            return steti_fail(err, STET_E_FORMAT,
                              "%s: byte_fallback is on, but piece <0x%02X> is missing", p->name,
                              (unsigned)i);
        }
    }
    return STET_OK;
}

static stet_status number_unused(struct steti_spm_model *m, stet_error *err)
{
    int32_t n = 0;
    if (m->n_unused == 0) {
        return STET_OK;
    }
    m->unused_index = steti_malloc((size_t)m->n_pieces * sizeof *m->unused_index);
    if (m->unused_index == NULL) {
        return steti_fail_nomem(err, "a tokenizer", (size_t)m->n_pieces * sizeof *m->unused_index);
    }
    for (int32_t id = 0; id < m->n_pieces; id++) {
        m->unused_index[id] = m->pieces[id].type == STETI_SPM_UNUSED ? n++ : -1;
    }
    return STET_OK;
}

/* The control piece of that text. An empty name in the file stands for the usual one. */
static int32_t control_id(const struct steti_spm_model *m, const struct steti_spm_view *name,
                          const char *usual)
{
    const char *text = name->len > 0 ? name->data : usual;
    size_t len = name->len > 0 ? name->len : strlen(usual);
    for (int32_t id = 0; id < m->n_pieces; id++) {
        const struct steti_spm_piece *p = &m->pieces[id];
        if (p->type == STETI_SPM_CONTROL && p->len == len &&
            memcmp(m->text + p->off, text, len) == 0) {
            return id;
        }
    }
    return -1;
}

static stet_status copy_unk_surface(struct steti_spm_model *m, const struct steti_spm_view *v,
                                    stet_error *err)
{
    /* U+2047 between spaces is what the format prescribes when the file says nothing. */
    const char *text = v->set ? v->data : " \xE2\x81\x87 ";
    size_t len = v->set ? v->len : 5;
    const char *nul = len > 0 ? memchr(text, '\0', len) : NULL;
    m->unk_surface_len = nul != NULL ? (size_t)(nul - text) : len;
    m->unk_surface = steti_strndup(len > 0 ? text : "", m->unk_surface_len);
    return m->unk_surface != NULL ? STET_OK : steti_fail_nomem(err, "a tokenizer", len);
}

static void copy_options(struct steti_spm_model *m, const struct steti_spm_proto *p)
{
    m->kind = (enum steti_spm_kind)p->model_kind;
    m->byte_fallback = p->byte_fallback;
    m->treat_whitespace_as_suffix = p->treat_whitespace_as_suffix;
    m->add_dummy_prefix = p->add_dummy_prefix;
    m->remove_extra_whitespaces = p->remove_extra_whitespaces;
    m->escape_whitespaces = p->escape_whitespaces;
    m->unk_id = m->bos_id = m->eos_id = m->pad_id = -1;
    memset(m->byte_ids, 0xFF, sizeof m->byte_ids);
    m->min_score = FLT_MAX;
}

static stet_status build(struct steti_spm_model *m, const struct steti_spm_proto *p,
                         stet_error *err)
{
    STETI_TRY(check_kind(p, err));
    copy_options(m, p);
    STETI_TRY(copy_pieces(m, p, err));
    STETI_TRY(copy_unk_surface(m, &p->unk_surface, err));
    STETI_TRY(number_unused(m, err));
    m->bos_id = control_id(m, &p->bos_piece, "<s>");
    m->eos_id = control_id(m, &p->eos_piece, "</s>");
    m->pad_id = control_id(m, &p->pad_piece, "<pad>");
    STETI_TRY(steti_spm_index_pieces(m, p->name, err));
    STETI_TRY(steti_spm_charsmap_open(&p->charsmap, p->name, &m->charsmap, err));
    return steti_spm_self_test(m, p, err);
}

stet_status steti_spm_model_open(const void *data, size_t len, const char *name,
                                 struct steti_spm_model *out, stet_error *err)
{
    struct steti_spm_proto proto;
    stet_status st;
    memset(out, 0, sizeof *out);
    STETI_TRY(steti_spm_proto_read(data, len, name, &proto, err));
    st = build(out, &proto, err);
    if (st != STET_OK) {
        steti_spm_model_close(out);
    }
    return st;
}

void steti_spm_model_close(struct steti_spm_model *m)
{
    steti_free(m->text);
    steti_free(m->pieces);
    steti_free(m->unk_surface);
    steti_free(m->unused_index);
    steti_spm_trie_free(&m->vocab);
    steti_spm_trie_free(&m->user);
    steti_spm_charsmap_close(&m->charsmap);
    memset(m, 0, sizeof *m);
}
