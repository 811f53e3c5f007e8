/* A shared library without the function that makes it a plug-in. */
__attribute__((visibility("default"))) int steti_is_something_else(void);

int steti_is_something_else(void)
{
    return 1;
}
