/* Which of the files of a folder make its tokenizer. */
#include <string.h>

#include "alloc.h"
#include "spm_model.h"
#include "tokenizer_files.h"

#define MAX_CONFIG ((size_t)16 << 20)

/* In the order they are looked for. */
static const char *const spm_names[] = {"spiece.model", "sentencepiece.bpe.model",
                                        "tokenizer.model", NULL};

/* In these families the pieces of a SentencePiece file have other ids than in the file. */
static const char *const mapped_types[] = {
    "mbart",          "m2m_100",      "nllb",   "nllb-moe", "xlm-roberta", "xlm-roberta-xl",
    "xglm",           "camembert",    "plbart", "pegasus",  "pegasus_x",   "bigbird_pegasus",
    "xlm-prophetnet", "seamless_m4t", NULL};
/* Of them, those with one id more than the file, <s>, <pad>, </s> and <unk> in front. */
static const char *const fairseq_types[] = {"mbart",          "nllb", "nllb-moe", "xlm-roberta",
                                            "xlm-roberta-xl", "xglm", NULL};

static int is_one_of(const char *s, const char *const *list)
{
    while (*list != NULL && strcmp(s, *list) != 0) {
        list++;
    }
    return *list != NULL;
}

stet_status steti_folder_has(const struct steti_tokenizer_folder *f, const char *name, int *there,
                             stet_error *err)
{
    char *path = steti_path_join(f->path, name);
    *there = 0;
    if (path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(f->path));
    }
    *there = steti_file_exists(path);
    steti_free(path);
    return STET_OK;
}

stet_status steti_folder_file_open(const struct steti_tokenizer_folder *f, const char *name,
                                   struct steti_folder_file *out, stet_error *err)
{
    memset(out, 0, sizeof *out);
    out->path = steti_path_join(f->path, name);
    if (out->path == NULL) {
        return steti_fail_nomem(err, "a path", strlen(f->path));
    }
    return steti_file_map_open(out->path, STETI_SPM_MAX_FILE, &out->map, err);
}

void steti_folder_file_close(struct steti_folder_file *f)
{
    steti_file_map_close(&f->map);
    steti_free(f->path);
    memset(f, 0, sizeof *f);
}

static void copy_name(const struct steti_json *doc, const char *key, char out[64])
{
    const struct steti_json *v = steti_json_get(doc, key);
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_STRING) {
        strncpy(out, steti_json_string(v, NULL), 63);
        out[63] = '\0';
    }
}

static void copy_numbers(const struct steti_json *doc, struct steti_tokenizer_folder *f)
{
    const struct steti_json *v = steti_json_get(doc, "vocab_size");
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_INT) {
        f->vocab_size = steti_json_int(v);
    }
    v = steti_json_get(doc, "offset");
    if (v != NULL && steti_json_kind_of(v) == STETI_JSON_INT) {
        f->offset = steti_json_int(v);
    }
    v = steti_json_get(doc, "add_prefix_space");
    f->add_prefix_space = v != NULL && steti_json_kind_of(v) == STETI_JSON_BOOL
                              ? steti_json_bool(v)
                              : f->add_prefix_space;
}

/* Nothing is asked of these files: what is missing or broken there is for others to say. */
static stet_status read_config(struct steti_tokenizer_folder *f, const char *name, stet_error *err)
{
    struct steti_folder_file file;
    struct steti_json *doc = NULL;
    int there = 0;
    stet_status st;
    STETI_TRY(steti_folder_has(f, name, &there, err));
    if (!there) {
        return STET_OK;
    }
    st = steti_folder_file_open(f, name, &file, err);
    if (st == STET_OK && file.map.len <= MAX_CONFIG) {
        st = steti_json_parse((const char *)file.map.data, file.map.len, file.path, &doc, err);
    }
    if (st == STET_OK && doc != NULL) {
        copy_name(doc, "model_type", f->model_type);
        copy_name(doc, "tokenizer_class", f->tokenizer_class);
        copy_numbers(doc, f);
        steti_json_free(doc);
    }
    steti_folder_file_close(&file);
    return st == STET_E_NOMEM ? st : STET_OK;
}

struct found {
    const char *spm; /* NULL: none */
    int json, source, target, vocab, merges, dict;
};

static stet_status look(const struct steti_tokenizer_folder *f, struct found *x, stet_error *err)
{
    for (size_t i = 0; spm_names[i] != NULL && x->spm == NULL; i++) {
        int there = 0;
        STETI_TRY(steti_folder_has(f, spm_names[i], &there, err));
        x->spm = there ? spm_names[i] : NULL;
    }
    STETI_TRY(steti_folder_has(f, "tokenizer.json", &x->json, err));
    STETI_TRY(steti_folder_has(f, "source.spm", &x->source, err));
    STETI_TRY(steti_folder_has(f, "target.spm", &x->target, err));
    STETI_TRY(steti_folder_has(f, "vocab.json", &x->vocab, err));
    STETI_TRY(steti_folder_has(f, "dict.txt", &x->dict, err));
    return steti_folder_has(f, "merges.txt", &x->merges, err);
}

static stet_status open_file(const struct steti_tokenizer_folder *f, const char *name, int json,
                             struct steti_tokenizer **out, stet_error *err)
{
    struct steti_folder_file file;
    stet_status st = steti_folder_file_open(f, name, &file, err);
    if (st == STET_OK) {
        const char *data = (const char *)file.map.data;
        st = json ? steti_tokenizer_open_json(data, file.map.len, file.path, out, err)
                  : steti_tokenizer_open_spm(data, file.map.len, file.path, out, err);
    }
    steti_folder_file_close(&file);
    return st;
}

/* A SentencePiece file of a family whose ids are not those of the file. */
static stet_status open_renumbered(const struct steti_tokenizer_folder *f, const struct found *x,
                                   struct steti_tokenizer **out, stet_error *err)
{
    if (x->dict) {
        return steti_tokenizer_open_mapped(f, x->spm, STETI_IDS_DICT, out, err);
    }
    if (x->vocab && strcmp(f->model_type, "m2m_100") == 0) {
        return steti_tokenizer_open_mapped(f, x->spm, STETI_IDS_VOCAB, out, err);
    }
    if (is_one_of(f->model_type, fairseq_types) ||
        strncmp(f->tokenizer_class, "NllbTokenizer", 13) == 0) {
        return steti_tokenizer_open_mapped(f, x->spm, STETI_IDS_FAIRSEQ, out, err);
    }
    if (strcmp(f->model_type, "pegasus") == 0) {
        return steti_tokenizer_open_mapped(f, x->spm, STETI_IDS_PEGASUS, out, err);
    }
    return steti_fail(err, STET_E_MODEL,
                      "%s: %s: the ids of a %s model are not those of the file; a tokenizer.json "
                      "is needed",
                      f->path, x->spm, f->model_type);
}

static stet_status open_found(const struct steti_tokenizer_folder *f, const struct found *x,
                              struct steti_tokenizer **out, stet_error *err)
{
    int renumbered = x->dict || is_one_of(f->model_type, mapped_types);
    if (strncmp(f->tokenizer_class, "ByT5Tokenizer", 13) == 0 ||
        strcmp(f->model_type, "byt5") == 0) {
        return steti_tokenizer_open_bytes(f, out, err);
    }
    if (x->spm != NULL && !renumbered) {
        return open_file(f, x->spm, 0, out, err);
    }
    if (x->json) {
        return open_file(f, "tokenizer.json", 1, out, err);
    }
    if (x->source && x->target && x->vocab) {
        return steti_tokenizer_open_mapped(f, "source.spm", STETI_IDS_MARIAN, out, err);
    }
    if (x->spm != NULL) {
        return open_renumbered(f, x, out, err);
    }
    if (x->vocab && x->merges) {
        return steti_tokenizer_open_pair(f, out, err);
    }
    return steti_fail(
        err, STET_E_IO,
        "%s: no tokenizer; needed is one of tokenizer.json, %s, %s, %s, or vocab.json "
        "with merges.txt, or source.spm and target.spm with vocab.json",
        f->path, spm_names[0], spm_names[1], spm_names[2]);
}

stet_status steti_tokenizer_open(const char *folder, struct steti_tokenizer **out, stet_error *err)
{
    struct steti_tokenizer_folder f = {.path = folder, .vocab_size = -1, .offset = -1};
    struct found x = {0};
    *out = NULL;
    STETI_TRY(read_config(&f, "config.json", err));
    STETI_TRY(read_config(&f, "tokenizer_config.json", err));
    STETI_TRY(look(&f, &x, err));
    return open_found(&f, &x, out, err);
}
