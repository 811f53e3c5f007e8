/* Parses any bytes as config.json and, after the first NUL byte, as generation_config.json. What is
 * accepted must have the properties that the rest of the library relies on. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "model.h"
#include "spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int is_id(const struct steti_spec *s, int32_t id)
{
    return id >= 0 && id < s->vocab_size;
}

static int are_ids(const struct steti_spec *s, const struct steti_wrap *w, int least)
{
    for (int i = 0; i < w->n && i < STETI_WRAP_MAX; i++) {
        if (!is_id(s, w->id[i])) {
            return 0;
        }
    }
    return w->n >= least && w->n <= STETI_WRAP_MAX;
}

/* Words of at least two tokens, all of the vocabulary, that end where the list ends. */
static int are_words_sound(const struct steti_spec *s)
{
    const struct steti_generation *g = &s->generation;
    int at = 0;
    while (at >= 0 && at < g->n_bad_words && g->n_bad_words <= STETI_BAD_WORDS_MAX) {
        int n = g->bad_words[at];
        if (n < 2 || n > g->n_bad_words - at - 1) {
            return 0;
        }
        for (int i = at + 1; i <= at + n; i++) {
            if (!is_id(s, g->bad_words[i])) {
                return 0;
            }
        }
        at += 1 + n;
    }
    return at == g->n_bad_words;
}

static int are_rules_sound(const struct steti_spec *s)
{
    const struct steti_generation *g = &s->generation;
    if (g->n_begin > STETI_BEGIN_MAX || g->n_more_ends > STETI_ENDS_MAX) {
        return 0;
    }
    for (int i = 0; i < g->n_begin; i++) {
        if (!is_id(s, g->begin[i])) {
            return 0;
        }
    }
    for (int i = 0; i < g->n_more_ends; i++) {
        if (!is_id(s, g->more_ends[i]) || g->more_ends[i] == s->eos_id) {
            return 0;
        }
    }
    return g->no_repeat_ngram >= 0 && g->encoder_no_repeat_ngram >= 0 && g->min_length >= 0 &&
           g->max_out >= 0 && g->repeat_factor >= 0.0f && g->encoder_factor >= 0.0f &&
           are_words_sound(s);
}

static int are_ids_sound(const struct steti_spec *s)
{
    for (int i = 0; i < s->n_banned && i < STETI_BANNED_MAX; i++) {
        if (!is_id(s, s->banned[i])) {
            return 0;
        }
    }
    return is_id(s, s->eos_id) && is_id(s, s->start_id) && s->n_banned <= STETI_BANNED_MAX &&
           are_ids(s, &s->start, 1) && are_ids(s, &s->src_prefix, 0) &&
           are_ids(s, &s->src_suffix, 1) && are_rules_sound(s);
}

static int are_positions_sound(const struct steti_spec *s)
{
    return s->max_positions > 0 && s->position_offset >= 0 &&
           (s->positions != STETI_POS_RELATIVE ||
            (s->rel_buckets >= 4 && s->rel_max_distance > s->rel_buckets / 2));
}

static int is_sound(const struct steti_spec *s)
{
    return s->vocab_size > 0 && s->d_model > 0 && s->enc_layers > 0 && s->dec_layers > 0 &&
           s->enc_heads > 0 && s->enc_head_dim > 0 && s->dec_heads > 0 && s->dec_head_dim > 0 &&
           s->enc_attn_groups > 0 && s->enc_attn_groups <= s->enc_layers && s->enc_ffn_groups > 0 &&
           s->enc_ffn_groups <= s->enc_layers && s->norm_eps > 0.0f && are_positions_sound(s) &&
           are_ids_sound(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *config = (const char *)data;
    const char *nul = size > 0 ? memchr(config, '\0', size) : NULL;
    size_t config_len = nul != NULL ? (size_t)(nul - config) : size;
    const char *generation = nul != NULL ? nul + 1 : NULL;
    size_t generation_len = nul != NULL ? size - config_len - 1 : 0;
    struct steti_session_limits limits = {
        .max_rows = 1 << 16, .n_slots = 1024, .max_src = 4096, .max_tgt = 4096};
    struct steti_spec spec;
    stet_error err = {.struct_size = sizeof err};
    stet_status st =
        steti_spec_parse(config, config_len, generation, generation_len, "fuzz", &spec, &err);
    if (st != STET_OK) {
        if (err.message[0] == '\0' || err.code != st) {
            __builtin_trap();
        }
        return 0;
    }
    if (!is_sound(&spec)) {
        __builtin_trap();
    }
    (void)steti_session_bytes(&spec, &limits);
    return 0;
}
