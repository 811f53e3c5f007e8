/* spm_build.h - the steps of opening a SentencePiece model that have a file of their own. */
#ifndef STETI_SPM_BUILD_H
#define STETI_SPM_BUILD_H

#include "spm_model.h"
#include "spm_proto.h"

/* spm_index.c: refuses duplicate pieces, builds the search trees. */
stet_status steti_spm_index_pieces(struct steti_spm_model *m, const char *name, stet_error *err);

/* spm_charsmap.c: copies and checks the normalisation rules; legal on a view that is not set. */
stet_status steti_spm_charsmap_open(const struct steti_spm_view *blob, const char *name,
                                    struct steti_spm_charsmap *out, stet_error *err);
void steti_spm_charsmap_close(struct steti_spm_charsmap *c);

/* spm_self_test.c: encodes the samples of the file and refuses a model that disagrees with them. */
stet_status steti_spm_self_test(const struct steti_spm_model *m,
                                const struct steti_spm_proto *proto, stet_error *err);

#endif
