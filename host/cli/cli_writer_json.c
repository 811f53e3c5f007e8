/* One object a line of input:
 *
 *   {"file":"-","line":1,"byte_offset":0,"unit":"bytes","source":"...","text":"...",
 *    "edits":[{"offset":4,"length":2,"out_offset":4,"out_length":4,
 *              "source":"go","replacement":"goes"}],
 *    "sentences":[{"offset":0,"length":17,"source_tokens":6,"output_tokens":6,"passes":2}]}
 *
 * byte_offset is where source begins in the file, always in bytes; the other offsets count from the
 * beginning of source, in `unit`. "score" is there with --scores. "continues":true: the line was
 * too long for one object.
 */
#include <math.h>
#include <string.h>

#include "cli_writer.h"
#include "utf8.h"

#define SENTENCES_AT_ONCE 64

static const char *const unit_names[] = {"bytes", "utf16", "codepoints"};

static stet_status append_score(struct steti_buf *b, float score, stet_error *err)
{
    return isfinite(score) ? steti_buf_printf(b, err, ",\"score\":%.6g", (double)score) : STET_OK;
}

static stet_status append_edit(struct steti_writer *w, const struct steti_item *item, size_t i,
                               stet_error *err)
{
    const stet_edit *shown = w->unit == STET_UNIT_BYTE ? &item->edits[i] : &w->unit_edits.edits[i];
    const stet_edit *bytes = &item->edits[i];
    STETI_TRY(steti_buf_printf(
        w->out, err,
        "%s{\"offset\":%llu,\"length\":%llu,\"out_offset\":%llu,\"out_length\":%llu,"
        "\"source\":",
        i > 0 ? "," : "", (unsigned long long)shown->src_off, (unsigned long long)shown->src_len,
        (unsigned long long)shown->out_off, (unsigned long long)shown->out_len));
    STETI_TRY(steti_buf_json_string(w->out, item->unit->text + bytes->src_off,
                                    (size_t)bytes->src_len, err));
    STETI_TRY(steti_buf_puts(w->out, ",\"replacement\":", err));
    STETI_TRY(steti_buf_json_string(w->out, bytes->text, bytes->text_len, err));
    STETI_TRY(append_score(w->out, bytes->score, err));
    return steti_buf_puts(w->out, "}", err);
}

static size_t count_units(const struct steti_writer *w, const char *p, size_t n)
{
    switch (w->unit) {
    case STET_UNIT_UTF16:
        return steti_utf8_count_utf16(p, n);
    case STET_UNIT_CODEPOINT:
        return steti_utf8_count(p, n);
    default:
        return n;
    }
}

/* Sentences are listed in order: `byte` and `unit` walk along the source. */
struct walk {
    size_t byte, unit;
};

static stet_status append_sentence(struct steti_writer *w, const char *text, const stet_sentence *s,
                                   struct walk *at, stet_error *err)
{
    size_t off = (size_t)s->src_off;
    if (off > at->byte) {
        at->unit += count_units(w, text + at->byte, off - at->byte);
        at->byte = off;
    }
    STETI_TRY(steti_buf_printf(
        w->out, err,
        "{\"offset\":%zu,\"length\":%zu,\"source_tokens\":%u,\"output_tokens\":%u,\"passes\":%u",
        at->unit, count_units(w, text + off, (size_t)s->src_len), s->source_tokens,
        s->output_tokens, s->passes));
    STETI_TRY(append_score(w->out, s->score, err));
    return steti_buf_puts(w->out, "}", err);
}

static stet_status append_sentences(struct steti_writer *w, const struct steti_item *item,
                                    stet_error *err)
{
    stet_sentence part[SENTENCES_AT_ONCE];
    struct walk at = {0, 0};
    int64_t n = 0;
    for (int64_t i = 0; i == 0 || i < n; i++) {
        int64_t slot = i % SENTENCES_AT_ONCE;
        if (slot == 0 && item->result != NULL) {
            n = stet_result_sentences(item->result, part, sizeof part[0], (size_t)i,
                                      SENTENCES_AT_ONCE);
        }
        if (n < 0) {
            return steti_fail(err, (stet_status)n, "the sentences of a result cannot be read");
        }
        if (n == 0) {
            break;
        }
        if (i > 0) {
            STETI_TRY(steti_buf_puts(w->out, ",", err));
        }
        STETI_TRY(append_sentence(w, item->unit->text, &part[slot], &at, err));
    }
    return STET_OK;
}

static stet_status append_head(struct steti_writer *w, const struct steti_item *item,
                               stet_error *err)
{
    const struct steti_unit *u = item->unit;
    STETI_TRY(steti_buf_puts(w->out, "{\"file\":", err));
    STETI_TRY(steti_buf_json_string(w->out, w->file, strlen(w->file), err));
    STETI_TRY(steti_buf_printf(
        w->out, err, ",\"line\":%llu,\"byte_offset\":%llu,\"unit\":\"%s\",\"source\":",
        (unsigned long long)u->line, (unsigned long long)u->byte_offset, unit_names[w->unit]));
    STETI_TRY(steti_buf_json_string(w->out, u->text, u->len, err));
    STETI_TRY(steti_buf_puts(w->out, ",\"text\":", err));
    return steti_buf_json_string(w->out, item->out, item->out_len, err);
}

static stet_status json_item(struct steti_writer *w, const struct steti_item *item, stet_error *err)
{
    if (w->wrapped && item->unit->len == 0) {
        return STET_OK; /* an empty line between paragraphs */
    }
    if (w->unit != STET_UNIT_BYTE) {
        STETI_TRY(steti_edit_list_fetch(&w->unit_edits, item->result, w->unit, err));
    }
    STETI_TRY(append_head(w, item, err));
    STETI_TRY(steti_buf_puts(w->out, ",\"edits\":[", err));
    for (size_t i = 0; i < item->n_edits; i++) {
        STETI_TRY(append_edit(w, item, i, err));
    }
    STETI_TRY(steti_buf_puts(w->out, "],\"sentences\":[", err));
    STETI_TRY(append_sentences(w, item, err));
    return steti_buf_puts(w->out, item->unit->continues ? "],\"continues\":true}\n" : "]}\n", err);
}

const struct steti_writer_ops steti_writer_json = {.item = json_item};
