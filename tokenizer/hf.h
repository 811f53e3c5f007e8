/* hf.h - a tokenizer as a tokenizer.json file describes it.
 *
 *   text -> added tokens cut out -> normalised -> added tokens again -> cut into words -> model
 *
 * What stands between the arrows is a list of stages. Each reads a text that is cut into segments
 * and writes it anew, or cuts the segments further. Every byte of the text in between knows the
 * source byte it was made from.
 */
#ifndef STETI_HF_H
#define STETI_HF_H

#include "spm_normalize.h"
#include "tokenizer_kinds.h"
#include "vocab.h"

#define STETI_HF_MAX_FILE ((size_t)256 << 20)
#define STETI_HF_MAX_STAGES 64
#define STETI_HF_MAX_PIECE 65535u

/* A part of the text, or a token that has been found already (id >= 0; no text then). */
struct steti_hf_seg {
    uint32_t begin, end;         /* in the text of the stage */
    uint32_t src_begin, src_end; /* in the source */
    int32_t id;
};
struct steti_hf_segs {
    struct steti_hf_seg *data;
    size_t len, cap;
};

/* Memory of one call of encode. */
struct steti_hf_run {
    struct steti_spm_text text, next;
    struct steti_hf_segs segs, next_segs;
    void *scratch[3]; /* of the model; see hf_bpe.c, hf_unigram.c */
    size_t scratch_cap[3];
    uint64_t work;
    stet_error *err;
};
void steti_hf_run_free(struct steti_hf_run *r);
stet_status steti_hf_put(struct steti_hf_run *r, const char *s, size_t n, uint32_t source);
stet_status steti_hf_put_seg(struct steti_hf_run *r, struct steti_hf_seg s);

enum steti_hf_op {
    /* These write the text anew. */
    STETI_HF_CHARSMAP,   /* normalisation rules */
    STETI_HF_REPLACE,    /* `from` becomes `to` */
    STETI_HF_SQUEEZE,    /* two or more spaces become `to` */
    STETI_HF_PREFIX,     /* `to` before a segment, as the flags say */
    STETI_HF_BYTE_CHARS, /* every byte becomes a visible character */
    /* These cut it. */
    STETI_HF_ADDED,       /* at added tokens; flags: index of the tree */
    STETI_HF_STRIP,       /* white space at the edges, as the flags say */
    STETI_HF_SPACE_SPLIT, /* at white space, which is dropped */
    STETI_HF_MARK_SPLIT,  /* before every `to` */
    STETI_HF_GPT2_SPLIT   /* into words as GPT-2 has them */
};
#define STETI_HF_LEFT 1         /* of STRIP */
#define STETI_HF_RIGHT 2        /* of STRIP */
#define STETI_HF_FIRST_ONLY 1   /* of PREFIX: only where the segment begins the source */
#define STETI_HF_UNLESS_THERE 2 /* of PREFIX: not if the segment begins with it */

struct steti_hf_stage {
    enum steti_hf_op op;
    int flags;
    char *from, *to;
    size_t from_len, to_len;
    struct steti_spm_charsmap charsmap;
};

struct steti_hf_added {
    int32_t id;
    int single_word, lstrip, rstrip, normalized, special;
};

/* One merge of a pair; those of one left id lie together, sorted by the right one. */
struct steti_hf_merge {
    int32_t right, rank;
    int32_t id; /* -1: never made */
};
struct steti_hf_bpe {
    uint32_t *rows; /* merges of left id i: [rows[i], rows[i + 1]) */
    struct steti_hf_merge *merges;
    size_t n_merges;
    int32_t unk_id; /* -1: characters that are not in the vocabulary vanish */
    int fuse_unk, ignore_merges;
};
struct steti_hf_unigram {
    double *scores; /* [vocab.n] */
    double min_score;
    int32_t unk_id;
};

enum steti_hf_decoder {
    STETI_HF_DECODE_WORDS, /* no decoder: pieces are joined by spaces */
    STETI_HF_DECODE_PLAIN, /* the steps in order */
    STETI_HF_DECODE_MARKS, /* Metaspace */
    STETI_HF_DECODE_BYTES  /* ByteLevel */
};
#define STETI_HF_MAX_REPLACEMENTS 8
struct steti_hf_decode {
    enum steti_hf_decoder kind;
    char *mark; /* of MARKS */
    int drop_first_marks;
    /* of PLAIN */
    struct steti_hf_stage replace[STETI_HF_MAX_REPLACEMENTS];
    int n_replace;
    int byte_fallback;
    int fused; /* `strip` counts from the start of the text, not of every piece */
    char strip;
    int64_t n_strip;
};

struct steti_hf {
    struct steti_tokenizer base;
    struct steti_vocab vocab;
    struct steti_hf_added *added;
    size_t n_added;
    struct steti_spm_trie match[2]; /* added tokens as they are, and normalised */
    struct steti_hf_stage stages[STETI_HF_MAX_STAGES];
    size_t n_stages, n_normalizers; /* the normalizers are stages [1, 1 + n_normalizers) */
    int is_unigram, byte_fallback;
    int32_t byte_ids[256]; /* of <0x00> ..; -1: none */
    struct steti_hf_bpe bpe;
    struct steti_hf_unigram unigram;
    struct steti_hf_decode decode;
    const char *mark; /* how pieces say that a space stands before them; "" */
    /* Byte-level only: what the pieces are in bytes, and where each begins. */
    char *bytes;
    uint32_t *bytes_off; /* [vocab.n + 1] */
};

/* hf_stages.c: runs stages [first, last) on the text and segments of r. */
stet_status steti_hf_stages_run(const struct steti_hf *h, size_t first, size_t last,
                                struct steti_hf_run *r);
/* hf_split.c: the cutting stages, for one segment. */
stet_status steti_hf_cut(const struct steti_hf *h, const struct steti_hf_stage *stage,
                         struct steti_hf_run *r, const struct steti_hf_seg *s);
/* hf_added.c */
stet_status steti_hf_cut_added(const struct steti_hf *h, int tree, struct steti_hf_run *r,
                               const struct steti_hf_seg *s);
/* gpt2_split.c: length of the first word of s[0..n), n > 0. */
size_t steti_gpt2_word(const char *s, size_t n);

/* hf_bpe.c, hf_unigram.c: append the pieces of a segment. */
stet_status steti_hf_bpe_encode(const struct steti_hf *h, struct steti_hf_run *r,
                                const struct steti_hf_seg *s, struct steti_pieces *out);
stet_status steti_hf_unigram_encode(const struct steti_hf *h, struct steti_hf_run *r,
                                    const struct steti_hf_seg *s, struct steti_pieces *out);
/* Where the piece that ends at text byte `end` of the segment ends in the source. */
static inline uint32_t steti_hf_source_end(const struct steti_hf_run *r,
                                           const struct steti_hf_seg *s, uint32_t end)
{
    return end == s->end ? s->src_end : r->text.map[end];
}

/* hf_decode.c */
stet_status steti_hf_decode_ids(const struct steti_hf *h, const int32_t *ids, size_t n,
                                struct steti_buf *out, uint32_t *ends, stet_error *err);

/* hf_tokenizer.c */
struct steti_hf *steti_hf_new(stet_error *err);
void steti_hf_close(struct steti_hf *h);
stet_status steti_hf_finish(struct steti_hf *h, stet_error *err);

#endif
