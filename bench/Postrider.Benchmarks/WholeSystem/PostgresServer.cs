using System.Globalization;

namespace Postrider.Benchmarks.WholeSystem;

/// <summary>A PostgreSQL server of the benchmark's own: every commit is flushed, as in service; more memory and longer between checkpoints
/// than by default, and nothing else changed.</summary>
sealed class PostgresServer : IAsyncDisposable
{
    /// <summary>What <c>docs/postgresql.md</c> advises.</summary>
    static readonly string[] Settings =
    [
        "listen_addresses=", "max_connections=200", "shared_buffers=512MB", "max_wal_size=4GB", "checkpoint_timeout=15min",
        "log_min_messages=fatal",
    ];

    readonly Child _child;
    readonly string _sockets;

    PostgresServer(Child child, string sockets) => (_child, _sockets) = (child, sockets);

    /// <summary>The database as <c>POSTRIDER_STORE</c> has it.</summary>
    public string Store => $"postgres://postgres@/postgres?host={_sockets}";

    public static async Task<PostgresServer> StartAsync(string folder, IEnumerable<string> more, CancellationToken ct)
    {
        Directory.CreateDirectory(folder);
        // Short: a socket's path has 107 characters at most.
        var sockets = Directory.CreateTempSubdirectory("prb-").FullName;
        if (Environment.IsPrivilegedProcess)
            await Child.RunAsync("/bin/chown", ["postgres", folder, sockets], null, ct);
        var data = Path.Combine(folder, "postgres");
        var (initdb, before) = As("initdb");
        await Child.RunAsync(initdb, [.. before, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"], null, ct);
        var (server, start) = As("postgres");
        var settings = Settings.Concat(more).Append($"unix_socket_directories={sockets}").SelectMany(s => (string[])["-c", s]);
        var child = Child.Start(server, [.. start, "-D", data, .. settings]);
        child.IgnoreOutput();
        var socket = Path.Combine(sockets, string.Create(CultureInfo.InvariantCulture, $".s.PGSQL.{5432}"));
        while (!File.Exists(socket))
        {
            if (child.HasExited)
                throw new InvalidOperationException($"PostgreSQL ended at its start:\n{child.LastWords}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, ct);
        }
        return new PostgresServer(child, sockets);
    }

    /// <summary>PostgreSQL refuses to run as root.</summary>
    static (string Program, string[] Before) As(string name) => Environment.IsPrivilegedProcess
        ? ("/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", Programs.Postgres(name)])
        : (Programs.Postgres(name), []);

    public async ValueTask DisposeAsync()
    {
        await _child.DisposeAsync();
        Directory.Delete(_sockets, recursive: true);
    }
}
