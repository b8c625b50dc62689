using System.Diagnostics;
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

/// <summary>A Postfix that passes everything on to a <see cref="SmtpSink"/>, or to another server.</summary>
public sealed class PostfixServer : IAsyncLifetime
{
    PrivatePostfix? _postfix;
    string? _certificate;

    public SmtpSink Behind { get; } = SmtpSink.Start();

    /// <summary>Where it passes mail on to, when that is not <see cref="Behind"/>.</summary>
    public int? RelayPort { get; init; }

    public int Port { get; } = Ports.Free();

    /// <summary>Starts it the first time; skips the test where it cannot.</summary>
    public async Task RequireAsync()
    {
        if (_postfix is not null)
            return;
        _certificate ??= await PeerFiles.WriteCertificateAsync();
        _postfix = await PrivatePostfix.StartAsync(Port, $$$"""
            daemon_directory = /usr/lib/postfix/sbin
            myhostname = postfix.test
            relayhost = [127.0.0.1]:{{{RelayPort ?? Behind.Port}}}
            message_size_limit = 20000000
            smtpd_recipient_limit = 60
            smtpd_tls_security_level = may
            smtpd_tls_chain_files = {{{_certificate}}}
            smtpd_recipient_restrictions = check_recipient_access inline:{{defer@to.test = 450 4.2.0 try later} {bounce@to.test = 550 5.1.1 user unknown}}, permit_mynetworks, reject
            """);
    }

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (_postfix is not null)
            await _postfix.DisposeAsync();
        if (_certificate is not null)
            File.Delete(_certificate);
        await Behind.DisposeAsync();
    }
}

static class PeerFiles
{
    /// <summary>Where the peers' scripts are, found from where the tests run.</summary>
    public static string Scripts { get; } = Repository.Path("tests", "peers");

    /// <summary>The server's certificate and its key as PEM, in a new file.</summary>
    public static async Task<string> WriteCertificateAsync()
    {
        using var key = System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(
            TestCertificates.Server)!;
        var path = Path.Combine(Path.GetTempPath(), $"postrider-{Path.GetRandomFileName()}.pem");
        await File.WriteAllTextAsync(path, key.ExportPkcs8PrivateKeyPem() + "\n" + TestCertificates.Server.ExportCertificatePem() + "\n");
        return path;
    }
}
