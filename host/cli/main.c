#include "cli_main.h"

int main(int argc, char **argv)
{
    return steti_cli_main(argc, argv);
}
