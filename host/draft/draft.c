#include "draft.h"

#include <string.h>

static const struct steti_draft_ops *const policies[] = {&steti_draft_edit, &steti_draft_tree,
                                                         &steti_draft_sad, &steti_draft_none, NULL};

const struct steti_draft_ops *const *steti_draft_list(void)
{
    return policies;
}

const struct steti_draft_ops *steti_draft_find(const char *name)
{
    for (size_t i = 0; policies[i] != NULL; i++) {
        if (strcmp(policies[i]->name, name) == 0) {
            return policies[i];
        }
    }
    return NULL;
}
