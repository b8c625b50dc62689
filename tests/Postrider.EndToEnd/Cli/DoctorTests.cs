using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Data.Sqlite;
using Postrider.EndToEnd.Api;
using Postrider.Hosting.Examining;
using Postrider.Messages;
using Postrider.Testing;
using Xunit;

namespace Postrider.EndToEnd.Cli;

/// <summary>Faults that are planted in an installation in which all is well, each found by name.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class DoctorTests(Installation.Template template) : IClassFixture<Installation.Template>
{
    static readonly Dictionary<string, Action<Installation>> Plants = new()
    {
        ["configuration.faults"] = i => i.Variables["POSTRIDER_SERVER__MAX_CONNECTIONS"] = "0",
        ["configuration.warnings"] = i => i.Variables["POSTRIDER_URLS"] = $"http://*:{Ports.Free()}",
        ["public-url.clear"] = i => i.Variables["POSTRIDER_PUBLIC_URL"] = "http://mail.example.com",
        ["public-url.missing"] = i =>
        {
            i.Variables.Remove("POSTRIDER_PUBLIC_URL");
            i.Execute("""
                UPDATE tenants SET settings = '{"version":1,"tracking":{"transactional":{"opens":false,"clicks":false},
                    "bulk":{"opens":true,"clicks":true},"is_stopped":false}}'
                """);
        },
        ["certificate.ends"] = i => i.Variables["POSTRIDER_CERTIFICATE"] = i.Certificate(days: 3),
        ["files.open"] = i => File.SetUnixFileMode(i.Database, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead),
        ["disk.full"] = i => i.Variables["POSTRIDER_STORAGE__MIN_FREE_BYTES"] = (1L << 60).ToString(CultureInfo.InvariantCulture),
        ["disk.forecast"] = i =>
        {
            i.Variables["POSTRIDER_STORAGE__DATABASE_MAX_BYTES"] = "1500000000";
            i.Execute("""
                DELETE FROM store_sizes;
                INSERT INTO store_sizes VALUES ((unixepoch() - 86400) * 1000, 1000000000), (unixepoch() * 1000, 1100000000);
                """);
        },
        ["store.unusable"] = i => File.WriteAllText(i.Database + ".lock", "in use"),
        ["store.damaged"] = i => Damage(i.Database),
        ["store.newer"] = i => i.Execute("INSERT INTO schema_version VALUES (999, 'of tomorrow', 0)"),
        ["store.settings"] = i => i.Variables["POSTRIDER_STORE"] =
            PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create()).Replace("&durability=relaxed", "", StringComparison.Ordinal),
        ["store.connections"] = i => i.Variables["POSTRIDER_STORE"] =
            PostgresCluster.Shared.Dsn(PostgresCluster.Shared.Create()) + "&connections=900",
        ["clock.behind"] = i => i.Execute(string.Create(CultureInfo.InvariantCulture,
            $"UPDATE messages SET id = {MessageId.Create(TimeProvider.System.GetUtcNow().AddHours(1).ToUnixTimeMilliseconds(), 0, 0).Value}")),
        ["backup.old"] = i => i.Execute("UPDATE schema_version SET applied_at = applied_at - 864000000"),
        ["master-key.missing"] = i => File.Delete(Path.Combine(i.Folder, "master.key")),
        ["master-key.wrong"] = i => File.WriteAllText(Path.Combine(i.Folder, "master.key"), Convert.ToBase64String(new byte[32])),
        ["keys.none"] = i => i.Execute("UPDATE api_keys SET revoked = 1"),
        ["keys.ending"] = i => i.Execute("UPDATE api_keys SET expires = (unixepoch() + 86400) * 1000, used = unixepoch() * 1000"),
        ["server.silent"] = i => i.Beside(new FileStream(i.Database + ".lock", FileMode.Open, FileAccess.ReadWrite, FileShare.None)),
        ["ports.taken"] = i =>
        {
            var other = i.Beside(new Listener());
            i.Variables["POSTRIDER_SMTP"] = other.Address;
        },
        ["roles.no-worker"] = i => i.Variables["POSTRIDER_ROLES"] = "api smtp scheduler dashboard",
        ["roles.no-scheduler"] = i => i.Variables["POSTRIDER_ROLES"] = "api worker",
        ["roles.no-entrance"] = i => i.Variables["POSTRIDER_ROLES"] = "worker scheduler",
        ["transports.unreachable"] = i => i.Variables["POSTRIDER_TRANSPORTS"] += $" gone=smtp://127.0.0.1:{Ports.Free()}?tls=none",
        ["transports.refused"] = i => i.Variables["POSTRIDER_TRANSPORTS"] += $" locked={i.RelayDsn("wrong")}",
        ["transports.certificate"] = i =>
        {
            var certificate = Installation.MakeCertificate(days: 3);
            var old = i.Beside(SmtpSink.Start(new SmtpSinkOptions { Tls = SmtpSinkTls.StartTls, Certificate = certificate }));
            i.Variables["POSTRIDER_TRANSPORTS"] += $" old=smtp://127.0.0.1:{old.Port}?tls=auto";
        },
        ["transports.twice"] = i => i.Variables["POSTRIDER_TRANSPORTS"] += $" third={i.RelayDsn("right")}",
        ["transports.capture"] = i => i.Variables["POSTRIDER_TRANSPORTS"] += " capture://",
        ["callbacks.unreachable"] = i =>
        {
            i.Variables.Remove("POSTRIDER_PUBLIC_URL");
            i.Variables["POSTRIDER_TRANSPORTS"] += $" sendgrid://SG.x@?endpoint=http://127.0.0.1:{i.Relay.Port}";
        },
        ["dns.silent"] = i => i.Dns.Change = (_, _, _) => null,
        ["dns.dkim"] = i => i.Dns.Remove((string)i.Key["name"]!),
        ["dns.spf"] = i => i.Dns.Text(Installation.Domain, "v=spf1 -all"),
        ["dns.dmarc"] = i => i.Dns.Remove($"_dmarc.{Installation.Domain}"),
        ["dns.bounces"] = i => i.Variables["POSTRIDER_BOUNCE_DOMAIN"] = "bounce.example.com",
        ["queue.paused"] = i => i.Execute("INSERT INTO pauses VALUES (0, 1, '', 1000, 'the flood')"),
    };

    public static TheoryData<string> Names => [.. Plants.Keys];

    [Fact]
    public async Task A_healthy_installation_has_no_finding()
    {
        await using var installation = template.Copy();
        var run = await installation.RunAsync("doctor", "--json");
        Assert.True(run.ExitCode == 0, run.Output + run.Error);
        var answer = JsonNode.Parse(run.Output)!;
        Assert.Empty(answer["findings"]!.AsArray());
        Assert.Empty(answer["unseen"]!.AsArray());
        Assert.True(answer["checks"]!.AsArray().Count >= Plants.Count);
        Assert.EndsWith("checks: nothing is wrong.\n", (await installation.RunAsync("doctor")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Twenty_faults_and_more_are_planted() => Assert.InRange(Plants.Count, 20, int.MaxValue);

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_planted_fault_is_found_and_nothing_else(string name)
    {
        await using var installation = template.Copy();
        Plants[name](installation);
        var files = Files(installation.Folder);
        var run = await installation.RunAsync("doctor", "--json");
        Assert.True(run.ExitCode == 1, run.Output + run.Error);
        var findings = JsonNode.Parse(run.Output)!["findings"]!.AsArray();
        Assert.All(findings, finding => Assert.True((string)finding!["check"]! == name, run.Output));
        Assert.NotEmpty(findings);
        Assert.Contains((string)findings[0]!["remedy"]!, (await installation.RunAsync("doctor")).Output, StringComparison.Ordinal);
        Assert.Equal(files, Files(installation.Folder));
    }

    /// <summary>Names, sizes and rights: the doctor changes nothing.</summary>
    static List<string> Files(string folder) => [.. Directory.GetFiles(folder).Order(StringComparer.Ordinal)
        .Select(file => $"{file} {new FileInfo(file).Length} {File.GetUnixFileMode(file)}")];

    [Fact]
    public async Task A_server_that_runs_is_asked()
    {
        await using var server = await TestServer.StartAsync(("TRANSPORTS", "main=sim://main spare=sim://spare"));
        var well = await RunAsync(server);
        Assert.True(well.ExitCode == 0, well.Output + well.Error);

        using (await server.Client.PostAsync("/transports/main/pause", null))
        using (await server.Client.PostAsync("/pause", TestServer.Json("""{"stream":"bulk","reason":"the flood"}""")))
        {
            File.SetUnixFileMode(Path.Combine(server.Folder, "master.key"), UnixFileMode.UserRead | UnixFileMode.GroupRead);
            var ill = await RunAsync(server);
            Assert.Equal(1, ill.ExitCode);
            Assert.Equal(["files.open", "queue.paused", "transports.paused"], JsonNode.Parse(ill.Output)!["findings"]!.AsArray()
                .Select(finding => (string)finding!["check"]!).Order(StringComparer.Ordinal));
        }
        using var other = await server.NewClientAsync(TenantId.First, Tenants.Scopes.Manage);
        Assert.Equal(HttpStatusCode.Forbidden, (await other.GetAsync("/doctor")).StatusCode);
    }

    [Fact]
    public async Task A_collector_that_nobody_listens_for_is_told()
    {
        await using var listener = new Listener();
        var deaf = new Uri($"http://127.0.0.1:{Ports.Free()}");
        var found = await NetworkLooks.DeafAsync(
            [new Uri($"http://{listener.Address}"), deaf, new Uri(deaf, "/v1/traces")], TestContext.Current.CancellationToken);
        Assert.Equal(($"{deaf.GetLeftPart(UriPartial.Authority)}", true), (Assert.Single(found).Endpoint, found[0].Why.Length > 0));
    }

    [Fact]
    public async Task A_server_that_was_named_and_does_not_answer_is_no_reason_to_look_at_this_machine()
    {
        await using var installation = template.Copy();
        var run = await installation.RunAsync("doctor", "--url", "http://127.0.0.1:1");
        Assert.Equal(69, run.ExitCode);
        Assert.Contains("no server answers at http://127.0.0.1:1/", run.Error, StringComparison.Ordinal);
    }

    static async Task<(int ExitCode, string Output, string Error)> RunAsync(TestServer server)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var variables = new System.Collections.Hashtable { ["POSTRIDER_URL"] = server.Address.ToString(), ["POSTRIDER_API_KEY"] = TestServer.Key };
        var exitCode = await Postrider.Cli.CommandLine.RunAsync(["doctor", "--json"], new Postrider.Cli.CommandInput(variables, null), output, error);
        return (exitCode, output.ToString(), error.ToString());
    }

    /// <summary>Writes over the middle of an index's first page.</summary>
    static void Damage(string database)
    {
        long page, size;
        var source = new SqliteConnectionStringBuilder { DataSource = database, Pooling = false };
        using (var connection = new SqliteConnection(source.ToString()))
        {
            connection.Open();
            long Ask(string sql)
            {
                using var command = connection.CreateCommand();
                command.CommandText = sql;
                return (long)command.ExecuteScalar()!;
            }
            (page, size) = (Ask("SELECT rootpage FROM sqlite_master WHERE name = 'api_keys_tenant'"), Ask("PRAGMA page_size"));
        }
        using var file = File.OpenWrite(database);
        file.Position = (page - 1) * size;
        file.Write(Encoding.ASCII.GetBytes(new string('x', 100)));
    }

    /// <summary>Another program on a port.</summary>
    sealed class Listener : IAsyncDisposable
    {
        readonly TcpListener _listener = new(IPAddress.Loopback, 0);

        public Listener() => _listener.Start();

        public string Address => _listener.LocalEndpoint.ToString()!;

        public ValueTask DisposeAsync()
        {
            _listener.Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
