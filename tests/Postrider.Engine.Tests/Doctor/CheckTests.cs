using Postrider.Doctor;
using Postrider.Testing;
using Xunit;

namespace Postrider.Tests.Doctor;

/// <summary>Each check alone: what it must find, and that it finds nothing where all is well.</summary>
public sealed class CheckTests
{
    static readonly DateTimeOffset Now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    static readonly StoreFact HealthyStore = new()
    {
        Name = "/data/postrider.db",
        Schema = 20,
        KnownSchema = 20,
        UsableKeys = 2,
        NewestMessage = Now.AddSeconds(-1),
        MadeAt = Now.AddDays(-100),
        BackedUpAt = Now.AddDays(-1),
        IsBackedUpByUs = true,
        OldestDue = Now.AddSeconds(-2),
        Taken = new Dictionary<string, long> { ["ses"] = 1_000, ["relay"] = 10 },
        Heard = ["ses"],
    };

    static readonly Facts Healthy = new()
    {
        Now = Now,
        Version = "1.0.0",
        IsRunning = true,
        AnyNodeRuns = true,
        PublicUrl = new Uri("https://mail.example.com"),
        Tracks = true,
        Certificate = new CertificateFact("server.pem", Now.AddDays(60)),
        Paths = [new PathFact("/data", (UnixFileMode)0b111_000_000), new PathFact("/data/master.key", (UnixFileMode)0b110_000_000), new PathFact("C:", null)],
        Growth = new GrowthFact(30e6, TimeSpan.FromDays(15)),
        Disk = new DiskFact("/data", 4L << 30, 256 << 20, "ext4"),
        Store = HealthyStore,
        MasterKey = SecretFact.Fits,
        Clocks = [("the database", TimeSpan.FromSeconds(-1))],
        Nodes = [new NodeFact("a", "all", "1.0.0"), new NodeFact("b", "worker scheduler", "1.0.0")],
        Transports = [new TransportFact("ses", "ses") { Reports = true, CertificateEnds = Now.AddDays(60) }, new TransportFact("relay", "smtp")],
        Routes = [new RouteFact("default", ["ses", "relay"], ["relay"])],
        Dns = [new DnsFact(DnsLook.Dkim, "s1._domainkey.example.com", null, IsSigning: true), new DnsFact(DnsLook.Mx, "example.com", null)],
    };

    static readonly Dictionary<string, Func<Facts, Facts>> Ill = new()
    {
        ["configuration.faults"] = f => f with { ConfigurationFaults = ["postrider.json:3: Urls: has \"x\""] },
        ["configuration.warnings"] = f => f with { ConfigurationWarnings = ["Urls: in the clear"] },
        ["telemetry.unreachable"] = f => f with { DeafCollectors = [("http://127.0.0.1:4317", "connection refused")] },
        ["transports.twice"] = f => f with { Twins = [("main", "spare")] },
        ["transports.capture"] = f => f with { Captures = ["capture"] },
        ["public-url.missing"] = f => f with { PublicUrl = new Uri("http://127.0.0.1:8025"), Transports = [] },
        ["public-url.clear"] = f => f with { PublicUrl = new Uri("http://mail.example.com") },
        ["certificate.ends"] = f => f with { Certificate = new CertificateFact("server.pem", Now.AddDays(13)) },
        ["files.open"] = f => f with { Paths = [new PathFact("/data/master.key", (UnixFileMode)0b110_100_000)] },
        ["disk.full"] = f => f with { Disk = f.Disk! with { FreeBytes = 255 << 20 } },
        ["disk.filling"] = f => f with { Disk = f.Disk! with { FreeBytes = 1_000 << 20 } },
        ["disk.forecast"] = f => f with { Growth = new GrowthFact(30e6, TimeSpan.FromDays(13)) },
        ["disk.kind"] = f => f with { Disk = f.Disk! with { Format = "nfs4" } },
        ["store.unusable"] = f => f with { Store = HealthyStore with { Fault = "it is gone" } },
        ["store.damaged"] = f => f with { Store = HealthyStore with { Damage = "page 7 is never used" } },
        ["store.settings"] = f => f with { Store = HealthyStore with { UnsafeSettings = ["fsync is off"] } },
        ["store.newer"] = f => f with { Store = HealthyStore with { Schema = 24, SchemaMayBeAhead = 3 } },
        ["store.older"] = f => f with { IsRunning = false, Store = HealthyStore with { Schema = 19 } },
        ["store.connections"] = f => f with { Store = HealthyStore with { NodeConnections = 50, MaxConnections = 97 } },
        ["clock.differs"] = f => f with { Clocks = [("the database", TimeSpan.FromSeconds(7))] },
        ["clock.behind"] = f => f with { Store = HealthyStore with { NewestMessage = Now.AddMinutes(2) } },
        ["backup.old"] = f => f with { Store = HealthyStore with { BackedUpAt = null } },
        ["master-key.missing"] = f => f with { MasterKey = SecretFact.Missing },
        ["master-key.wrong"] = f => f with { MasterKey = SecretFact.Wrong },
        ["master-key.beside"] = f => f with { MasterKey = SecretFact.InDatabase },
        ["keys.none"] = f => f with { Store = HealthyStore with { UsableKeys = 0 } },
        ["keys.ending"] = f => f with { Store = HealthyStore with { EndingKeys = [("shop", Now.AddDays(3))] } },
        ["server.silent"] = f => f with { IsSilent = true },
        ["ports.taken"] = f => f with { ClosedPorts = [("http://127.0.0.1:8025", "another program has it")] },
        ["roles.no-worker"] = f => f with { Nodes = [new NodeFact("a", "api,scheduler", "1.0.0")] },
        ["roles.no-scheduler"] = f => f with { Nodes = [new NodeFact("a", "api worker", "1.0.0")] },
        ["roles.no-entrance"] = f => f with { Nodes = [new NodeFact("a", "worker scheduler", "1.0.0")] },
        ["nodes.versions"] = f => f with { Nodes = [new NodeFact("a", "all", "1.0.0"), new NodeFact("b", "all", "1.1.0")] },
        ["transports.unreachable"] = f => f with { Transports = [new TransportFact("relay", "smtp") { Unreachable = "nobody listens" }] },
        ["transports.refused"] = f => f with { Transports = [new TransportFact("relay", "smtp") { Refused = "535 5.7.8" }] },
        ["transports.certificate"] = f => f with { Transports = [new TransportFact("relay", "smtp") { CertificateEnds = Now.AddDays(-1) }] },
        ["transports.state"] = f => f with { Transports = [new TransportFact("relay", "smtp") { Trouble = "does not answer" }] },
        ["transports.paused"] = f => f with { Transports = [new TransportFact("relay", "smtp") { IsPaused = true }] },
        ["transports.sandbox"] = f => f with
        {
            Transports = [new TransportFact("ses", "ses") { LastErrors = ["Email address is not verified. The following identities failed the check in region"] }],
        },
        ["callbacks.unreachable"] = f => f with { PublicUrl = null, Tracks = false },
        ["callbacks.silent"] = f => f with { Store = HealthyStore with { Heard = ["dsn"] } },
        ["routes.down"] = f => f with
        {
            Routes = [new RouteFact("bulk", ["paused", "spent"], [])],
            Transports = [new TransportFact("paused", "smtp") { IsPaused = true }, new TransportFact("spent", "smtp") { Trouble = "failed" }],
        },
        ["routes.standby"] = f => f with { Store = HealthyStore with { Taken = new Dictionary<string, long> { ["ses"] = 70, ["relay"] = 30 } } },
        ["dns.silent"] = f => f with { Dns = [new DnsFact(DnsLook.Spf, "example.com", "no answer", IsSilent: true)] },
        ["dns.dkim"] = f => f with { Dns = [new DnsFact(DnsLook.Dkim, "s1._domainkey.example.com", "publish it", IsSigning: true)] },
        ["dns.spf"] = f => f with { Dns = [new DnsFact(DnsLook.Spf, "example.com", "publish it")] },
        ["dns.dmarc"] = f => f with { Dns = [new DnsFact(DnsLook.Dmarc, "_dmarc.example.com", "publish it")] },
        ["dns.mx"] = f => f with { Dns = [new DnsFact(DnsLook.Mx, "example.com", "publish it")] },
        ["dns.bounces"] = f => f with { Dns = [new DnsFact(DnsLook.BounceMx, "bounce.example.com", "publish it")] },
        ["queue.late"] = f => f with { Store = HealthyStore with { OldestDue = Now.AddMinutes(-16) } },
        ["queue.paused"] = f => f with { Store = HealthyStore with { Pauses = ["the stream bulk"] } },
    };

    public static TheoryData<string> Names => [.. Check.All.Select(check => check.Name)];

    [Fact]
    public void A_healthy_installation_has_no_finding() => Assert.Empty(Check.Examine(Healthy));

    [Fact]
    public void Of_an_installation_of_which_nothing_is_known_nothing_is_found() =>
        Assert.Empty(Check.Examine(new Facts { Now = Now, Version = "1.0.0" }));

    /// <summary>A check without a case here fails.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Each_fault_is_found_by_its_own_check_and_by_no_other(string name)
    {
        // What ails the transports of a route that is down is found too.
        var findings = Check.Examine(Ill[name](Healthy)).Where(finding => name != "routes.down" || finding.Check == name);
        var finding = Assert.Single(findings);
        Assert.Equal(name, finding.Check);
        Assert.NotEmpty(finding.Found);
        Assert.NotEmpty(finding.Remedy);
    }

    [Fact]
    public void Faults_come_before_warnings() => Assert.Equal(
        [Severity.Fault, Severity.Warning],
        Check.Examine(Ill["disk.full"](Ill["public-url.clear"](Healthy))).Select(finding => finding.Severity));

    [Theory]
    [InlineData("/tmp", 0b1_111_111_111, "(1777)")]
    [InlineData("/var/lib", 0b111_101_101, "(755)")]
    [InlineData("/srv/exchange", 0b111_111_111, "(777)")]
    public void What_others_use_too_keeps_its_rights(string folder, int mode, string shown)
    {
        var finding = Assert.Single(Check.Examine(Healthy with { Paths = [new PathFact(folder, (UnixFileMode)mode)] }));
        Assert.Contains(shown, finding.Found, StringComparison.Ordinal);
        Assert.DoesNotContain("chmod", finding.Remedy, StringComparison.Ordinal);
        Assert.Contains("a folder of its own", finding.Remedy, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/var/lib/postrider", 0b111_101_101, "chmod 700 /var/lib/postrider")]
    [InlineData("/data/master.key", 0b110_110_110, "chmod 600 /data/master.key")]
    public void What_is_ours_alone_is_closed(string path, int mode, string remedy) =>
        Assert.Equal(remedy, Assert.Single(Check.Examine(Healthy with { Paths = [new PathFact(path, (UnixFileMode)mode)] })).Remedy);

    [Fact]
    public void A_route_is_down_only_when_each_of_its_transports_is_and_one_of_them_is_broken()
    {
        Assert.DoesNotContain("routes.down", Found("paused", new TransportFact("paused", "smtp") { IsPaused = true }));
        Assert.DoesNotContain("routes.down", Found("a b", new TransportFact("a", "smtp") { Unreachable = "gone" }, new TransportFact("b", "smtp")));
        Assert.Contains("routes.down",
            Found("a b", new TransportFact("a", "smtp") { Unreachable = "gone" }, new TransportFact("b", "smtp") { Refused = "535" }));

        static IEnumerable<string> Found(string route, params TransportFact[] transports) =>
            Check.Examine(Healthy with { Routes = [new RouteFact("default", route.Split(' '), [])], Transports = transports })
                .Select(finding => finding.Check);
    }

    [Fact]
    public void Every_check_is_explained_on_the_page()
    {
        var page = File.ReadAllText(Repository.Path("docs", "doctor.md"));
        Assert.All(Check.All, check => Assert.Contains($"| `{check.Name}` |", page, StringComparison.Ordinal));
    }
}
