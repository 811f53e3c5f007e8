/* spec.h - what a model is: shapes, switches and token ids, read from config.json.
 *
 * One forward (encdec.c) serves every family; a family is a spec and a table of tensor names.
 */
#ifndef STETI_SPEC_H
#define STETI_SPEC_H

#include <stdint.h>

#include "backend.h"
#include "status.h"

enum steti_family { STETI_FAMILY_EDGEFORMER, STETI_FAMILY_TRANSFORMER };

enum steti_positions {
    STETI_POS_SINUSOIDAL, /* [sin | cos] halves, frequency 10000^(-i / (half - 1)) (fairseq) */
    STETI_POS_LEARNED
};

struct steti_spec {
    enum steti_family family;
    int vocab_size, d_model;
    int enc_layers, dec_layers;
    int enc_heads, dec_heads;
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
    enum steti_norm norm;
    enum steti_act act;
    float norm_eps;
    float embed_scale;
    enum steti_positions positions;
    int position_offset; /* table row of position 0 */
    int max_positions;   /* positions that a sequence may have */
    int32_t pad_id, eos_id, start_id;
};

const char *steti_family_name(enum steti_family f);

/* Reads config.json and, where there is one, generation_config.json of `folder`. Messages name file
 * and key. STET_E_IO, STET_E_FORMAT: broken file; STET_E_MODEL: not a family or a value that stet
 * can run. */
stet_status steti_spec_read(const char *folder, struct steti_spec *out, stet_error *err);

/* The same from memory, for tests and fuzzing; `generation` may be NULL. */
stet_status steti_spec_parse(const char *config, size_t config_len, const char *generation,
                             size_t generation_len, const char *folder, struct steti_spec *out,
                             stet_error *err);

#endif
