/* languages.h - names of languages to the tokens that tell a model which it reads and writes.
 * Private to host/api.
 *
 * A language is a piece of the tokenizer that looks like one: __en__ (M2M-100), eng_Latn or en_XX
 * (NLLB, mBART), >>deu<< (Marian). The marks around a name may be left out. */
#ifndef STETI_LANGUAGES_H
#define STETI_LANGUAGES_H

#include "api_options.h"
#include "spec.h"
#include "tokenizer.h"

/* -1: there is none of this name. */
int32_t language_find(const struct steti_tokenizer *t, const char *name);
/* How many there are; the first few, with commas between them, go to `some` (cap > 0). */
int language_list(const struct steti_tokenizer *t, char *some, size_t cap);

/* What stands around sources and outputs of an engine with these options. STET_E_INVALID: the model
 * has no such language, none at all, or wants one and nobody says which. */
stet_status language_around(const struct steti_tokenizer *t, const struct steti_spec *spec,
                            const struct api_options *o, struct steti_around *out, stet_error *err);

#endif
