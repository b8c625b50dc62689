using System.Security.Cryptography;
using Postrider.Mail.Dkim;
using Postrider.Mail.Dns;
using Postrider.Messages;
using Postrider.Senders;
using Postrider.Testing;
using Xunit;
using static Postrider.Senders.DnsCheckState;

namespace Postrider.Engine.Tests.Senders;

/// <summary>What each state of the DNS is called, and what an operator reads.</summary>
public sealed class DomainCheckerTests : IAsyncDisposable
{
    const string Place = "s1._domainkey.mail.example.com";

    static readonly DkimKey Key = DkimKey.Import(DkimKey.Generate());
    static readonly DkimKey Another = DkimKey.Import(DkimKey.Generate());

    readonly ScriptedDns _dns = ScriptedDns.Start();

    public ValueTask DisposeAsync() => _dns.DisposeAsync();

    public static TheoryData<string[], DnsCheckState> KeyRecords => new()
    {
        { [DkimRecord.Text(Key)], Ok },
        { [DkimRecord.Text(Key).Replace("v=DKIM1; k=rsa; ", "")], Ok },
        { [DkimRecord.Text(Key).Replace("p=", " t=s ; p= ")], Ok },
        { [], Missing },
        { [DkimRecord.Text(Another)], Wrong },
        { ["v=DKIM1; k=rsa; p="], Wrong },
        { [DkimRecord.Text(Key).Replace("k=rsa", "k=ed25519")], Wrong },
        { ["v=spf1 -all"], Wrong },
        { [DkimRecord.Text(Key)[..255]], Wrong },
        { [DkimRecord.Text(Key), DkimRecord.Text(Another)], Wrong },
    };

    [Theory]
    [MemberData(nameof(KeyRecords), DisableDiscoveryEnumeration = true)] // the key is made anew by each process
    public async Task Records_of_the_key(string[] records, DnsCheckState state)
    {
        _dns.Text(Place, records);
        var check = await OneAsync(DnsCheckKind.Dkim);
        Assert.Equal((Place, state), (check.Name, check.State));
    }

    [Theory]
    [InlineData("v=spf1 include:_spf.example.net -all", null, Ok)]
    [InlineData("V=SPF1", null, Ok)]
    [InlineData("google-site-verification=1", "v=spf1 -all", Ok)]
    [InlineData("v=spf10 -all", null, Missing)]
    [InlineData("v=spf1 -all", "v=spf1 +all", Wrong)]
    public async Task Records_of_SPF(string first, string? second, DnsCheckState state)
    {
        _dns.Text("mail.example.com", second is null ? [first] : [first, second]);
        Assert.Equal(state, (await OneAsync(DnsCheckKind.Spf)).State);
    }

    [Theory]
    [InlineData("_dmarc.mail.example.com", "v=DMARC1; p=reject", Ok)]
    [InlineData("_dmarc.example.com", "v=DMARC1;p=none", Ok)]
    [InlineData("_dmarc.com", "v=DMARC1; p=none", Missing)]
    [InlineData("_dmarc.mail.example.com", "v=DMARC2; p=none", Missing)]
    public async Task Records_of_DMARC_at_the_domain_or_above(string place, string record, DnsCheckState state)
    {
        _dns.Text(place, record);
        var check = await OneAsync(DnsCheckKind.Dmarc);
        Assert.Equal((state == Ok ? place : "_dmarc.mail.example.com", state), (check.Name, check.State));
    }

    [Fact]
    public async Task Two_policies_are_none()
    {
        _dns.Text("_dmarc.example.com", "v=DMARC1; p=none", "v=DMARC1; p=reject");
        Assert.Equal(Wrong, (await OneAsync(DnsCheckKind.Dmarc)).State);
    }

    [Fact]
    public async Task Where_reports_go()
    {
        Assert.Equal(Missing, (await OneAsync(DnsCheckKind.BounceMx)).State);
        _dns.MailHost("bounce.example.com", 10, "mx.example.com");
        Assert.Equal(("mx.example.com", Ok), (await OneAsync(DnsCheckKind.BounceMx) is var check ? (check.Detail, check.State) : default));
        _dns.Remove("bounce.example.com");
        _dns.MailHost("bounce.example.com", 0, "");
        Assert.Equal(Wrong, (await OneAsync(DnsCheckKind.BounceMx)).State);
        Assert.DoesNotContain(await CheckAsync(bounce: null), check => check.Kind == DnsCheckKind.BounceMx);
    }

    [Fact]
    public async Task The_return_paths_have_a_policy_of_their_own()
    {
        _dns.Text("mail.example.com", "v=spf1 -all");
        Assert.Equal(("bounce.example.com", Missing), (await OneAsync(DnsCheckKind.BounceSpf) is var check ? (check.Name, check.State) : default));
        _dns.Text("bounce.example.com", "v=spf1 a:relay.example.com -all");
        Assert.Equal(Ok, (await OneAsync(DnsCheckKind.BounceSpf)).State);
        Assert.DoesNotContain(await CheckAsync(bounce: null), one => one.Kind == DnsCheckKind.BounceSpf);
    }

    [Fact]
    public async Task What_others_wrote_is_shown_without_harm()
    {
        _dns.Text("mail.example.com", "v=spf1 \u001b[31m" + new string('x', 1_000));
        var detail = (await OneAsync(DnsCheckKind.Spf)).Detail;
        Assert.DoesNotContain(detail, letter => char.IsControl(letter));
        Assert.InRange(detail.Length, 200, 240);
    }

    async Task<DnsCheck> OneAsync(DnsCheckKind kind) => Assert.Single(await CheckAsync("bounce.example.com"), check => check.Kind == kind);

    async Task<IReadOnlyList<DnsCheck>> CheckAsync(string? bounce)
    {
        var resolver = new DnsResolver([_dns.Address], TimeProvider.System, bytes => RandomNumberGenerator.Fill(bytes.Span));
        return (await new DomainChecker(resolver, TimeProvider.System, bounce).CheckAsync(new SenderDomain
        {
            Tenant = TenantId.First,
            Name = "mail.example.com",
            CreatedAt = DateTimeOffset.UnixEpoch,
            Keys =
            [
                new SenderKey
                {
                    Selector = "s1",
                    CreatedAt = DateTimeOffset.UnixEpoch,
                    PublicKey = Key.PublicKey,
                    SealedPrivateKey = default,
                },
            ],
        }, default)).Items;
    }
}
