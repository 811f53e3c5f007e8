/* Runs a fuzz target without a fuzzer: every file of the folders given, each prefix of the short
 * ones, and checks that no block of memory is left over. Fails when there is nothing to run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"

#define PREFIXES_UP_TO 1024

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input is copied to a block of exactly its size, so that a sanitizer sees reads past its
 * end. */
static int run_bytes(const char *path, const uint8_t *data, size_t size)
{
    struct steti_alloc_stats before, after;
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        return 1;
    }
    memcpy(copy, data, size);
    steti_alloc_get_stats(&before);
    LLVMFuzzerTestOneInput(copy, size);
    steti_alloc_get_stats(&after);
    free(copy);
    if (after.live_count > before.live_count) {
        fprintf(stderr, "%s: %llu blocks left over from the first %zu bytes\n", path,
                (unsigned long long)(after.live_count - before.live_count), size);
        return 1;
    }
    return 0;
}

static int run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t size;
    int failed = 0;
    if (f == NULL) {
        perror(path);
        return 1;
    }
    size = fread(data, 1, sizeof data, f);
    fclose(f);
    for (size_t n = 0; n < size && size <= PREFIXES_UP_TO && !failed; n++) {
        failed = run_bytes(path, data, n);
    }
    return failed || run_bytes(path, data, size);
}

static int run_folder(const char *folder, int *n_files)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    int failed = 0;
    if (dir == NULL) {
        perror(folder);
        return 1;
    }
    while ((entry = readdir(dir)) != NULL) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        failed |= run_file(path);
        (*n_files)++;
    }
    closedir(dir);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0, n_files = 0;
    /* What a target keeps for all inputs is allocated here and does not count as left over. */
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        failed |= run_folder(argv[i], &n_files);
    }
    printf("%d inputs\n", n_files);
    if (n_files == 0) {
        fprintf(stderr, "there are no inputs\n");
    }
    return failed || n_files == 0;
}
