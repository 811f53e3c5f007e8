/* token_rules.h - what the rules of a folder (generation.h) say about the next token: functions of
 * the source and the tokens so far, and of nothing else.
 *
 * The object follows one output at a time. Tokens are pushed, and taken back to look along another
 * branch of a draft; `write` lists what the rules change for the token that comes next. The list is
 * a set with factors, so its order says nothing about how the tokens came there: a row of a draft
 * and the same row of greedy decoding have the same list.
 *
 * What is found is marked in one bit for each token of the vocabulary and read in ascending order:
 * no sorting, and no list longer than the vocabulary. Nothing is allocated after opening.
 */
#ifndef STETI_TOKEN_RULES_H
#define STETI_TOKEN_RULES_H

#include <stddef.h>
#include <stdint.h>

#include "backend.h"
#include "spec.h"

struct steti_token_rules;

/* Bytes of one for sources and outputs of so many tokens, special ones included; 0 on overflow. */
size_t steti_token_rules_bytes(const struct steti_spec *spec, int max_src, int max_tgt);
/* Longest list that `write` can make. */
size_t steti_token_rules_most(const struct steti_spec *spec, int max_src, int max_tgt);
stet_status steti_token_rules_open(const struct steti_spec *spec, int max_src, int max_tgt,
                                   struct steti_token_rules **out, stet_error *err);
void steti_token_rules_close(struct steti_token_rules *r); /* NULL is legal */

/* Begins an output: no source and no tokens so far, not even a start token. */
void steti_token_rules_begin(struct steti_token_rules *r);
/* Appends to the source, which is all that the encoder read, the tokens around it included. At most
 * max_src tokens in all; copied. */
void steti_token_rules_source(struct steti_token_rules *r, const int32_t *ids, int n);
/* Ids must be tokens of the vocabulary, at most max_tgt of them. */
void steti_token_rules_push(struct steti_token_rules *r, int32_t id);
int steti_token_rules_length(const struct steti_token_rules *r);
/* Takes the last tokens back until n are left. */
void steti_token_rules_truncate(struct steti_token_rules *r, int n);

/* Changes of the next token's logits, ids ascending and each once. Returns how many. */
int steti_token_rules_write(struct steti_token_rules *r, struct steti_adjust *out);

#endif
