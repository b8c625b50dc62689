namespace Postrider.Benchmarks.WholeSystem;

/// <summary>The programs of others that the benchmark measures against; <c>scripts/prerequisites postfix wrk</c> installs them.</summary>
static class Programs
{
    public static string SmtpSink => Find("smtp-sink");
    public static string SmtpSource => Find("smtp-source");
    public static string Wrk => Find("wrk");
    public static string Postfix => Find("postfix");

    /// <summary>A program of the PostgreSQL server, of the newest version there is.</summary>
    public static string Postgres(string name)
    {
        string[] versions = Directory.Exists("/usr/lib/postgresql") ? Directory.GetDirectories("/usr/lib/postgresql") : [];
        return versions.OrderDescending().Select(folder => Path.Combine(folder, "bin", name)).FirstOrDefault(File.Exists) ?? Find(name);
    }

    /// <summary>The Release build of the product beside our own, in <c>artifacts/bin</c>.</summary>
    public static string Postrider
    {
        get
        {
            var path = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "Postrider", "release", "postrider"));
            return File.Exists(path) ? path : throw new FileNotFoundException($"{path} is missing: build src/Postrider in Release first.");
        }
    }

    static string Find(string name)
    {
        string[] folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/usr/local/sbin"];
        return folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists)
            ?? throw new FileNotFoundException($"{name} is not installed: run scripts/prerequisites postfix wrk postgresql.");
    }
}
