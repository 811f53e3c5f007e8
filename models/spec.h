/* spec.h - what a model is: shapes, switches and token ids, read from config.json.
 *
 * One forward (encdec.c) serves every family; a family is a spec and a table of tensor names.
 */
#ifndef STETI_SPEC_H
#define STETI_SPEC_H

#include <stdint.h>

#include "backend.h"
#include "generation.h"
#include "status.h"

enum steti_family {
    STETI_FAMILY_EDGEFORMER,
    STETI_FAMILY_TRANSFORMER,
    STETI_FAMILY_BART,
    STETI_FAMILY_MBART,
    STETI_FAMILY_MARIAN,
    STETI_FAMILY_M2M_100,
    STETI_FAMILY_T5,
    STETI_FAMILY_MT5
};

enum steti_positions {
    STETI_POS_SINUSOIDAL,    /* [sin | cos] halves, frequency 10000^(-i / (half - 1)) (fairseq) */
    STETI_POS_SINUSOIDAL_2I, /* the same with 10000^(-2i / d) (Vaswani et al. 2017, section 3.5) */
    STETI_POS_LEARNED,
    /* none on the embeddings: a bias on the scores of self-attention, by distance (relative_bias.h)
     */
    STETI_POS_RELATIVE
};

/* Special tokens that stand around a text: at most so many on each side. */
#define STETI_WRAP_MAX 2
struct steti_wrap {
    int n;
    int32_t id[STETI_WRAP_MAX];
};

/* Where the language of a source stands when the tokenizer says which it is. */
enum steti_language_place { STETI_LANGUAGE_NONE, STETI_LANGUAGE_FIRST, STETI_LANGUAGE_LAST };

/* Most single tokens that a folder may forbid. */
#define STETI_BANNED_MAX 256

struct steti_spec {
    enum steti_family family;
    int vocab_size, d_model;
    int enc_layers, dec_layers;
    int enc_heads, dec_heads;
    int enc_head_dim, dec_head_dim; /* heads * head_dim need not be d_model */
    int enc_ffn, dec_ffn;
    /* layer i uses set i % groups where it has none of its own */
    int enc_attn_groups, enc_ffn_groups;
    /* decoder layer j may use encoder sets 2j (self) and 2j + 1 (cross) */
    int dec_shares_attn;
    /* EdgeFormer: self, ffn, cross, ffn, with the same ffn and norm */
    int dec_ffn_twice;
    /* 0: x = norm(x + f(x)); 1: x = x + f(norm(x)), and a norm at the end */
    int enc_pre_norm, dec_pre_norm;
    int embed_norm; /* a norm on the embeddings */
    /* the output layer is the embedding table; else lm_head.weight */
    int tied_head;
    int prefers_own_head; /* tied_head, but lm_head.weight counts where the folder has it */
    float head_scale;     /* logits = head_scale * x . w + bias */
    enum steti_norm norm;
    enum steti_act act;
    int ffn_gated;        /* fc2(act(fc1 x) * (gate x)); else fc2(act(fc1 x)) */
    int unscaled_queries; /* scores are q . k; else q . k / sqrt(head_dim) */
    float norm_eps;
    float embed_scale;
    enum steti_positions positions;
    int position_offset; /* table row of position 0 */
    int max_positions;   /* positions that a sequence may have */
    int rel_buckets, rel_max_distance;
    /* pad_id, bos_id: -1 when there is none. eos_id is the end that stands behind sources; outputs
     * may have others besides (generation.more_ends). */
    int32_t pad_id, bos_id, eos_id, start_id;
    /* What stands around a source when the encoder reads it. Never drafted. */
    struct steti_wrap src_prefix, src_suffix;
    enum steti_language_place language_place;
    char source_language[24]; /* as tokenizer_config.json calls it; "": it does not say */
    /* What the decoder reads before its first own token: start_id, then what is forced. */
    struct steti_wrap start;
    int forced_end; /* an output of full length ends with the end-of-sentence token */
    int n_banned;
    int32_t banned[STETI_BANNED_MAX]; /* tokens that are never chosen */
    struct steti_generation generation;
};

const char *steti_family_name(enum steti_family f);

/* 1 if the token ends an output. */
int steti_spec_is_end(const struct steti_spec *s, int32_t id);

/* Tokens that the encoder reads besides a source's own. */
static inline int steti_spec_wrap_rows(const struct steti_spec *s)
{
    return s->src_prefix.n + s->src_suffix.n;
}

/* Sets the token of the source's language where the family has one. */
void steti_spec_set_source_language(struct steti_spec *s, int32_t id);

/* Reads config.json and, where they are, generation_config.json and tokenizer_config.json of
 * `folder`. Messages name file and key. STET_E_IO, STET_E_FORMAT: broken file; STET_E_MODEL: not a
 * family or a value that stet can run. */
stet_status steti_spec_read(const char *folder, struct steti_spec *out, stet_error *err);

/* The same from memory, for tests and fuzzing; `generation` may be NULL. */
stet_status steti_spec_parse(const char *config, size_t config_len, const char *generation,
                             size_t generation_len, const char *folder, struct steti_spec *out,
                             stet_error *err);
/* Adds what tokenizer_config.json says of languages. */
stet_status steti_spec_parse_tokenizer(const char *text, size_t len, const char *folder,
                                       struct steti_spec *spec, stet_error *err);

#endif
