using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Postrider.Testing;

namespace Postrider.EndToEnd.Api;

/// <summary>A Postfix with a configuration, queue and port of its own, which passes mail for one domain to one server and all
/// other to another. The system's Postfix is not
/// touched.</summary>
sealed class RelayingPostfix : IAsyncDisposable
{
    readonly string _postfix;
    readonly DirectoryInfo _folder;

    RelayingPostfix(string postfix, DirectoryInfo folder) => (_postfix, _folder) = (postfix, folder);

    public static async Task<RelayingPostfix> StartAsync(int port, int relayPort, string domain, int domainPort)
    {
        var postfix = Requires.Program("postfix");
        Requires.Root();
        // Its processes run as the user postfix, who may not look into a folder of ours alone.
        var folder = Directory.CreateTempSubdirectory("postrider-postfix-");
        await RunAsync("chmod", "755", folder.FullName);
        foreach (var name in new[] { "etc", "queue", "data" })
            folder.CreateSubdirectory(name);
        await File.WriteAllTextAsync(
            Path.Combine(folder.FullName, "etc", "main.cf"), MainFile(folder.FullName, relayPort, domain, domainPort));
        await File.WriteAllTextAsync(Path.Combine(folder.FullName, "etc", "master.cf"), MasterFile(port));
        await RunAsync("chown", "postfix", Path.Combine(folder.FullName, "data"));
        var server = new RelayingPostfix(postfix, folder);
        await RunAsync(postfix, "-c", Path.Combine(folder.FullName, "etc"), "start");
        await WaitUntilOpenAsync(port);
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        await RunAsync(_postfix, "-c", Path.Combine(_folder.FullName, "etc"), "stop");
        _folder.Delete(recursive: true);
    }

    static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(
            new ProcessStartInfo(program, arguments) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    static async Task WaitUntilOpenAsync(int port)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (true)
        {
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port), patience.Token);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, patience.Token);
            }
        }
    }

    static string MainFile(string folder, int relayPort, string domain, int domainPort) => $$"""
        compatibility_level = 3.6
        queue_directory = {{folder}}/queue
        data_directory = {{folder}}/data
        mail_owner = postfix
        setgid_group = postdrop
        myhostname = relay.example.net
        mydestination =
        local_recipient_maps =
        alias_maps =
        alias_database =
        mynetworks = 127.0.0.0/8
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        relayhost = [127.0.0.1]:{{relayPort}}
        transport_maps = inline:{ {{domain}}=smtp:[127.0.0.1]:{{domainPort}} }
        smtp_dns_support_level = disabled
        smtp_host_lookup = native
        smtpd_peername_lookup = no
        default_database_type = hash
        smtpd_relay_restrictions = permit_mynetworks, reject
        smtp_tls_security_level = none
        smtpd_tls_security_level = none
        maillog_file = {{folder}}/mail.log
        maillog_file_prefixes = {{folder}}
        """;

    static string MasterFile(int port) => $"""
        127.0.0.1:{port} inet n - n - - smtpd
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
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
        """;
}
