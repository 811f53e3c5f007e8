#include "languages.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 6 /* languages that a message names */

static int is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static int is_letter(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

/* en_XX, eng_Latn. */
static int is_code(const char *s, size_t n)
{
    size_t k = 0;
    while (k < n && is_lower(s[k])) {
        k++;
    }
    if (k < 2 || k > 3 || k >= n || s[k] != '_') {
        return 0;
    }
    for (size_t i = k + 1; i < n; i++) {
        if (!is_letter(s[i])) {
            return 0;
        }
    }
    return (n - k == 3 || n - k == 5) && !is_lower(s[k + 1]);
}

/* Takes the marks around a name off. 0: the piece is no language. */
static int take_name(const char *s, size_t n, const char **name, size_t *len)
{
    int marked = n > 4 && ((memcmp(s, "__", 2) == 0 && memcmp(s + n - 2, "__", 2) == 0) ||
                           (memcmp(s, ">>", 2) == 0 && memcmp(s + n - 2, "<<", 2) == 0));
    *name = marked ? s + 2 : s;
    *len = marked ? n - 4 : n;
    return marked || is_code(s, n);
}

int32_t language_find(const struct steti_tokenizer *t, const char *name)
{
    size_t n = strlen(name);
    for (int32_t id = steti_tokenizer_vocab_size(t) - 1; id >= 0; id--) {
        size_t len = 0, bare_len;
        const char *piece = steti_tokenizer_piece(t, id, &len), *bare;
        if (piece != NULL && take_name(piece, len, &bare, &bare_len) &&
            ((len == n && memcmp(piece, name, n) == 0) ||
             (bare_len == n && memcmp(bare, name, n) == 0))) {
            return id;
        }
    }
    return -1;
}

int language_list(const struct steti_tokenizer *t, char *some, size_t cap)
{
    int count = 0;
    size_t used = 0;
    some[0] = '\0';
    for (int32_t id = 0; id < steti_tokenizer_vocab_size(t); id++) {
        size_t len = 0, bare_len;
        const char *piece = steti_tokenizer_piece(t, id, &len), *bare;
        if (piece == NULL || !take_name(piece, len, &bare, &bare_len)) {
            continue;
        }
        if (count < SHOWN && used < cap) {
            used += (size_t)snprintf(some + used, cap - used, "%s%.*s", count > 0 ? ", " : "",
                                     (int)bare_len, bare);
        }
        count++;
    }
    return count;
}

static stet_status unknown(const struct steti_tokenizer *t, const char *key, const char *name,
                           stet_error *err)
{
    char some[160];
    int n = language_list(t, some, sizeof some);
    if (n == 0) {
        return steti_fail(err, STET_E_INVALID,
                          "option %s: \"%.60s\" is not possible, no piece of the model's tokenizer "
                          "is a language; mBART and NLLB folders need a tokenizer.json",
                          key, name);
    }
    return steti_fail(err, STET_E_INVALID,
                      "option %s: \"%.60s\" is not one of the model's %d languages, such as %s",
                      key, name, n, some);
}

static stet_status resolve(const struct steti_tokenizer *t, const char *key, const char *name,
                           int32_t *id, stet_error *err)
{
    *id = language_find(t, name);
    return *id >= 0 ? STET_OK : unknown(t, key, name, err);
}

static stet_status set_source(const struct steti_tokenizer *t, struct steti_spec *spec,
                              const struct api_options *o, stet_error *err)
{
    const char *name = o->source_language != NULL ? o->source_language : spec->source_language;
    char some[160];
    int32_t id;
    if (spec->language_place == STETI_LANGUAGE_NONE) {
        return o->source_language == NULL
                   ? STET_OK
                   : steti_fail(err, STET_E_INVALID,
                                "option source_language: this model is not told the language of "
                                "its input");
    }
    if (name[0] == '\0') {
        language_list(t, some, sizeof some);
        return steti_fail(err, STET_E_INVALID,
                          "option source_language: the model wants the language of its input and "
                          "tokenizer_config.json has no src_lang; there are %s",
                          some[0] != '\0' ? some : "no languages in its tokenizer");
    }
    STETI_TRY(resolve(t, "source_language", name, &id, err));
    steti_spec_set_source_language(spec, id);
    return STET_OK;
}

static stet_status set_target(const struct steti_tokenizer *t, struct steti_spec *spec,
                              const struct api_options *o, stet_error *err)
{
    const char *name = o->target_language;
    int32_t id;
    if (name == NULL && steti_spec_wants_target(spec)) {
        name = spec->target_language;
    }
    if (name == NULL || name[0] == '\0') {
        return STET_OK;
    }
    if (spec->language_place == STETI_LANGUAGE_NONE && spec->family != STETI_FAMILY_MARIAN) {
        return steti_fail(err, STET_E_INVALID,
                          "option target_language: this model is not told the language of its "
                          "output");
    }
    STETI_TRY(resolve(t, "target_language", name, &id, err));
    steti_spec_set_target_language(spec, id);
    return STET_OK;
}

stet_status language_around(const struct steti_tokenizer *t, const struct steti_spec *spec,
                            const struct api_options *o, struct steti_around *out, stet_error *err)
{
    struct steti_spec own = *spec; /* the model's is every engine's */
    STETI_TRY(set_source(t, &own, o, err));
    STETI_TRY(set_target(t, &own, o, err));
    *out = steti_spec_around(&own);
    return STET_OK;
}
