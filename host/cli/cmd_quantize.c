#include <string.h>

#include "cli_cmds.h"
#include "cli_lines.h"
#include "cli_report.h"
#include "cli_sink.h"

static double megabytes(uint64_t bytes)
{
    return (double)bytes / 1e6;
}

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 100.0;
}

static stet_status put_comparison(const stet_quantize_report *r, struct steti_buf *b,
                                  stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "%-18s %llu of %llu decode to the same tokens, %.2f %%\n",
                               "lines", (unsigned long long)r->equal_lines,
                               (unsigned long long)r->lines, percent(r->equal_lines, r->lines)));
    return steti_buf_printf(
        b, err, "%-18s %llu before, %llu after; %llu are the same, %.2f %%; %llu differ\n",
        "output tokens", (unsigned long long)r->tokens, (unsigned long long)r->new_tokens,
        (unsigned long long)r->equal_tokens,
        percent(2 * r->equal_tokens, r->tokens + r->new_tokens),
        (unsigned long long)(r->tokens + r->new_tokens - 2 * r->equal_tokens));
}

static stet_status put_text(const struct steti_args *args, const stet_quantize_report *r,
                            struct steti_buf *b, stet_error *err)
{
    STETI_TRY(steti_buf_printf(b, err, "%-18s %s\n", "folder", args->files[1]));
    STETI_TRY(steti_buf_printf(
        b, err, "%-18s %.2f MB in %llu file%s, before %.2f MB in %llu: %.1f %%\n", "weights",
        megabytes(r->bytes_after), (unsigned long long)r->files_after,
        r->files_after == 1 ? "" : "s", megabytes(r->bytes_before),
        (unsigned long long)r->files_before, percent(r->bytes_after, r->bytes_before)));
    STETI_TRY(steti_buf_printf(b, err, "%-18s config.json and %llu copied\n", "other files",
                               (unsigned long long)r->copied_files));
    STETI_TRY(steti_buf_printf(
        b, err, "%-18s %llu quantised, %llu converted, %llu as they were, %llu left out\n",
        "tensors", (unsigned long long)r->quantized, (unsigned long long)r->converted,
        (unsigned long long)r->kept, (unsigned long long)r->left_out));
    STETI_TRY(steti_buf_printf(b, err, "%-18s %.3g %% of the weights (relative RMS)\n", "error",
                               100.0 * r->error));
    if (r->worst_tensor[0] != '\0') {
        STETI_TRY(steti_buf_printf(b, err, "%-18s %.3g %% in %s\n", "largest error",
                                   100.0 * r->worst_error, r->worst_tensor));
    }
    return args->text != NULL ? put_comparison(r, b, err) : STET_OK;
}

static stet_status put_json(const struct steti_args *args, const stet_quantize_report *r,
                            struct steti_buf *b, stet_error *err)
{
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {
        {"bytes_before", r->bytes_before}, {"bytes_after", r->bytes_after},
        {"files_before", r->files_before}, {"files_after", r->files_after},
        {"copied_files", r->copied_files}, {"quantized", r->quantized},
        {"converted", r->converted},       {"kept", r->kept},
        {"left_out", r->left_out},         {"lines", r->lines},
        {"equal_lines", r->equal_lines},   {"tokens", r->tokens},
        {"new_tokens", r->new_tokens},     {"equal_tokens", r->equal_tokens},
    };
    size_t n = sizeof counts / sizeof counts[0] - (args->text != NULL ? 0 : 5);
    STETI_TRY(steti_buf_puts(b, "{\"folder\":", err));
    STETI_TRY(steti_buf_json_string(b, args->files[1], strlen(args->files[1]), err));
    for (size_t i = 0; i < n; i++) {
        STETI_TRY(steti_buf_printf(b, err, ",\"%s\":%llu", counts[i].key,
                                   (unsigned long long)counts[i].value));
    }
    STETI_TRY(steti_buf_printf(b, err, ",\"error\":%.6g,\"worst_error\":%.6g,\"worst_tensor\":",
                               r->error, r->worst_error));
    STETI_TRY(steti_buf_json_string(b, r->worst_tensor, strlen(r->worst_tensor), err));
    return steti_buf_puts(b, "}\n", err);
}

static stet_status quantize(const struct steti_args *args, const struct steti_lines *lines,
                            struct steti_buf *b, stet_error *err)
{
    stet_quantize_report report = {.struct_size = sizeof report};
    stet_quantize_input in = {
        .struct_size = sizeof in,
        .from = args->files[0],
        .to = args->files[1],
        .texts = lines->line,
        .n_texts = lines->n,
        .texts_name = args->text,
    };
    STETI_TRY(stet_quantize(&in, args->model_options, args->n_model_options, &report, err));
    return args->json ? put_json(args, &report, b, err) : put_text(args, &report, b, err);
}

static stet_status read_lines(const struct steti_args *args, struct steti_lines *lines,
                              stet_error *err)
{
    if (args->text == NULL) {
        return STET_OK;
    }
    STETI_TRY(steti_lines_read(lines, args->text, err));
    return lines->n > 0 ? STET_OK
                        : steti_fail(err, STET_E_FORMAT,
                                     "%s is empty; it should have a sentence a line", args->text);
}

int steti_cmd_quantize(const struct steti_args *args)
{
    struct steti_lines lines = {.line = NULL};
    struct steti_sink sink;
    stet_error err = steti_error_init(), write_err = steti_error_init();
    stet_status st, closed;
    if (args->n_files != 2) {
        steti_say("quantize needs the folder to read and the folder to write; `stet help quantize` "
                  "explains it.");
        return STETI_EXIT_USAGE;
    }
    steti_sink_stdout(&sink);
    st = read_lines(args, &lines, &err);
    if (st == STET_OK) {
        st = quantize(args, &lines, &sink.buf, &err);
    }
    steti_lines_free(&lines);
    closed = steti_sink_close(&sink, &write_err);
    if (st != STET_OK) {
        steti_say("%s", err.message);
    } else if (closed != STET_OK && !sink.broken_pipe) {
        steti_say("%s", write_err.message);
    }
    /* What is invalid can only be an option. */
    return steti_exit_of(st != STET_OK ? st : closed, 1);
}
