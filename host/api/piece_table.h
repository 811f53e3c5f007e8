/* piece_table.h - what the draft policies know of each piece of a vocabulary, from its text. */
#ifndef STETI_PIECE_TABLE_H
#define STETI_PIECE_TABLE_H

#include "draft.h"
#include "tokenizer.h"

struct piece_table {
    struct steti_draft_piece *data; /* NULL: the pieces do not tell where words begin */
    int n;
    struct steti_draft_spelling spelling; /* in the tokenizer's memory; nothing without data */
    struct steti_draft_text *texts;       /* its memory */
};

/* Free with piece_table_free; the tokenizer must outlive the table. */
stet_status piece_table_init(struct piece_table *t, const struct steti_tokenizer *tokenizer,
                             stet_error *err);
void piece_table_free(struct piece_table *t); /* legal on a zeroed struct */

#endif
