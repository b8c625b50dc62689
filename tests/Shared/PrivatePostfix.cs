using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Postrider.Testing;

/// <summary>A Postfix with a configuration, queue and port of its own; the system's is not touched.</summary>
public sealed class PrivatePostfix : IAsyncDisposable
{
    static readonly TimeSpan StartsWithin = TimeSpan.FromSeconds(20);

    readonly string _program;
    readonly DirectoryInfo _folder;

    PrivatePostfix(string program, DirectoryInfo folder) => (_program, _folder) = (program, folder);

    string Configuration => Path.Combine(_folder.FullName, "etc");

    /// <summary>Starts it and waits until it answers; skips the test where there is no Postfix, or no root.</summary>
    /// <param name="settings">Lines of main.cf beyond where it lives and that it listens on loopback alone.</param>
    public static async Task<PrivatePostfix> StartAsync(int port, string settings)
    {
        var program = Requires.Program("postfix");
        Requires.Root();
        var postfix = new PrivatePostfix(program, Directory.CreateTempSubdirectory("postrider-postfix-"));
        await postfix.WriteAsync(port, settings);
        await RunAsync(program, "-c", postfix.Configuration, "start");
        await Eventually.HoldsAsync(() => IsOpenAsync(port), StartsWithin);
        return postfix;
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync(_program, "-c", Configuration, "stop");
        _folder.Delete(recursive: true);
    }

    async Task WriteAsync(int port, string settings)
    {
        var folder = _folder.FullName;
        foreach (var name in (string[])["etc", "queue", "data"])
            _folder.CreateSubdirectory(name);
        // Its daemons run as another user and must get in.
        await RunAsync("chmod", "755", folder);
        await RunAsync("chown", "postfix", Path.Combine(folder, "data"));
        await File.WriteAllTextAsync(Path.Combine(Configuration, "main.cf"), $$"""
            compatibility_level = 3.6
            queue_directory = {{folder}}/queue
            data_directory = {{folder}}/data
            maillog_file = {{folder}}/log
            maillog_file_prefixes = {{folder}}
            inet_interfaces = 127.0.0.1
            inet_protocols = ipv4
            mynetworks = 127.0.0.0/8
            mydestination =
            {{settings}}

            """);
        await File.WriteAllTextAsync(Path.Combine(Configuration, "master.cf"), $"""
            127.0.0.1:{port} inet n - n - - smtpd
            cleanup unix n - n - 0 cleanup
            qmgr unix n - n 300 1 qmgr
            tlsmgr unix - - n 1000? 1 tlsmgr
            rewrite unix - - n - - trivial-rewrite
            bounce unix - - n - 0 bounce
            defer unix - - n - 0 bounce
            trace unix - - n - 0 bounce
            proxymap unix - - n - - proxymap
            smtp unix - - n - - smtp
            relay unix - - n - - smtp
            error unix - - n - - error
            retry unix - - n - - error
            anvil unix - - n - 1 anvil
            scache unix - - n - 1 scache
            postlog unix-dgram n - n - 1 postlogd

            """);
    }

    static async Task RunAsync(string program, params string[] arguments)
    {
        // Without our pipes: daemons would inherit and hold them.
        using var process = Process.Start(new ProcessStartInfo(program, arguments))!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }

    static async Task<bool> IsOpenAsync(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
