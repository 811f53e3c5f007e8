#include "weights.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "alloc.h"
#include "file_map.h"
#include "json.h"
#include "safetensors.h"

#define SINGLE_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"
#define MAX_INDEX 100000000u

struct slot {
    const char *name;
    const struct steti_tensor *view;
    size_t shard;
};

struct shard {
    char *path;
    struct steti_safetensors file;
};

struct steti_weights {
    char *folder;
    struct shard *shards;
    size_t n_shards;
    struct slot *slots; /* sorted by name */
    size_t n;
};

/* One member of the index's weight_map; both strings belong to the JSON document. */
struct placement {
    const char *tensor;
    const char *file;
};

/* The index while it is read. */
struct index {
    const char *path;
    struct steti_json *root;
    struct placement *places; /* sorted by file, then by tensor */
    size_t n;
    stet_error *err;
};

static stet_status open_shard(struct steti_weights *w, const char *file, stet_error *err)
{
    struct shard *s = &w->shards[w->n_shards];
    stet_status st;
    s->path = steti_path_join(w->folder, file);
    if (s->path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(w->folder) + strlen(file) + 2);
    }
    st = steti_safetensors_open(s->path, &s->file, err);
    if (st != STET_OK) {
        steti_free(s->path);
        s->path = NULL;
        return st;
    }
    w->n_shards++;
    return STET_OK;
}

static stet_status alloc_slots(struct steti_weights *w, stet_error *err)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_shards; i++) {
        n += w->shards[i].file.n;
    }
    w->slots = steti_calloc(n, sizeof *w->slots);
    return w->slots != NULL ? STET_OK
                            : steti_fail_nomem(err, "the tensor table", n * sizeof *w->slots);
}

static int slot_by_name(const void *pa, const void *pb)
{
    const struct slot *a = pa, *b = pb;
    return strcmp(a->name, b->name);
}

/* Puts the tensors of all shards into one table. */
static stet_status merge_shards(struct steti_weights *w, stet_error *err)
{
    STETI_TRY(alloc_slots(w, err));
    for (size_t i = 0; i < w->n_shards; i++) {
        const struct steti_safetensors *f = &w->shards[i].file;
        for (size_t k = 0; k < f->n; k++) {
            w->slots[w->n++] = (struct slot){f->entries[k].name, &f->entries[k].view, i};
        }
    }
    qsort(w->slots, w->n, sizeof *w->slots, slot_by_name);
    for (size_t i = 1; i < w->n; i++) {
        const struct slot *a = &w->slots[i - 1], *b = &w->slots[i];
        if (strcmp(a->name, b->name) == 0) {
            return steti_fail(err, STET_E_FORMAT,
                              "%s: tensor '%.120s' is also in %s; a name must be in one shard",
                              w->shards[a->shard].path, a->name, w->shards[b->shard].path);
        }
    }
    return STET_OK;
}

/* ---- Shards by index ------------------------------------------------------------------------- */

/* The index may name files of its own folder only. */
static int plain_name(const char *file)
{
    return file[0] != '\0' && strcmp(file, ".") != 0 && strchr(file, '/') == NULL &&
           strchr(file, '\\') == NULL && strstr(file, "..") == NULL;
}

static stet_status read_placement(void *ctx, const char *key, size_t key_len,
                                  const struct steti_json *value)
{
    struct index *ix = ctx;
    const char *file;
    (void)key_len;
    if (steti_json_kind_of(value) != STETI_JSON_STRING) {
        return steti_fail(ix->err, STET_E_FORMAT,
                          "%s: weight_map: tensor '%.120s': expected a file name", ix->path, key);
    }
    file = steti_json_string(value, NULL);
    if (!plain_name(file)) {
        return steti_fail(ix->err, STET_E_FORMAT,
                          "%s: weight_map: tensor '%.120s': '%.120s' is not a plain file name (no "
                          "'/', '\\' or '..')",
                          ix->path, key, file);
    }
    ix->places[ix->n++] = (struct placement){key, file};
    return STET_OK;
}

static int placement_by_file(const void *pa, const void *pb)
{
    const struct placement *a = pa, *b = pb;
    int c = strcmp(a->file, b->file);
    return c != 0 ? c : strcmp(a->tensor, b->tensor);
}

static stet_status parse_index(struct index *ix)
{
    struct steti_file_map map;
    const struct steti_json *weight_map;
    stet_status st;
    STETI_TRY(steti_file_map_open(ix->path, MAX_INDEX, &map, ix->err));
    st = steti_json_parse((const char *)map.data, map.len, ix->path, &ix->root, ix->err);
    steti_file_map_close(&map);
    if (st != STET_OK) {
        return st;
    }
    weight_map = steti_json_get(ix->root, "weight_map");
    if (weight_map == NULL || steti_json_kind_of(weight_map) != STETI_JSON_OBJECT) {
        return steti_fail(ix->err, STET_E_FORMAT, "%s: key weight_map is missing or not an object",
                          ix->path);
    }
    if (steti_json_len(weight_map) == 0) {
        return steti_fail(ix->err, STET_E_FORMAT, "%s: weight_map names no tensors", ix->path);
    }
    ix->places = steti_calloc(steti_json_len(weight_map), sizeof *ix->places);
    if (ix->places == NULL) {
        return steti_fail_nomem(ix->err, ix->path, steti_json_len(weight_map) * sizeof *ix->places);
    }
    STETI_TRY(steti_json_each(weight_map, read_placement, ix));
    qsort(ix->places, ix->n, sizeof *ix->places, placement_by_file);
    return STET_OK;
}

static int starts_file(const struct index *ix, size_t i)
{
    return i == 0 || strcmp(ix->places[i].file, ix->places[i - 1].file) != 0;
}

static stet_status open_all_shards(struct steti_weights *w, const struct index *ix)
{
    size_t files = 0;
    for (size_t i = 0; i < ix->n; i++) {
        files += (size_t)starts_file(ix, i);
    }
    w->shards = steti_calloc(files, sizeof *w->shards);
    if (w->shards == NULL) {
        return steti_fail_nomem(ix->err, "the shard table", files * sizeof *w->shards);
    }
    for (size_t i = 0; i < ix->n; i++) {
        const struct shard *s;
        if (starts_file(ix, i)) {
            STETI_TRY(open_shard(w, ix->places[i].file, ix->err));
        }
        s = &w->shards[w->n_shards - 1];
        if (steti_safetensors_find(&s->file, ix->places[i].tensor) == NULL) {
            return steti_fail(ix->err, STET_E_FORMAT,
                              "%s: tensor '%.120s' is not in the file, although %s says so",
                              s->path, ix->places[i].tensor, ix->path);
        }
    }
    return STET_OK;
}

static int placement_by_tensor(const void *pa, const void *pb)
{
    const struct placement *a = pa, *b = pb;
    return strcmp(a->tensor, b->tensor);
}

/* Tensors that the index does not list are not part of the model. */
static void keep_listed(struct steti_weights *w, struct index *ix)
{
    size_t kept = 0, p = 0;
    qsort(ix->places, ix->n, sizeof *ix->places, placement_by_tensor);
    for (size_t i = 0; i < w->n && p < ix->n; i++) {
        if (strcmp(w->slots[i].name, ix->places[p].tensor) == 0) {
            w->slots[kept++] = w->slots[i];
            p++;
        }
    }
    w->n = kept;
}

static stet_status open_sharded(struct steti_weights *w, const char *index_path, stet_error *err)
{
    struct index ix = {.path = index_path, .err = err};
    stet_status st;
    STETI_TRY_GOTO(parse_index(&ix), st, done);
    STETI_TRY_GOTO(open_all_shards(w, &ix), st, done);
    STETI_TRY_GOTO(merge_shards(w, err), st, done);
    keep_listed(w, &ix);
done:
    steti_free(ix.places);
    steti_json_free(ix.root);
    return st;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static stet_status open_single(struct steti_weights *w, stet_error *err)
{
    w->shards = steti_calloc(1, sizeof *w->shards);
    if (w->shards == NULL) {
        return steti_fail_nomem(err, "the shard table", sizeof *w->shards);
    }
    STETI_TRY(open_shard(w, SINGLE_FILE, err));
    return merge_shards(w, err);
}

/* Weights that a script can convert. */
static const char *const torch_files[] = {"pytorch_model.bin.index.json", "pytorch_model.bin",
                                          NULL};

static stet_status fail_absent(const struct steti_weights *w, stet_error *err)
{
    for (size_t i = 0; torch_files[i] != NULL; i++) {
        char *path = steti_path_join(w->folder, torch_files[i]);
        int there = path != NULL && steti_file_named(path);
        if (path == NULL) {
            return steti_fail_nomem(err, "a path", strlen(w->folder));
        }
        steti_free(path);
        if (there) {
            return steti_fail(err, STET_E_IO,
                              "%s: no " SINGLE_FILE ", but %s; scripts/convert_pytorch_bin.py "
                              "makes a folder of it that can be run",
                              w->folder, torch_files[i]);
        }
    }
    return steti_fail(err, STET_E_IO, "%s: no " SINGLE_FILE " or " INDEX_FILE, w->folder);
}

static stet_status open_folder(struct steti_weights *w, stet_error *err)
{
    char *single = steti_path_join(w->folder, SINGLE_FILE);
    char *index = steti_path_join(w->folder, INDEX_FILE);
    stet_status st;
    if (single == NULL || index == NULL) {
        st = steti_fail_nomem(err, "a path", strlen(w->folder) + sizeof INDEX_FILE + 1);
    } else if (steti_file_named(single)) {
        st = open_single(w, err);
    } else {
        st = steti_file_named(index) ? open_sharded(w, index, err) : fail_absent(w, err);
    }
    steti_free(single);
    steti_free(index);
    return st;
}

stet_status steti_weights_open(const char *folder, struct steti_weights **out, stet_error *err)
{
    struct steti_weights *w = steti_calloc(1, sizeof *w);
    stet_status st;
    *out = NULL;
    if (w == NULL) {
        return steti_fail_nomem(err, "the weights", sizeof *w);
    }
    w->folder = steti_strndup(folder, strlen(folder));
    st = w->folder != NULL ? open_folder(w, err)
                           : steti_fail_nomem(err, "a path", strlen(folder) + 1);
    if (st != STET_OK) {
        steti_weights_close(w);
        return st;
    }
    *out = w;
    return STET_OK;
}

void steti_weights_close(struct steti_weights *w)
{
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->n_shards; i++) {
        steti_safetensors_close(&w->shards[i].file);
        steti_free(w->shards[i].path);
    }
    steti_free(w->shards);
    steti_free(w->slots);
    steti_free(w->folder);
    steti_free(w);
}

/* ---- Looking up ------------------------------------------------------------------------------ */

int steti_weights_find(const struct steti_weights *w, const char *name, struct steti_tensor *out)
{
    struct slot key = {.name = name};
    const struct slot *s =
        w->n > 0 ? bsearch(&key, w->slots, w->n, sizeof *w->slots, slot_by_name) : NULL;
    if (s == NULL) {
        return 0;
    }
    *out = *s->view;
    return 1;
}

stet_status steti_weights_get(const struct steti_weights *w, const char *name,
                              struct steti_tensor *out, stet_error *err)
{
    if (steti_weights_find(w, name, out)) {
        return STET_OK;
    }
    return steti_fail(err, STET_E_MODEL,
                      "%s: tensor '%.120s' is missing from the weights (%zu tensors in %zu file%s)",
                      w->folder, name, w->n, w->n_shards, w->n_shards == 1 ? "" : "s");
}

size_t steti_weights_count(const struct steti_weights *w)
{
    return w->n;
}

const char *steti_weights_name(const struct steti_weights *w, size_t i)
{
    return i < w->n ? w->slots[i].name : NULL;
}

const struct steti_tensor *steti_weights_at(const struct steti_weights *w, size_t i)
{
    return i < w->n ? w->slots[i].view : NULL;
}

size_t steti_weights_file_bytes(const struct steti_weights *w)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n_shards; i++) {
        n += w->shards[i].file.file_len;
    }
    return n;
}

size_t steti_weights_file_count(const struct steti_weights *w)
{
    return w->n_shards;
}

void steti_weights_drop(const struct steti_weights *w, const struct steti_tensor *t)
{
    const unsigned char *p = t->data;
    for (size_t i = 0; i < w->n_shards; i++) {
        const struct steti_file_map *m = &w->shards[i].file.map;
        if (p >= m->data && p < m->data + m->len) {
            steti_file_map_drop(m, (size_t)(p - m->data), steti_tensor_bytes(t));
            return;
        }
    }
}

stet_status steti_weights_check_finite(const struct steti_weights *w, stet_error *err)
{
    for (size_t i = 0; i < w->n; i++) {
        int64_t at = steti_tensor_not_finite(w->slots[i].view);
        steti_weights_drop(w, w->slots[i].view);
        if (at >= 0) {
            return steti_fail(
                err, STET_E_MODEL,
                "%s: tensor '%.120s': element %lld is NaN or an infinity; the weights "
                "are damaged, or their training failed",
                w->shards[w->slots[i].shard].path, w->slots[i].name, (long long)at);
        }
    }
    return STET_OK;
}
