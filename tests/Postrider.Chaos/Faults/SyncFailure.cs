using Postrider.Chaos.Product;

namespace Postrider.Chaos.Faults;

/// <summary>Makes fsync and fdatasync of chosen files fail with EIO while it is on, in whatever runs with its variables: a library that the
/// C compiler makes.</summary>
sealed class SyncFailure
{
    const string Source = """
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <errno.h>
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>

        /* 0: let it pass; 1: fail; 2: say that it was done, and do nothing. */
        static int verdict(int fd)
        {
            char link[64], path[4096];
            const char *match = getenv("CHAOS_SYNC_MATCH"), *trigger = getenv("CHAOS_SYNC_TRIGGER");
            if (!match || !trigger || access(trigger, F_OK) != 0)
                return 0;
            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            ssize_t length = readlink(link, path, sizeof path - 1);
            if (length < 0)
                return 0;
            path[length] = 0;
            return strstr(path, match) ? getenv("CHAOS_SYNC_LIES") ? 2 : 1 : 0;
        }

        #define WRAP(name) \
            int name(int fd) \
            { \
                static int (*real)(int); \
                int is = verdict(fd); \
                if (is == 1) { errno = EIO; return -1; } \
                if (is == 2) return 0; \
                if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
                return real(fd); \
            }

        WRAP(fsync)
        WRAP(fdatasync)
        """;

    readonly string _trigger;

    SyncFailure(string library, string trigger, string match, bool lies)
    {
        _trigger = trigger;
        Variables = new Dictionary<string, string>
        {
            ["LD_PRELOAD"] = library,
            ["CHAOS_SYNC_MATCH"] = match,
            ["CHAOS_SYNC_TRIGGER"] = trigger,
        };
        if (lies)
            Variables["CHAOS_SYNC_LIES"] = "1";
    }

    /// <summary>For the process that it is to happen to.</summary>
    public Dictionary<string, string> Variables { get; }

    /// <param name="match">A part of the paths of the files.</param>
    /// <param name="lies">It says that it synced instead of failing.</param>
    public static async Task<SyncFailure> MakeAsync(string folder, string match, bool lies)
    {
        var source = Path.Combine(folder, "sync.c");
        var library = Path.Combine(folder, "sync.so");
        await File.WriteAllTextAsync(source, Source);
        await Programs.RunAsync("gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl");
        return new SyncFailure(library, Path.Combine(folder, "syncs-fail"), match, lies);
    }

    public void Begin() => File.WriteAllText(_trigger, "");

    public void End() => File.Delete(_trigger);
}
