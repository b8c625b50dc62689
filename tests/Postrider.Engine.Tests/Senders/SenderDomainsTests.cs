using System.Security.Cryptography;
using System.Text;
using Postrider.Engine.Tests.Storage;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Mail.Dns;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Storage.Tables;
using Postrider.Tenants;
using Postrider.Testing;
using Xunit;

namespace Postrider.Engine.Tests.Senders;

/// <summary>Domains over a real store and a DNS server on loopback.</summary>
public sealed class SenderDomainsTests : IAsyncDisposable
{
    static readonly TenantId Ours = TenantId.First;
    static readonly TenantId Other = new(2);

    readonly ManualClock _clock = new(new DateTimeOffset(2026, 3, 1, 9, 30, 0, TimeSpan.Zero));
    readonly ScriptedDns _dns = ScriptedDns.Start();
    readonly SqliteUnderTest _under;

    public SenderDomainsTests() => _under = new SqliteUnderTest(_clock);

    public async ValueTask DisposeAsync()
    {
        await _dns.DisposeAsync();
        await _under.DisposeAsync();
    }

    [Fact]
    public async Task A_key_signs_once_its_record_is_seen_and_over_a_restart()
    {
        var domains = await OpenAsync();
        var domain = await AddAsync(domains, "Example.COM.");
        Assert.Equal(("example.com", 1, null), (domain.Name, domain.Keys.Count, domain.VerifiedAt));
        Assert.Null(domains.SignerFor(Ours, "example.com"));

        Publish(domain, 0);
        _clock.Advance(TimeSpan.FromMinutes(1));
        domain = await CheckAsync(domains, "example.com");
        Assert.Equal(_clock.GetUtcNow(), domain.VerifiedAt);
        Assert.Equal(domain.Keys[0].Selector, domains.SignerFor(Ours, "example.com")!.Selector);

        await _under.ReopenAsync();
        var again = await OpenAsync();
        var signed = Sign(again.SignerFor(Ours, "example.com")!);
        Assert.Null(DkimVerifier.Verify(signed, _ => DkimRecord.Text(domain.Keys[0].PublicKey.Span)));
    }

    [Fact]
    public async Task A_domain_that_is_verified_for_another_tenant_is_not_verified_for_this_one()
    {
        var domains = await OpenAsync();
        var mine = await AddAsync(domains, "example.com", "mine");
        var theirs = (await domains.AddAsync(Other, "EXAMPLE.com", "theirs", subdomains: false, default)).Domain!;
        Publish(mine, 0);
        Publish(theirs, 0);
        await CheckAsync(domains, "example.com");
        var refused = await domains.CheckAsync(Other, "example.com", default);
        Assert.Equal(("domain-taken", 409), (refused.Problem?.Slug, refused.Problem?.Status));
        Assert.Null(domains.Find(Other, "example.com")!.VerifiedAt);
        Assert.Null(domains.SignerFor(Other, "example.com"));
        await domains.RemoveAsync(Ours, "example.com", default);
        Assert.NotNull((await domains.CheckAsync(Other, "example.com", default)).Domain?.VerifiedAt);
    }

    [Fact]
    public async Task While_a_new_key_is_not_published_the_old_one_goes_on()
    {
        var domains = await OpenAsync();
        var domain = await AddAsync(domains, "example.com", "old");
        Publish(domain, 0);
        await CheckAsync(domains, "example.com");

        domain = (await domains.AddKeyAsync(Ours, "example.com", "New", default)).Domain!;
        await CheckAsync(domains, "example.com");
        Assert.Equal("old", domains.SignerFor(Ours, "example.com")!.Selector);

        Publish(domain, 1);
        _clock.Advance(TimeSpan.FromSeconds(1));
        await CheckAsync(domains, "example.com");
        Assert.Equal("new", domains.SignerFor(Ours, "example.com")!.Selector);

        await domains.RemoveKeyAsync(Ours, "example.com", "NEW", default);
        Assert.Equal("old", domains.SignerFor(Ours, "example.com")!.Selector);
    }

    [Fact]
    public async Task An_operator_may_let_a_key_sign_unseen_which_verifies_nothing()
    {
        var domains = await OpenAsync(VerifiedSenders.All);
        await AddAsync(domains, "example.com", "s1");
        var domain = (await domains.ActivateAsync(Ours, "example.com", "s1", default)).Domain!;
        Assert.NotNull(domain.Signing);
        Assert.NotNull(domains.SignerFor(Ours, "example.com"));
        Assert.False(domains.MaySend(Ours, EmailAddress.Parse("a@example.com")));
    }

    [Fact]
    public async Task Names_below_count_only_where_that_was_asked_for()
    {
        var domains = await OpenAsync(VerifiedSenders.All);
        foreach (var (name, subdomains) in new[] { ("narrow.example", false), ("wide.example", true) })
        {
            Publish(await AddAsync(domains, name, subdomains: subdomains), 0);
            await CheckAsync(domains, name);
        }
        foreach (var (from, may) in new[]
        {
            ("a@narrow.example", true), ("a@NARROW.example", true), ("a@sub.narrow.example", false),
            ("a@wide.example", true), ("a@sub.wide.example", true), ("a@a.b.wide.example", true),
            ("a@notwide.example", false), ("a@wide.example.net", false), ("a@example", false),
        })
        {
            Assert.True(EmailAddress.TryParse(from, new AddressRules { AllowSingleLabelDomain = true }, out var address, out _));
            Assert.True(may == domains.MaySend(Ours, address), from);
            Assert.True(may == domains.SignerFor(Ours, address.AsciiDomain) is not null, from);
        }
        Assert.Equal("wide.example", domains.SignerFor(Ours, "a.b.wide.example")!.Domain);
    }

    [Fact]
    public async Task Two_tenants_may_claim_a_domain_and_the_DNS_says_whose_it_is()
    {
        var domains = await OpenAsync(VerifiedSenders.All);
        var ours = await AddAsync(domains, "bücher.example");
        var theirs = (await domains.AddAsync(Other, "xn--bcher-kva.EXAMPLE", null, false, default)).Domain!;
        Assert.NotEqual(ours.Keys[0].Selector, theirs.Keys[0].Selector);
        Publish(ours, 0);
        await domains.CheckAsync(Ours, "bücher.example", default);
        await domains.CheckAsync(Other, "bücher.example", default);
        var address = EmailAddress.Parse("a@BÜCHER.example");
        Assert.True(domains.MaySend(Ours, address));
        Assert.False(domains.MaySend(Other, address));
        Assert.Null(domains.SignerFor(Other, "xn--bcher-kva.example"));
        Assert.Null(domains.Find(new TenantId(3), "bücher.example"));
    }

    [Theory]
    [InlineData(VerifiedSenders.None, true, true)]
    [InlineData(VerifiedSenders.Others, true, false)]
    [InlineData(VerifiedSenders.All, false, false)]
    public async Task Who_must_be_verified_is_a_setting(VerifiedSenders require, bool first, bool others)
    {
        var domains = await OpenAsync(require);
        var address = EmailAddress.Parse("a@example.com");
        Assert.Equal((first, others), (domains.MaySend(Ours, address), domains.MaySend(Other, address)));
    }

    [Fact]
    public async Task A_definite_no_takes_the_verification_away_and_a_silent_DNS_does_not()
    {
        var domains = await OpenAsync();
        var domain = await AddAsync(domains, "example.com");
        Publish(domain, 0);
        await CheckAsync(domains, "example.com");

        _dns.Change = (_, answer, _) => [.. answer[..3], 0x82, .. answer[4..]];
        domain = await CheckAsync(domains, "example.com");
        Assert.NotNull(domain.VerifiedAt);
        Assert.All(domain.Checks!.Items, check => Assert.Equal(DnsCheckState.Unknown, check.State));

        _dns.Change = null;
        _dns.Remove(DkimRecord.Name(domain.Keys[0].Selector, "example.com"));
        domain = await CheckAsync(domains, "example.com");
        Assert.Null(domain.VerifiedAt);
    }

    [Fact]
    public async Task Private_keys_are_not_in_the_file_and_open_nowhere_else()
    {
        var domains = await OpenAsync();
        var domain = await AddAsync(domains, "example.com", "s1");
        var other = await AddAsync(domains, "example.org", "s1");
        Assert.False(IsPrivateKey(domain.Keys[0].SealedPrivateKey.Span));

        // Somebody with access to the database puts the sealed key elsewhere.
        await new SenderTables(_under.Sqlite).ReplaceAsync(new StoredSenderDomain(
            other with { Keys = [other.Keys[0] with { SealedPrivateKey = domain.Keys[0].SealedPrivateKey }] }, 0), default);
        var fault = await Assert.ThrowsAsync<MasterKeyException>(() => OpenAsync());
        Assert.Contains("s1 of example.org", fault.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("")]
    [InlineData("localhost")]
    [InlineData("a@example.com")]
    [InlineData("exa mple.com")]
    [InlineData("[127.0.0.1]")]
    [InlineData("-a.example")]
    [InlineData("example.com\r\n")]
    [InlineData("1.2.3.4")]
    public async Task What_is_no_domain_is_refused(string name)
    {
        var domains = await OpenAsync();
        Assert.Equal(("invalid-field", "/name"), Fault(await domains.AddAsync(Ours, name, null, false, default)));
        Assert.Null(domains.Find(Ours, name));
        Assert.False(await domains.RemoveAsync(Ours, name, default));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("a..b")]
    [InlineData("-a")]
    [InlineData("ü")]
    [InlineData("a;b")]
    [InlineData("a23456789012345678901234567890123456789012345678901234567890123x")]
    public async Task What_is_no_selector_is_refused(string selector)
    {
        var domains = await OpenAsync();
        Assert.Equal(("invalid-field", "/selector"), Fault(await domains.AddAsync(Ours, "example.com", selector, false, default)));
    }

    [Fact]
    public async Task A_domain_or_selector_that_is_there_is_refused_and_keys_are_few()
    {
        var domains = await OpenAsync(most: 1);
        await AddAsync(domains, "example.com", "s1");
        Assert.Equal("domain-exists", Fault(await domains.AddAsync(Ours, "EXAMPLE.com", "s2", false, default)).Slug);
        Assert.Equal("invalid-field", Fault(await domains.AddAsync(Ours, "example.org", "s2", false, default)).Slug);
        Assert.Equal(("invalid-field", "/selector"), Fault(await domains.AddKeyAsync(Ours, "example.com", "S1", default)));
        for (var n = 2; n <= 5; n++)
            Assert.NotNull((await domains.AddKeyAsync(Ours, "example.com", $"s{n}", default)).Domain);
        Assert.Equal("invalid-field", Fault(await domains.AddKeyAsync(Ours, "example.com", "s6", default)).Slug);
        Assert.Equal("not-found", Fault(await domains.AddKeyAsync(Other, "example.com", "s6", default)).Slug);
        Assert.Equal("not-found", Fault(await domains.RemoveKeyAsync(Ours, "example.com", "s9", default)).Slug);
        Assert.True(await domains.RemoveAsync(Ours, "example.com", default));
        Assert.Empty(domains.List(Ours));
    }

    [Fact]
    public async Task Changes_by_two_nodes_are_both_kept()
    {
        var one = await OpenAsync();
        await AddAsync(one, "example.com", "s1");
        var two = await OpenAsync();
        await one.AddKeyAsync(Ours, "example.com", "s2", default);
        await two.AddKeyAsync(Ours, "example.com", "s3", default);
        Assert.Equal(["s1", "s2", "s3"], (await OpenAsync()).Find(Ours, "example.com")!.Keys.Select(key => key.Selector));
        await two.RemoveAsync(Ours, "example.com", default);
        Assert.Equal("not-found", Fault(await one.ActivateAsync(Ours, "example.com", "s1", default)).Slug);
        Assert.Null(one.Find(Ours, "example.com"));
    }

    [Fact]
    public async Task A_check_that_ends_late_does_not_bring_back_a_domain_that_was_removed()
    {
        var slow = new SlowStore(new SenderTables(_under.Sqlite));
        var domains = await OpenAsync(VerifiedSenders.All, store: slow);
        Publish(await AddAsync(domains, "example.com"), 0);

        var checking = CheckAsync(domains, "example.com");
        await slow.Replaced.Task;
        var removing = domains.RemoveAsync(Ours, "example.com", default);
        await Task.WhenAny(removing, Task.Delay(TimeSpan.FromMilliseconds(300), TimeProvider.System));
        slow.GoOn.SetResult();
        await Task.WhenAll(checking, removing);

        Assert.Null(domains.Find(Ours, "example.com"));
        Assert.Null(domains.SignerFor(Ours, "example.com"));
        Assert.False(domains.MaySend(Ours, EmailAddress.Parse("a@example.com")));
    }

    /// <summary>A store whose answer to a change, once it is on disk, waits.</summary>
    sealed class SlowStore(ISenderStore store) : ISenderStore
    {
        public TaskCompletionSource Replaced { get; } = new();
        public TaskCompletionSource GoOn { get; } = new();

        public async Task<bool> ReplaceAsync(StoredSenderDomain domain, CancellationToken ct)
        {
            var replaced = await store.ReplaceAsync(domain, ct);
            Replaced.TrySetResult();
            await GoOn.Task;
            return replaced;
        }

        public Task<IReadOnlyList<StoredSenderDomain>> LoadAsync(CancellationToken ct) => store.LoadAsync(ct);
        public Task<StoredSenderDomain?> FindAsync(TenantId tenant, string name, CancellationToken ct) => store.FindAsync(tenant, name, ct);
        public Task<bool> AddAsync(SenderDomain domain, CancellationToken ct) => store.AddAsync(domain, ct);
        public Task<bool> RemoveAsync(TenantId tenant, string name, CancellationToken ct) => store.RemoveAsync(tenant, name, ct);
    }

    async Task<SenderDomains> OpenAsync(VerifiedSenders require = VerifiedSenders.Others, int most = 100, ISenderStore? store = null)
    {
        var sealer = new Sealer(MasterKey.Parse(Convert.ToBase64String(new byte[32]), "test"), Entropy.System);
        var resolver = new DnsResolver([_dns.Address], TimeProvider.System, bytes => RandomNumberGenerator.Fill(bytes.Span));
        var domains = new SenderDomains(
            store ?? new SenderTables(_under.Sqlite), new SenderKeys(sealer, _clock, Entropy.System), new DomainChecker(resolver, _clock),
            _clock, new SenderOptions { RequireVerifiedSenders = require, MaxSenderDomains = most });
        await domains.LoadAsync(default);
        return domains;
    }

    static async Task<SenderDomain> AddAsync(SenderDomains domains, string name, string? selector = null, bool subdomains = false) =>
        (await domains.AddAsync(Ours, name, selector, subdomains, default)).Domain!;

    static async Task<SenderDomain> CheckAsync(SenderDomains domains, string name) =>
        (await domains.CheckAsync(Ours, name, default)).Domain!;

    static (string Slug, string? Pointer) Fault(DomainResult result) =>
        (result.Problem!.Slug, result.Problem.Errors is [var fault, ..] ? fault.Pointer : null);

    void Publish(SenderDomain domain, int key) =>
        _dns.Text(DkimRecord.Name(domain.Keys[key].Selector, domain.Name), DkimRecord.Text(domain.Keys[key].PublicKey.Span));

    static byte[] Sign(DkimSigner signer)
    {
        byte[] message = Encoding.ASCII.GetBytes("From: a@example.com\r\n\r\nHi\r\n");
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        Assert.True(signer.TrySign(message, DateTimeOffset.UnixEpoch, output));
        return [.. output.WrittenSpan, .. message];
    }

    static bool IsPrivateKey(ReadOnlySpan<byte> bytes)
    {
        try
        {
            using var key = DkimKey.Import(bytes);
            return true;
        }
        catch (CryptographicException)
        {
            return false;
        }
    }
}
