/* config_family.h - how each family's config.json becomes a spec. Private to models/.
 *
 * Each reader gets a spec with the defaults of config.c and its family, and fills the shapes and
 * switches; ids come from config_read_ids.
 */
#ifndef STETI_CONFIG_FAMILY_H
#define STETI_CONFIG_FAMILY_H

#include "config_value.h"
#include "spec.h"

/* Edgeformer and transformer, whose keys are stet's own. */
stet_status config_read_fairseq(const struct config *s, struct steti_spec *m, stet_error *err);
/* bart, mbart, marian and m2m_100. */
stet_status config_read_bart(const struct config *s, struct steti_spec *m, stet_error *err);
/* t5 and mt5. */
stet_status config_read_t5(const struct config *s, struct steti_spec *m, stet_error *err);

/* Keys that the first two share: vocab_size, d_model, layers, heads and inner sizes. */
stet_status config_read_shapes(const struct config *s, struct steti_spec *m, stet_error *err);
/* relu, gelu, gelu_new, silu, swish. */
extern const struct config_choice config_activations[];

/* pad_token_id, bos_token_id, eos_token_id and decoder_start_token_id; what is absent keeps its
 * value. Of several ends the first becomes eos_id. */
stet_status config_read_ids(const struct config *s, struct steti_spec *m, stet_error *err);
/* Makes `id` the end that stands behind sources, if it is an end. */
void config_prefer_end(struct steti_spec *m, int32_t id);
/* What the folder wants of decoding besides: forced tokens, and then the rules. */
stet_status config_read_generation(const struct config *s, struct steti_spec *m, stet_error *err);
/* Forbidden tokens, rules about the next token, and lengths (config_rules.c). Refuses what would
 * change greedy outputs and is not followed. Ids and forced tokens have been read. */
stet_status config_read_rules(const struct config *s, struct steti_spec *m, stet_error *err);
/* Checks that the ids are there, and sets what stands around sources and outputs. */
stet_status config_finish_ids(const struct config *s, struct steti_spec *m, stet_error *err);

/* tokenizer_config.json: which languages the folder was saved for, and where they stand. */
stet_status config_read_languages(const struct config *s, struct steti_spec *m, stet_error *err);

#endif
