#include "cli_terminal.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int steti_color_wanted(int when, int fd)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    if (when != STETI_WHEN_AUTO) {
        return when == STETI_WHEN_ALWAYS;
    }
    if (no_color != NULL && no_color[0] != '\0') {
        return 0;
    }
    return isatty(fd) && term != NULL && strcmp(term, "dumb") != 0;
}

int steti_progress_wanted(int when, int data_fd)
{
    if (when != STETI_WHEN_AUTO) {
        return when == STETI_WHEN_ALWAYS;
    }
    return isatty(STDERR_FILENO) && !isatty(data_fd);
}
