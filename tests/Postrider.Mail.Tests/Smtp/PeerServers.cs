using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Postrider.Testing;
using Xunit;

namespace Postrider.Mail.Tests.Smtp;

/// <summary>What another server says it received.</summary>
sealed record PeerMessage(string From, string[] To, string[] Options, byte[] Content, bool Tls, string? User);

/// <summary>Python's aiosmtpd in a process of its own.</summary>
sealed class AiosmtpdServer : IAsyncDisposable
{
    readonly Process _process;
    readonly string? _certificate;

    AiosmtpdServer(Process process, int port, string? certificate)
    {
        _process = process;
        _certificate = certificate;
        Port = port;
    }

    public int Port { get; }

    public static async Task<AiosmtpdServer> StartAsync(bool tls = false, string? user = null, string? password = null)
    {
        var python = Requires.Python("aiosmtpd");
        var certificate = tls ? await PeerFiles.WriteCertificateAsync() : null;
        var start = new ProcessStartInfo(python, [Path.Combine(PeerFiles.Scripts, "smtp_server.py"), certificate ?? "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (user is not null)
        {
            start.ArgumentList.Add(user);
            start.ArgumentList.Add(password!);
        }
        var process = Process.Start(start)!;
        var port = await process.StandardOutput.ReadLineAsync();
        if (!int.TryParse(port, out var number))
            throw new InvalidOperationException($"aiosmtpd did not start: {await process.StandardError.ReadToEndAsync()}");
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        return new AiosmtpdServer(process, number, certificate);
    }

    /// <summary>The next message it has not told of yet; waits for it.</summary>
    public async Task<PeerMessage> ReadAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(20), TimeProvider.System);
        var line = await _process.StandardOutput.ReadLineAsync(limit.Token) ?? throw new InvalidOperationException("aiosmtpd ended");
        var json = JsonElement.Parse(line);
        return new PeerMessage(
            json.GetProperty("from").GetString()!, Strings(json.GetProperty("to")), Strings(json.GetProperty("options")),
            json.GetProperty("content").GetBytesFromBase64(), json.GetProperty("tls").GetBoolean(), json.GetProperty("user").GetString());
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (_certificate is not null)
            File.Delete(_certificate);
    }

    static string[] Strings(JsonElement list) => [.. list.EnumerateArray().Select(item => item.GetString()!)];
}

/// <summary>
/// A private instance of Postfix with its own configuration and queue, that passes everything on to a <see cref="SmtpSink"/>, or to
/// another server.
/// </summary>
public sealed class PostfixServer : IAsyncLifetime
{
    readonly string _folder = Directory.CreateTempSubdirectory("postrider-postfix-").FullName;
    string? _postfix;

    public SmtpSink Behind { get; } = SmtpSink.Start();

    /// <summary>Where it passes mail on to, when that is not <see cref="Behind"/>.</summary>
    public int? RelayPort { get; init; }

    public int Port { get; private set; }

    /// <summary>Starts it the first time; skips the test where it cannot.</summary>
    public async Task RequireAsync()
    {
        if (_postfix is not null)
            return;
        var postfix = Requires.Program("postfix");
        Requires.Root();
        Port = PeerFiles.FreePort();
        foreach (var name in (string[])["conf", "queue", "data"])
            Directory.CreateDirectory(Path.Combine(_folder, name));
        // Its daemons run as another user and must get in.
        await PeerFiles.RunAsync("chmod", "755", _folder);
        await PeerFiles.RunAsync("chown", "postfix", Path.Combine(_folder, "data"));
        var certificate = await PeerFiles.WriteCertificateAsync(Path.Combine(_folder, "conf"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "conf", "main.cf"), MainCf(certificate));
        await File.WriteAllTextAsync(Path.Combine(_folder, "conf", "master.cf"), MasterCf());
        _postfix = postfix;
        await PeerFiles.RunAsync(postfix, "-c", Path.Combine(_folder, "conf"), "start");
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_postfix is not null)
            await PeerFiles.RunAsync(_postfix, "-c", Path.Combine(_folder, "conf"), "stop");
        await Behind.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    string MainCf(string certificate) => $$$"""
        compatibility_level = 3.6
        queue_directory = {{{_folder}}}/queue
        data_directory = {{{_folder}}}/data
        daemon_directory = /usr/lib/postfix/sbin
        maillog_file = {{{_folder}}}/log
        maillog_file_prefixes = {{{_folder}}}
        inet_interfaces = 127.0.0.1
        inet_protocols = ipv4
        myhostname = postfix.test
        mydestination =
        mynetworks = 127.0.0.0/8
        relayhost = [127.0.0.1]:{{{RelayPort ?? Behind.Port}}}
        message_size_limit = 20000000
        smtpd_recipient_limit = 60
        smtpd_tls_security_level = may
        smtpd_tls_chain_files = {{{certificate}}}
        smtpd_recipient_restrictions = check_recipient_access inline:{{defer@to.test = 450 4.2.0 try later} {bounce@to.test = 550 5.1.1 user unknown}}, permit_mynetworks, reject
        """;

    string MasterCf() => $"""
        127.0.0.1:{Port} inet n - n - - smtpd
        cleanup unix n - n - 0 cleanup
        qmgr unix n - n 300 1 qmgr
        tlsmgr unix - - n 1000? 1 tlsmgr
        rewrite unix - - n - - trivial-rewrite
        bounce unix - - n - 0 bounce
        defer unix - - n - 0 bounce
        trace unix - - n - 0 bounce
        smtp unix - - n - - smtp
        error unix - - n - - error
        retry unix - - n - - error
        anvil unix - - n - 1 anvil
        scache unix - - n - 1 scache
        proxymap unix - - n - - proxymap
        postlog unix-dgram n - n - 1 postlogd

        """;
}

static class PeerFiles
{
    /// <summary>Where the peers' scripts are, found from where the tests run.</summary>
    public static string Scripts { get; } = Repository.Path("tests", "peers");

    /// <summary>Free now; nobody else is asked for one in between, as a rule.</summary>
    public static int FreePort()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    /// <summary>The server's certificate and its key as PEM, in a new file.</summary>
    public static async Task<string> WriteCertificateAsync(string? folder = null)
    {
        using var key = System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(
            TestCertificates.Server)!;
        var path = Path.Combine(folder ?? Path.GetTempPath(), $"postrider-{Path.GetRandomFileName()}.pem");
        await File.WriteAllTextAsync(path, key.ExportPkcs8PrivateKeyPem() + "\n" + TestCertificates.Server.ExportCertificatePem() + "\n");
        return path;
    }

    public static async Task RunAsync(string program, params string[] arguments)
    {
        // Without our pipes: daemons would inherit and hold them.
        using var process = Process.Start(new ProcessStartInfo(program, arguments))!;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}");
    }
}
