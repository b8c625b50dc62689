using System.Globalization;
using Postrider.Testing;

namespace Postrider.Chaos.Product;

/// <summary>A PostgreSQL server of the run's own, durable as one that mail is trusted to: in a folder, on a port of the loopback and on a
/// socket, as the user postgres where the run is root's.</summary>
sealed class PostgresServer : IAsyncDisposable
{
    readonly string _folder;
    readonly string _binaries;
    readonly string _settings;
    IReadOnlyDictionary<string, string> _variables = new Dictionary<string, string>();

    PostgresServer(string folder, string binaries, int port, string addresses)
    {
        (_folder, _binaries, Port) = (folder, binaries, port);
        _settings = string.Join(' ', new[]
        {
            $"port={port.ToString(CultureInfo.InvariantCulture)}", $"listen_addresses={addresses}", $"unix_socket_directories={folder}",
            "max_connections=300", "shared_buffers=64MB", "max_wal_size=256MB",
        }.Select(setting => $"-c {setting}"));
    }

    public int Port { get; }
    public string Data => Path.Combine(_folder, "pg");

    /// <summary>Where Debian keeps each version's programs, the newest first.</summary>
    static IEnumerable<string> Installed => Directory.Exists("/usr/lib/postgresql")
        ? Directory.GetDirectories("/usr/lib/postgresql").OrderDescending().Select(version => Path.Combine(version, "bin"))
        : [];

    public static bool IsInstalled => Programs.Find("initdb", Installed) is not null;

    /// <param name="folder">Its own; made for the user postgres.</param>
    /// <param name="addresses">Listened on, separated by commas.</param>
    public static async Task<PostgresServer> CreateAsync(string folder, string addresses = "127.0.0.1")
    {
        var initdb = Programs.Find("initdb", Installed) ?? throw new InvalidOperationException("PostgreSQL is not installed");
        Directory.CreateDirectory(folder);
        var server = new PostgresServer(folder, Path.GetDirectoryName(initdb)!, Ports.Free(), addresses);
        if (Environment.IsPrivilegedProcess)
            await Programs.RunAsync("chown", "-R", "postgres", folder);
        await server.RunAsync("initdb", "-D", server.Data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync");
        await File.AppendAllTextAsync(Path.Combine(server.Data, "pg_hba.conf"), "host all all 10.0.0.0/8 trust\n");
        await server.StartAsync();
        await server.RunAsync("createdb", "-h", folder, "-p", server.PortText, "-U", "postgres", "--encoding=UTF8", "--template=template0",
            "mail");
        return server;
    }

    string PortText => Port.ToString(CultureInfo.InvariantCulture);

    /// <summary>As <c>POSTRIDER_STORE</c> has it.</summary>
    /// <param name="host">Another address than the loopback's, or one in front of it.</param>
    public string Dsn(string host = "127.0.0.1", int port = 0) =>
        $"postgres://postgres@{host}:{(port == 0 ? Port : port)}/mail?sslmode=disable";

    /// <param name="variables">Of the server's own environment, for as long as it is not started otherwise.</param>
    public Task StartAsync(IReadOnlyDictionary<string, string>? variables = null)
    {
        _variables = variables ?? _variables;
        return RunAsync("pg_ctl", "-D", Data, "-l", Path.Combine(_folder, "log"), "-w", "-t", "60", "-o", _settings, "start");
    }

    /// <summary>Starts it where it has ended by itself.</summary>
    public async Task EnsureRunningAsync()
    {
        try
        {
            await RunAsync("pg_ctl", "-D", Data, "status");
        }
        catch (InvalidOperationException)
        {
            await StartAsync();
        }
    }

    /// <summary>At once, as a crash: clients are cut in the middle of what they do.</summary>
    public Task StopAsync() => RunAsync("pg_ctl", "-D", Data, "-m", "immediate", "-w", "stop");

    /// <summary>Stops every process of the server where it stands, takes the power of its disk, and ends them.</summary>
    public async Task LosePowerAsync(Action cut)
    {
        var postmaster = (await File.ReadAllLinesAsync(Path.Combine(Data, "postmaster.pid")))[0];
        List<string> Family() => [postmaster, .. Directory.GetDirectories("/proc")
            .Where(folder => char.IsAsciiDigit(folder[6]) && StatusOf(folder) is [_, var parent, ..] && parent == postmaster)
            .Select(folder => Path.GetFileName(folder)!)];
        await SignalAsync("STOP", [postmaster]); // it starts no more
        await SignalAsync("STOP", Family());
        cut();
        var family = Family();
        await SignalAsync("KILL", family);
        while (family.Exists(process => StatusOf($"/proc/{process}") is [not "Z", ..]))
            await Books.Clock.WaitAsync(20);
    }

    /// <summary>After a cut: on a machine that starts again nobody has the number of the dead server, while here it may not be free
    /// yet.</summary>
    public Task StartAfterPowerLossAsync()
    {
        File.Delete(Path.Combine(Data, "postmaster.pid"));
        foreach (var file in Directory.GetFiles(_folder, ".s.PGSQL.*"))
            File.Delete(file);
        return StartAsync();
    }

    static async Task SignalAsync(string signal, List<string> processes)
    {
        foreach (var process in processes.Where(process => Directory.Exists($"/proc/{process}")))
            await Programs.RunAsync("/bin/sh", "-c", $"kill -{signal} {process} 2>/dev/null || true");
    }

    // proc(5): state and parent are the fields of stat after the name, which is in parentheses.
    static string[] StatusOf(string folder)
    {
        try
        {
            var status = File.ReadAllText(Path.Combine(folder, "stat"));
            return status[(status.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return []; // no process, or gone already
        }
    }

    public Task<string> AskAsync(string sql) =>
        RunAsync("psql", "-h", _folder, "-p", PortText, "-U", "postgres", "-d", "mail", "-At", "-v", "ON_ERROR_STOP=1", "-c", sql);

    public Task<string> RunAsync(string program, params string[] arguments)
    {
        string[] command = [Path.Combine(_binaries, program), .. arguments];
        if (_variables.Count > 0)
            command = ["/usr/bin/env", .. _variables.Select(variable => $"{variable.Key}={variable.Value}"), .. command];
        return Environment.IsPrivilegedProcess // PostgreSQL refuses to run as root
            ? Programs.RunAsync("setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", .. command])
            : Programs.RunAsync(command[0], command[1..]);
    }

    public async ValueTask DisposeAsync()
    {
        try
        {
            await StopAsync();
        }
        catch (InvalidOperationException)
        {
            // It does not run.
        }
    }
}
