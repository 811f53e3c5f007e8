#include "spm_proto.h"

#include <string.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

/* Field numbers of the messages. */
enum {
    MODEL_PIECES = 1,
    MODEL_TRAINER = 2,
    MODEL_NORMALIZER = 3,
    MODEL_SELF_TEST = 4,
    MODEL_DENORMALIZER = 5
};
enum { PIECE_TEXT = 1, PIECE_SCORE = 2, PIECE_TYPE = 3 };
enum {
    TRAINER_KIND = 3,
    TRAINER_SUFFIX = 24,
    TRAINER_BYTE_FALLBACK = 35,
    TRAINER_UNK_SURFACE = 44,
    TRAINER_BOS = 46,
    TRAINER_EOS = 47,
    TRAINER_PAD = 48
};
enum { NORMALIZER_CHARSMAP = 2, NORMALIZER_DUMMY = 3, NORMALIZER_EXTRA = 4, NORMALIZER_ESCAPE = 5 };
enum { SELF_TEST_SAMPLES = 1 };
enum { SAMPLE_INPUT = 1, SAMPLE_EXPECTED = 2 };

/* A field whose number is known but whose wire type is not the expected one counts as unknown:
 * the number and the wire type together name a field. */
#define FIELD(number, wire) ((uint64_t)(number) << 3 | (wire))

struct field {
    uint64_t tag;             /* number and wire type */
    uint64_t value;           /* of VARINT, 64 and 32 */
    struct steti_bytes bytes; /* of BYTES */
};

static stet_status broken(const char *name, const struct steti_bytes *at, const char *what,
                          stet_error *err)
{
    return steti_fail(err, STET_E_FORMAT,
                      "%s: %s at offset %zu; the file is damaged or not a SentencePiece model",
                      name, what, steti_bytes_offset(at));
}

static stet_status read_bytes(const char *name, struct steti_bytes *b, struct field *f,
                              stet_error *err)
{
    uint64_t len;
    if (!steti_bytes_varint(b, &len)) {
        return broken(name, b, "length is cut off or too long", err);
    }
    if (!steti_bytes_sub(b, len, &f->bytes)) {
        return broken(name, b, "field runs past the end of its message", err);
    }
    return STET_OK;
}

/* Reads the next field of a message that is not at its end. */
static stet_status next_field(const char *name, struct steti_bytes *b, struct field *f,
                              stet_error *err)
{
    struct steti_bytes start = *b;
    uint32_t v32 = 0;
    int ok = 1;
    if (!steti_bytes_varint(b, &f->tag) || f->tag > UINT32_MAX || f->tag >> 3 == 0) {
        return broken(name, &start, "no valid field number", err);
    }
    f->value = 0;
    switch (f->tag & 7) {
    case WIRE_VARINT:
        ok = steti_bytes_varint(b, &f->value);
        break;
    case WIRE_64:
        ok = steti_bytes_u64le(b, &f->value);
        break;
    case WIRE_BYTES:
        return read_bytes(name, b, f, err);
    case WIRE_32:
        ok = steti_bytes_u32le(b, &v32);
        f->value = v32;
        break;
    default:
        return broken(name, &start, "field of an unsupported wire type", err);
    }
    return ok ? STET_OK : broken(name, b, "value is cut off or too long", err);
}

static struct steti_spm_view view(const struct field *f)
{
    return (struct steti_spm_view){(const char *)f->bytes.p, steti_bytes_left(&f->bytes), 1};
}

/* Enumerations and int32 are sign-extended to 64 bits in the file; the low 32 bits count. */
static int64_t as_int(const struct field *f)
{
    return (int64_t)(int32_t)(uint32_t)f->value;
}

static float as_float(const struct field *f)
{
    uint32_t bits = (uint32_t)f->value;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static stet_status read_piece(const char *name, struct steti_bytes b,
                              struct steti_spm_proto_piece *out, stet_error *err)
{
    memset(out, 0, sizeof *out);
    out->type = STETI_SPM_NORMAL;
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(name, &b, &f, err));
        switch (f.tag) {
        case FIELD(PIECE_TEXT, WIRE_BYTES):
            out->text = view(&f);
            break;
        case FIELD(PIECE_SCORE, WIRE_32):
            out->score = as_float(&f);
            break;
        case FIELD(PIECE_TYPE, WIRE_VARINT):
            out->type = as_int(&f);
            break;
        default:
            break;
        }
    }
    return STET_OK;
}

static stet_status read_trainer(struct steti_spm_proto *p, struct steti_bytes b, stet_error *err)
{
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(p->name, &b, &f, err));
        switch (f.tag) {
        case FIELD(TRAINER_KIND, WIRE_VARINT):
            p->model_kind = as_int(&f);
            break;
        case FIELD(TRAINER_SUFFIX, WIRE_VARINT):
            p->treat_whitespace_as_suffix = f.value != 0;
            break;
        case FIELD(TRAINER_BYTE_FALLBACK, WIRE_VARINT):
            p->byte_fallback = f.value != 0;
            break;
        case FIELD(TRAINER_UNK_SURFACE, WIRE_BYTES):
            p->unk_surface = view(&f);
            break;
        case FIELD(TRAINER_BOS, WIRE_BYTES):
            p->bos_piece = view(&f);
            break;
        case FIELD(TRAINER_EOS, WIRE_BYTES):
            p->eos_piece = view(&f);
            break;
        case FIELD(TRAINER_PAD, WIRE_BYTES):
            p->pad_piece = view(&f);
            break;
        default:
            break;
        }
    }
    return STET_OK;
}

static stet_status read_normalizer(struct steti_spm_proto *p, struct steti_bytes b, stet_error *err)
{
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(p->name, &b, &f, err));
        switch (f.tag) {
        case FIELD(NORMALIZER_CHARSMAP, WIRE_BYTES):
            p->charsmap = view(&f);
            break;
        case FIELD(NORMALIZER_DUMMY, WIRE_VARINT):
            p->add_dummy_prefix = f.value != 0;
            break;
        case FIELD(NORMALIZER_EXTRA, WIRE_VARINT):
            p->remove_extra_whitespaces = f.value != 0;
            break;
        case FIELD(NORMALIZER_ESCAPE, WIRE_VARINT):
            p->escape_whitespaces = f.value != 0;
            break;
        default:
            break;
        }
    }
    return STET_OK;
}

static stet_status read_denormalizer(struct steti_spm_proto *p, struct steti_bytes b,
                                     stet_error *err)
{
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(p->name, &b, &f, err));
        if (f.tag == FIELD(NORMALIZER_CHARSMAP, WIRE_BYTES)) {
            p->denormalizer_charsmap = view(&f);
        }
    }
    return STET_OK;
}

static stet_status read_sample(const char *name, struct steti_bytes b,
                               struct steti_spm_proto_sample *out, stet_error *err)
{
    memset(out, 0, sizeof *out);
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(name, &b, &f, err));
        if (f.tag == FIELD(SAMPLE_INPUT, WIRE_BYTES)) {
            out->input = view(&f);
        } else if (f.tag == FIELD(SAMPLE_EXPECTED, WIRE_BYTES)) {
            out->expected = view(&f);
        }
    }
    return STET_OK;
}

/* With fn == NULL the samples are only read and counted in *n. */
static stet_status each_sample(const char *name, struct steti_bytes b, steti_spm_sample_fn fn,
                               void *ctx, size_t *n, stet_error *err)
{
    while (steti_bytes_left(&b) > 0) {
        struct steti_spm_proto_sample sample;
        struct field f;
        STETI_TRY(next_field(name, &b, &f, err));
        if (f.tag != FIELD(SELF_TEST_SAMPLES, WIRE_BYTES)) {
            continue;
        }
        STETI_TRY(read_sample(name, f.bytes, &sample, err));
        *n += 1;
        if (fn != NULL) {
            STETI_TRY(fn(ctx, &sample, err));
        }
    }
    return STET_OK;
}

static stet_status count_piece(struct steti_spm_proto *p, const struct field *f, stet_error *err)
{
    struct steti_spm_proto_piece piece;
    STETI_TRY(read_piece(p->name, f->bytes, &piece, err));
    if (piece.text.len == 0) {
        return steti_fail(err, STET_E_FORMAT, "%s: piece %zu is empty", p->name, p->n_pieces);
    }
    if (piece.text.len > STETI_SPM_MAX_PIECE) {
        return steti_fail(err, STET_E_FORMAT,
                          "%s: piece %zu has %zu bytes; at most %u are supported", p->name,
                          p->n_pieces, piece.text.len, STETI_SPM_MAX_PIECE);
    }
    p->n_pieces++;
    p->piece_bytes += piece.text.len;
    return STET_OK;
}

static stet_status read_model_field(struct steti_spm_proto *p, const struct field *f,
                                    stet_error *err)
{
    switch (f->tag) {
    case FIELD(MODEL_PIECES, WIRE_BYTES):
        return count_piece(p, f, err);
    case FIELD(MODEL_TRAINER, WIRE_BYTES):
        return read_trainer(p, f->bytes, err);
    case FIELD(MODEL_NORMALIZER, WIRE_BYTES):
        return read_normalizer(p, f->bytes, err);
    case FIELD(MODEL_SELF_TEST, WIRE_BYTES):
        return each_sample(p->name, f->bytes, NULL, NULL, &p->n_samples, err);
    case FIELD(MODEL_DENORMALIZER, WIRE_BYTES):
        return read_denormalizer(p, f->bytes, err);
    default:
        return STET_OK;
    }
}

stet_status steti_spm_proto_read(const void *data, size_t len, const char *name,
                                 struct steti_spm_proto *out, stet_error *err)
{
    struct steti_bytes b;
    memset(out, 0, sizeof *out);
    out->name = name;
    out->model_kind = STETI_SPM_UNIGRAM;
    out->add_dummy_prefix = out->remove_extra_whitespaces = out->escape_whitespaces = 1;
    if (len > STETI_SPM_MAX_FILE) {
        return steti_fail(err, STET_E_FORMAT, "%s: %zu bytes; at most %zu are supported", name, len,
                          STETI_SPM_MAX_FILE);
    }
    steti_bytes_init(&b, data, len);
    out->file = b;
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(name, &b, &f, err));
        STETI_TRY(read_model_field(out, &f, err));
    }
    return STET_OK;
}

stet_status steti_spm_proto_pieces(const struct steti_spm_proto *p, steti_spm_piece_fn fn,
                                   void *ctx, stet_error *err)
{
    struct steti_bytes b = p->file;
    while (steti_bytes_left(&b) > 0) {
        struct steti_spm_proto_piece piece;
        struct field f;
        STETI_TRY(next_field(p->name, &b, &f, err));
        if (f.tag != FIELD(MODEL_PIECES, WIRE_BYTES)) {
            continue;
        }
        STETI_TRY(read_piece(p->name, f.bytes, &piece, err));
        STETI_TRY(fn(ctx, &piece, err));
    }
    return STET_OK;
}

stet_status steti_spm_proto_samples(const struct steti_spm_proto *p, steti_spm_sample_fn fn,
                                    void *ctx, stet_error *err)
{
    struct steti_bytes b = p->file;
    size_t n = 0;
    while (steti_bytes_left(&b) > 0) {
        struct field f;
        STETI_TRY(next_field(p->name, &b, &f, err));
        if (f.tag == FIELD(MODEL_SELF_TEST, WIRE_BYTES)) {
            STETI_TRY(each_sample(p->name, f.bytes, fn, ctx, &n, err));
        }
    }
    return STET_OK;
}
