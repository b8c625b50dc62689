using System.Collections;
using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.Versioning;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Postrider.Cli;
using Postrider.EndToEnd.Api;
using Postrider.Hosting;
using Postrider.Testing;

namespace Postrider.EndToEnd.Cli;

/// <summary>An installation on SQLite whose server is stopped, and in which all is well: two relays that take its password, a sender domain
/// whose records are published, files that nobody else may read.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class Installation : IAsyncDisposable
{
    public const string Domain = "sender.example";

    readonly List<IAsyncDisposable> _beside = [];

    Installation(string folder, JsonNode key)
    {
        (Folder, Key) = (folder, key);
        Relay = Beside(SmtpSink.Start(new SmtpSinkOptions { Tls = SmtpSinkTls.StartTls, Account = ("ann", "right") }));
        var spare = Beside(SmtpSink.Start(new SmtpSinkOptions { Tls = SmtpSinkTls.StartTls, Account = ("ann", "right") }));
        Dns = Beside(ScriptedDns.Start());
        Dns.Text((string)key["name"]!, string.Concat(key["strings"]!.AsArray().Select(part => (string)part!)));
        Dns.Text(Domain, "v=spf1 ip4:192.0.2.1 -all");
        Dns.Text($"_dmarc.{Domain}", "v=DMARC1; p=none");
        Dns.MailHost(Domain, 10, "mail.sender.example");
        var authority = Path.Combine(folder, "authority.pem");
        File.WriteAllText(authority, TestCertificates.Authority.ExportCertificatePem());
        Variables["POSTRIDER_DATA"] = folder;
        Variables["POSTRIDER_URLS"] = string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Ports.Free()}");
        Variables["POSTRIDER_SMTP"] = "off";
        Variables["POSTRIDER_PUBLIC_URL"] = "https://mail.example.com";
        Variables["POSTRIDER_DNS"] = Dns.Address.ToString();
        Variables["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = "1000000";
        Variables["POSTRIDER_TRANSPORTS"] = $"main={RelayDsn("right")} spare={DsnOf(spare, "right")}";
    }

    /// <summary>Its data; <c>postrider.db</c> and <c>master.key</c> among them.</summary>
    public string Folder { get; }
    public JsonNode Key { get; }
    public SmtpSink Relay { get; }
    public ScriptedDns Dns { get; }

    /// <summary>The environment of its server.</summary>
    public Hashtable Variables { get; } = [];

    public string Database => Path.Combine(Folder, "postrider.db");

    public string RelayDsn(string password) => DsnOf(Relay, password);

    string DsnOf(SmtpSink relay, string password) => string.Create(CultureInfo.InvariantCulture,
        $"smtp://ann:{password}@localhost:{relay.Port}?tls=starttls&ca={Uri.EscapeDataString(Path.Combine(Folder, "authority.pem"))}");

    /// <summary>Something that lives as long as the installation.</summary>
    public T Beside<T>(T thing) where T : IAsyncDisposable
    {
        _beside.Add(thing);
        return thing;
    }

    public void Execute(string sql)
    {
        using var connection = new SqliteConnection(
            new SqliteConnectionStringBuilder { DataSource = Database, Pooling = false }.ToString());
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    /// <summary>A certificate with its key in one file of the owner's.</summary>
    public string Certificate(int days)
    {
        var path = Path.Combine(Folder, "server.pfx");
        using var made = MakeCertificate(days);
        File.WriteAllBytes(path, made.Export(X509ContentType.Pfx));
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    public static X509Certificate2 MakeCertificate(int days)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(days));
    }

    public async Task<(int ExitCode, string Output, string Error)> RunAsync(params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var exitCode = await CommandLine.RunAsync(args, new CommandInput(Variables, null), output, error);
        return (exitCode, output.ToString(), error.ToString());
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var thing in _beside)
            await thing.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A data folder that a server has made and left in order, to be copied for each test.</summary>
    public sealed class Template : Xunit.IAsyncLifetime
    {
        readonly string _folder = Directory.CreateTempSubdirectory("postrider-").FullName;
        JsonNode? _key;

        public async ValueTask InitializeAsync()
        {
            var app = await ServerBuilder.BuildAsync(LoadedConfiguration.Load([], new Hashtable
            {
                ["POSTRIDER_DATA"] = _folder,
                ["POSTRIDER_URLS"] = "http://127.0.0.1:0",
                ["POSTRIDER_SMTP"] = "off",
                ["POSTRIDER_TRANSPORTS"] = "capture://",
                ["POSTRIDER_API_KEY"] = TestServer.Key,
                ["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = "1000000",
                ["POSTRIDER_STORAGE__BALLAST_BYTES"] = "0",
            }));
            await app.StartAsync();
            var addresses = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
            using var client = new HttpClient { BaseAddress = new Uri(addresses.First()) };
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", TestServer.Key);
            using var made = await client.PostAsync("/domains", TestServer.Json($$"""{"name":"{{Domain}}"}"""));
            _key = JsonNode.Parse(await made.Content.ReadAsStringAsync())!["keys"]![0]!["record"]!;
            using var sent = await client.PostAsync("/emails",
                TestServer.Json("""{"from":"a@sender.example","to":"b@example.com","subject":"S","text":"x"}"""));
            sent.EnsureSuccessStatusCode();
            await app.StopAsync();
            await app.DisposeAsync();
        }

        public Installation Copy()
        {
            var folder = Directory.CreateTempSubdirectory("postrider-").FullName;
            foreach (var file in Directory.GetFiles(_folder))
                File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            return new Installation(folder, _key!);
        }

        public ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            return ValueTask.CompletedTask;
        }
    }
}
