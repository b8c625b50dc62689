using System.Diagnostics;
using System.Globalization;
using Npgsql;

namespace Postrider.Testing;

/// <summary>A PostgreSQL server of the tests' own: in a temporary folder, on a socket in it, as the user postgres where the tests are
/// root's.
/// Started once, by the first test that asks; ends with the process.</summary>
/// <remarks>It writes without fsync: what a power cut does is no matter of these tests.</remarks>
public sealed class PostgresCluster
{
    static readonly Lazy<PostgresCluster> TheOne = new(() => new PostgresCluster(durable: false));

    readonly string _binaries;
    readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("postrider-pg-");
    readonly bool _durable;
    readonly Process _watcher;
    int _databases;

    /// <param name="durable">With fsync, as a server that mail is trusted to.</param>
    public PostgresCluster(bool durable)
    {
        _durable = durable;
        _binaries = Path.GetDirectoryName(Requires.Program("initdb", Installed()))!;
        Requires.That(!Environment.IsPrivilegedProcess || File.Exists("/usr/bin/setpriv"), "setpriv is not installed");
        Requires.That(File.Exists("/usr/bin/setsid"), "setsid is not installed");
        if (Environment.IsPrivilegedProcess)
            Run("chown", "postgres", _folder.FullName);
        RunAsServer("initdb", "-D", Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        Start();
        // Whatever ends the tests, and their whole process group, the watcher sees it and ends the server.
        _watcher = Process.Start(AsServer("/usr/bin/setsid", "/bin/sh", "-c",
            $"while [ -d /proc/{Environment.ProcessId} ] || kill -0 {Environment.ProcessId} 2>/dev/null; do sleep 0.5; done; "
            + $"'{_binaries}/pg_ctl' -D '{Data}' -m immediate stop >/dev/null 2>&1; rm -rf '{_folder.FullName}'"))!;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove();
    }

    /// <summary>Skips the test where PostgreSQL is not installed; in a check it fails.</summary>
    public static PostgresCluster Shared
    {
        get
        {
            Requires.Program("initdb", Installed());
            return TheOne.Value;
        }
    }

    string Data => Path.Combine(_folder.FullName, "data");

    /// <summary>For administration.</summary>
    public string ConnectionString => $"Host={_folder.FullName};Username=postgres;Database=postgres;Pooling=false;Timeout=30";

    /// <summary>The address of a database as POSTRIDER_STORE has it.</summary>
    public string Dsn(string database) => $"postgres://postgres@/{database}?host={_folder.FullName}&durability=relaxed";

    /// <summary>Makes a database, a copy of another one where one is named. Returns its name.</summary>
    public string Create(string? template = null)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"t{Interlocked.Increment(ref _databases)}");
        Execute($"CREATE DATABASE {name} TEMPLATE {template ?? "template0"} STRATEGY = FILE_COPY");
        return name;
    }

    public void Drop(string database) => Execute($"DROP DATABASE IF EXISTS {database} WITH (FORCE)");

    public void Execute(string sql)
    {
        using var connection = new NpgsqlConnection(ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        command.ExecuteNonQuery();
    }

    /// <summary>A single number.</summary>
    public int Count(string sql)
    {
        using var connection = new NpgsqlConnection(ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return (int)(long)command.ExecuteScalar()!;
    }

    /// <summary>One number.</summary>
    public long Ask(string sql)
    {
        using var connection = new NpgsqlConnection(ConnectionString);
        connection.Open();
        using var command = new NpgsqlCommand(sql, connection);
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>Starts the server and waits until it answers.</summary>
    public void Start()
    {
        string[] settings =
        [
            $"unix_socket_directories={_folder.FullName}", "listen_addresses=", "max_connections=300", "shared_buffers=64MB",
            _durable ? "fsync=on" : "fsync=off", "max_wal_size=512MB", "log_min_messages=fatal",
            "autovacuum_naptime=10s",
        ];
        RunAsServer("pg_ctl", "-D", Data, "-l", Path.Combine(_folder.FullName, "log"), "-w", "-t", "60", "-o",
            string.Join(' ', settings.Select(s => $"-c {s}")), "start");
    }

    /// <summary>Ends the server as a crash would.</summary>
    public void Crash()
    {
        RunAsServer("pg_ctl", "-D", Data, "-m", "immediate", "-w", "stop");
    }

    void Remove()
    {
        try
        {
            Crash();
            _folder.Delete(recursive: true);
        }
        catch (Exception e) when (e is IOException or InvalidOperationException or UnauthorizedAccessException)
        {
            // The watcher ends the server; the folder is temporary.
        }
    }

    void RunAsServer(string program, params string[] arguments) => Wait(AsServer(Path.Combine(_binaries, program), arguments));

    static void Run(string program, params string[] arguments) => Wait(new ProcessStartInfo(program, arguments));

    static void Wait(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{start.FileName} ended with {process.ExitCode}: {errors.Result}");
    }

    /// <summary>PostgreSQL refuses to run as root.</summary>
    ProcessStartInfo AsServer(string program, params string[] arguments)
    {
        var start = Environment.IsPrivilegedProcess
            ? new ProcessStartInfo("/usr/bin/setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", program, .. arguments])
            : new ProcessStartInfo(program, arguments);
        start.WorkingDirectory = _folder.FullName;
        return start;
    }

    /// <summary>Debian's folders, the newest version first.</summary>
    static string[] Installed() => Directory.Exists("/usr/lib/postgresql")
        ? [.. Directory.GetDirectories("/usr/lib/postgresql").OrderDescending().Select(folder => Path.Combine(folder, "bin"))]
        : [];
}
