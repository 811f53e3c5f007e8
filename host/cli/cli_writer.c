#include "cli_writer.h"

#include <string.h>

#include "alloc.h"
#include "cli_args.h"

stet_status steti_edit_list_fetch(struct steti_edit_list *list, const stet_result *result,
                                  uint32_t unit, stet_error *err)
{
    int64_t n;
    list->n = 0;
    if (result == NULL) {
        return STET_OK;
    }
    n = stet_result_edits(result, unit, list->edits, sizeof *list->edits, 0, list->cap);
    if (n > (int64_t)list->cap) {
        void *p = list->edits;
        STETI_TRY(steti_grow(&p, &list->cap, (size_t)n, sizeof *list->edits, err));
        list->edits = p;
        n = stet_result_edits(result, unit, list->edits, sizeof *list->edits, 0, list->cap);
    }
    if (n < 0) {
        return steti_fail(err, (stet_status)n, "the edits of a result cannot be read");
    }
    list->n = (size_t)n;
    return STET_OK;
}

int steti_unit_is_blank(const struct steti_unit *unit)
{
    for (size_t i = 0; i < unit->len; i++) {
        char c = unit->text[i];
        if (c != ' ' && (c < '\t' || c > '\r')) {
            return 0;
        }
    }
    return 1;
}

stet_status steti_writer_open(struct steti_writer *w, int format, struct steti_buf *out,
                              stet_error *err)
{
    memset(w, 0, sizeof *w);
    w->out = out;
    switch (format) {
    case STETI_EDITS_TEXT:
        w->ops = &steti_writer_marks;
        break;
    case STETI_EDITS_JSON:
        w->ops = &steti_writer_json;
        break;
    case STETI_EDITS_DIFF:
        w->ops = &steti_writer_diff;
        break;
    case STETI_EDITS_M2:
        w->ops = &steti_writer_m2;
        break;
    default:
        w->ops = &steti_writer_plain;
        break;
    }
    return w->ops->open != NULL ? w->ops->open(w, err) : STET_OK;
}

void steti_writer_close(struct steti_writer *w)
{
    if (w->ops != NULL && w->ops->close != NULL) {
        w->ops->close(w);
    }
    steti_free(w->byte_edits.edits);
    steti_free(w->unit_edits.edits);
    memset(w, 0, sizeof *w);
}

stet_status steti_writer_begin(struct steti_writer *w, const char *file, stet_error *err)
{
    w->file = file;
    return w->ops->begin != NULL ? w->ops->begin(w, err) : STET_OK;
}

stet_status steti_writer_unit(struct steti_writer *w, const struct steti_unit *unit,
                              const stet_result *result, stet_error *err)
{
    struct steti_item item;
    STETI_TRY(steti_edit_list_fetch(&w->byte_edits, result, STET_UNIT_BYTE, err));
    item.unit = unit;
    item.result = result;
    item.out = unit->text;
    item.out_len = unit->len;
    if (result != NULL) {
        item.out = stet_result_text(result, &item.out_len);
    }
    item.edits = w->byte_edits.edits;
    item.n_edits = w->byte_edits.n;
    w->n_edits += item.n_edits;
    return w->ops->item(w, &item, err);
}

stet_status steti_writer_end(struct steti_writer *w, stet_error *err)
{
    return w->ops->end != NULL ? w->ops->end(w, err) : STET_OK;
}
