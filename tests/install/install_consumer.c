/* A C99 program that knows stet only as it is installed: corrects the lines of a file, as `stet
 * correct` does, every line in both ways that the interface has. */
#include <stdio.h>
#include <string.h>

#include <stet.h>

/* The same through a completion queue; 1 when the text is the same. */
static int is_same_when_submitted(stet_engine *engine, stet_cq *cq, const char *line,
                                  const stet_result *want)
{
    stet_request request;
    stet_event event;
    size_t len = 0, want_len = 0;
    const char *text, *want_text = stet_result_text(want, &want_len);
    int same;
    memset(&request, 0, sizeof request);
    request.struct_size = sizeof request;
    request.text = line;
    request.len = strlen(line);
    request.tag = 17;
    if (stet_submit(engine, cq, &request, 1, NULL, NULL, NULL) != STET_OK ||
        stet_cq_poll(cq, &event, sizeof event, 1, -1) != 1 || event.status != STET_OK) {
        return 0;
    }
    text = stet_result_text(event.result, &len);
    same = event.tag == 17 && len == want_len && memcmp(text, want_text, len) == 0;
    stet_result_release(event.result);
    return same;
}

static int correct_lines(stet_engine *engine, stet_cq *cq, FILE *in, stet_error *err)
{
    char line[4096];
    stet_stats total;
    while (fgets(line, sizeof line, in) != NULL) {
        stet_result *result = NULL;
        size_t len = 0;
        const char *text;
        if (stet_correct(engine, line, strlen(line), &result, err) != STET_OK) {
            return 1;
        }
        text = stet_result_text(result, &len);
        fwrite(text, 1, len, stdout);
        if (!is_same_when_submitted(engine, cq, line, result)) {
            fprintf(stderr, "submitted, the line is not the same\n");
            return 1;
        }
        stet_result_release(result);
    }
    memset(&total, 0, sizeof total);
    total.struct_size = sizeof total;
    if (stet_engine_stats(engine, &total) != STET_OK || total.passes == 0) {
        fprintf(stderr, "the decoder did not run\n");
        return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    stet_error err;
    stet_model *model = NULL;
    stet_engine *engine = NULL;
    stet_cq *cq = NULL;
    FILE *in = argc == 3 ? fopen(argv[2], "rb") : NULL;
    int failed = 1;
    memset(&err, 0, sizeof err);
    err.struct_size = sizeof err;
    if (in == NULL) {
        fprintf(stderr, "usage: consumer MODEL FILE\n");
        return 1;
    }
    if (strcmp(stet_version(), STET_VERSION) == 0 &&
        stet_model_load(argv[1], NULL, 0, &model, &err) == STET_OK &&
        stet_engine_create(model, NULL, 0, &engine, &err) == STET_OK &&
        stet_cq_create(&cq, &err) == STET_OK) {
        failed = correct_lines(engine, cq, in, &err);
    }
    if (failed) {
        fprintf(stderr, "%s: %s\n", stet_status_name(err.code), err.message);
    }
    stet_engine_destroy(engine);
    stet_cq_destroy(cq);
    stet_model_release(model);
    fclose(in);
    return failed;
}
