// A C program that loads a library with offproc in it and makes a call there. With a second argument, it follows the
// advice that is for programs without `auto-init` first.
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char **argv) {
    puts("the host's main");
    fflush(stdout);
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW) : 0;
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 2;
    if (argc > 2) ((void (*)(void))dlsym(library, "environments_init"))();
    char said[4096];
    ((void (*)(char *, size_t))dlsym(library, "environments_call"))(said, sizeof said);
    puts(said);
    return 0;
}
