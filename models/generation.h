/* generation.h - what a folder wants of greedy decoding besides the largest logit.
 *
 * These are rules about the next token, given the source and the tokens before it. Tokens of an
 * output are counted from the decoder's start token on, a forced first token included. The engine
 * applies the rules to every row (token_rules.h). A zeroed struct has none.
 */
#ifndef STETI_GENERATION_H
#define STETI_GENERATION_H

#include <stdint.h>

/* Most tokens that a folder may forbid at the beginning; most entries of bad_words; most tokens
 * besides eos_id that end an output. */
#define STETI_BEGIN_MAX 256
#define STETI_BAD_WORDS_MAX 2048
#define STETI_ENDS_MAX 16

struct steti_generation {
    /* A token may not complete a run of so many tokens that stands in the output already, or in the
     * source with the tokens around it. 0: no such rule. */
    int no_repeat_ngram, encoder_no_repeat_ngram;
    /* Positive logits of tokens that stand in the output, or in the source, are divided by this,
     * the others multiplied. 0: no such rule. */
    float repeat_factor, encoder_factor;
    int min_length; /* an output of fewer tokens does not end */
    int max_out;    /* most tokens behind the start tokens, the end included; 0: not said */
    int n_begin;
    int32_t begin[STETI_BEGIN_MAX]; /* never the first token behind the start tokens */
    int n_bad_words;                /* entries of bad_words that are in use */
    /* Word after word: how many tokens it has, >= 2, and the tokens. The last of them is not chosen
     * behind the others. */
    int32_t bad_words[STETI_BAD_WORDS_MAX];
    int n_more_ends;
    int32_t more_ends[STETI_ENDS_MAX]; /* end an output as eos_id does */
};

/* 1 if some row's choice depends on more than its logits. */
int steti_generation_has_rules(const struct steti_generation *g);

#endif
