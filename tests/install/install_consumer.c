/* A C99 program that knows stet only as it is installed: corrects the lines of a file, as `stet
 * correct` does. */
#include <stdio.h>
#include <string.h>

#include <stet.h>

static int correct_lines(stet_engine *engine, FILE *in, stet_error *err)
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
        stet_engine_create(model, NULL, 0, &engine, &err) == STET_OK) {
        failed = correct_lines(engine, in, &err);
    }
    if (failed) {
        fprintf(stderr, "%s: %s\n", stet_status_name(err.code), err.message);
    }
    stet_engine_destroy(engine);
    stet_model_release(model);
    fclose(in);
    return failed;
}
