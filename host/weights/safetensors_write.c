#include "safetensors_write.h"

#include <inttypes.h>
#include <string.h>

#include "alloc.h"
#include "buf.h"

#define LENGTH_FIELD 8u
#define DATA_ALIGN 64u

int steti_safetensors_order(const struct steti_st_entry *a, const struct steti_st_entry *b)
{
    int odd_a = steti_tensor_bytes(&a->view) % DATA_ALIGN != 0;
    int odd_b = steti_tensor_bytes(&b->view) % DATA_ALIGN != 0;
    size_t size_a = steti_dtype_size(a->view.dtype), size_b = steti_dtype_size(b->view.dtype);
    if (odd_a != odd_b) {
        return odd_a - odd_b;
    }
    if (size_a != size_b) {
        return size_a > size_b ? -1 : 1;
    }
    return strcmp(a->name, b->name);
}

static stet_status put_entry(struct steti_buf *b, const struct steti_st_entry *e, uint64_t begin,
                             stet_error *err)
{
    STETI_TRY(steti_buf_puts(b, ",", err));
    STETI_TRY(steti_buf_json_string(b, e->name, strlen(e->name), err));
    STETI_TRY(steti_buf_printf(b, err, ":{\"dtype\":\"%s\",\"shape\":[",
                               steti_dtype_name(e->view.dtype)));
    for (int k = 0; k < e->view.rank; k++) {
        STETI_TRY(steti_buf_printf(b, err, "%s%" PRId64, k > 0 ? "," : "", e->view.shape[k]));
    }
    return steti_buf_printf(b, err, "],\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", begin,
                            begin + steti_tensor_bytes(&e->view));
}

/* The length, the JSON text and its padding. Sets w->begin, counted from the end of the header. */
static stet_status build_header(struct steti_st_writer *w, const struct steti_st_entry *entries,
                                struct steti_buf *b, stet_error *err)
{
    uint64_t json_len;
    /* transformers refuses a file that does not say who made its tensors. */
    STETI_TRY(steti_buf_puts(b, "--------{\"__metadata__\":{\"format\":\"pt\"}", err));
    for (size_t i = 0; i < w->n; i++) {
        STETI_TRY(put_entry(b, &entries[i], w->begin[i], err));
        w->begin[i + 1] = w->begin[i] + steti_tensor_bytes(&entries[i].view);
    }
    STETI_TRY(steti_buf_puts(b, "}", err));
    while (b->len % DATA_ALIGN != 0) {
        STETI_TRY(steti_buf_puts(b, " ", err));
    }
    json_len = b->len - LENGTH_FIELD;
    for (unsigned i = 0; i < LENGTH_FIELD; i++) {
        b->data[i] = (char)(json_len >> (8 * i) & 0xff);
    }
    return STET_OK;
}

static stet_status write_header(struct steti_st_writer *w, const char *path,
                                const struct steti_st_entry *entries, struct steti_buf *b,
                                stet_error *err)
{
    STETI_TRY(build_header(w, entries, b, err));
    w->missing = w->begin[w->n];
    for (size_t i = 0; i <= w->n; i++) {
        w->begin[i] += b->len;
    }
    STETI_TRY(steti_file_out_open(&w->file, path, err));
    return steti_file_out_write_at(&w->file, 0, b->data, b->len, err);
}

stet_status steti_st_writer_open(struct steti_st_writer *w, const char *path,
                                 const struct steti_st_entry *entries, size_t n, stet_error *err)
{
    struct steti_buf header;
    stet_status st;
    memset(w, 0, sizeof *w);
    w->file.fd = -1;
    w->n = n;
    w->begin = steti_calloc(n + 1, sizeof *w->begin);
    if (w->begin == NULL) {
        return steti_fail_nomem(err, "the places of tensors", (n + 1) * sizeof *w->begin);
    }
    steti_buf_init(&header);
    st = write_header(w, path, entries, &header, err);
    steti_buf_free(&header);
    if (st != STET_OK) {
        steti_st_writer_drop(w);
    }
    return st;
}

stet_status steti_st_writer_put(struct steti_st_writer *w, size_t i, uint64_t offset,
                                const void *data, size_t len, stet_error *err)
{
    uint64_t room = i < w->n ? w->begin[i + 1] - w->begin[i] : 0;
    if (offset > room || len > room - offset || len > w->missing) {
        return steti_fail(err, STET_E_INVALID,
                          "%s: tensor %zu: bytes %" PRIu64 " to %" PRIu64 " of %" PRIu64
                          " cannot be written",
                          w->file.path, i, offset, offset + len, room);
    }
    w->missing -= len;
    return steti_file_out_write_at(&w->file, w->begin[i] + offset, data, len, err);
}

stet_status steti_st_writer_close(struct steti_st_writer *w, stet_error *err)
{
    stet_status st;
    if (w->missing != 0) {
        st = steti_fail(err, STET_E_INVALID, "%s: %" PRIu64 " bytes of tensors were not written",
                        w->file.path, w->missing);
    } else {
        st = steti_file_out_close(&w->file, err);
    }
    steti_st_writer_drop(w);
    return st;
}

void steti_st_writer_drop(struct steti_st_writer *w)
{
    if (w->begin == NULL) {
        return; /* zeroed: no file is open */
    }
    steti_file_out_drop(&w->file);
    steti_free(w->begin);
    memset(w, 0, sizeof *w);
}
