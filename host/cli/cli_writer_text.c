/* The corrected text, and the source with its edits marked inside it. */
#include "cli_writer.h"

#define DELETED "\033[9;31m"
#define INSERTED "\033[32m"
#define RESET "\033[0m"

static stet_status append_tail(struct steti_writer *w, const struct steti_unit *u, stet_error *err)
{
    return steti_buf_append(w->out, u->text + u->len, u->tail, err);
}

static stet_status plain_item(struct steti_writer *w, const struct steti_item *item,
                              stet_error *err)
{
    STETI_TRY(steti_buf_append(w->out, item->out, item->out_len, err));
    return append_tail(w, item->unit, err);
}

/* The marks stay where there are colours: not everybody sees red and green. */
static stet_status append_mark(struct steti_writer *w, const char *marks, const char *text,
                               size_t len, stet_error *err)
{
    int deleted = marks[1] == '-';
    if (len == 0) {
        return STET_OK;
    }
    if (w->color) {
        STETI_TRY(steti_buf_puts(w->out, deleted ? DELETED : INSERTED, err));
    }
    STETI_TRY(steti_buf_append(w->out, marks, 2, err));
    STETI_TRY(steti_buf_append(w->out, text, len, err));
    STETI_TRY(steti_buf_append(w->out, marks + 2, 2, err));
    return w->color ? steti_buf_puts(w->out, RESET, err) : STET_OK;
}

static stet_status marks_item(struct steti_writer *w, const struct steti_item *item,
                              stet_error *err)
{
    const char *text = item->unit->text;
    size_t done = 0;
    for (size_t i = 0; i < item->n_edits; i++) {
        const stet_edit *e = &item->edits[i];
        STETI_TRY(steti_buf_append(w->out, text + done, (size_t)e->src_off - done, err));
        STETI_TRY(append_mark(w, "[--]", text + e->src_off, (size_t)e->src_len, err));
        STETI_TRY(append_mark(w, "{++}", e->text, e->text_len, err));
        done = (size_t)(e->src_off + e->src_len);
    }
    STETI_TRY(steti_buf_append(w->out, text + done, item->unit->len - done, err));
    return append_tail(w, item->unit, err);
}

const struct steti_writer_ops steti_writer_plain = {.item = plain_item};
const struct steti_writer_ops steti_writer_marks = {.item = marks_item};
