using Microsoft.AspNetCore.Components;
using Postrider.Senders;
using Postrider.Tenants;

namespace Postrider.Dashboard.Screens;

/// <summary>The domains that the tenant sends from, and one more.</summary>
sealed partial class DomainList
{
    const string Example = """{"name":"mail.example.com"}""";

    IReadOnlyList<SenderDomain> _domains = [];
    string _name = "";
    bool _withSubdomains;

    [Inject]
    SenderDomains Domains { get; set; } = null!;

    protected override Task ReadAsync(CancellationToken ct)
    {
        _domains = Domains.List(Viewer.Tenant);
        return Task.CompletedTask;
    }

    async Task AddAsync()
    {
        SenderDomain? made = null;
        if (await DoAsync(Scopes.Manage, "POST /domains", "/domains", async by =>
        {
            var result = await Domains.AddAsync(by.Tenant, _name.Trim(), null, _withSubdomains, Viewer.Ended);
            made = result.Domain;
            return result.Problem;
        }))
            Pages.NavigateTo($"domains/{made!.Name}");
    }
}

/// <summary>How a sender domain is told.</summary>
static class DomainWords
{
    public static string State(SenderDomain domain) => domain.VerifiedAt is not null ? "verified" : "not_verified";

    public static string What(DnsCheckKind kind) => kind switch
    {
        DnsCheckKind.Dkim => "DKIM",
        DnsCheckKind.Spf => "SPF",
        DnsCheckKind.Dmarc => "DMARC",
        DnsCheckKind.BounceMx => "MX of the bounce domain",
        DnsCheckKind.BounceSpf => "SPF of the bounce domain",
    };

    public static string Found(DnsCheckState state) => state switch
    {
        DnsCheckState.Ok => "ok",
        DnsCheckState.Missing => "missing",
        DnsCheckState.Wrong => "wrong",
        DnsCheckState.Unknown => "not_known",
    };
}
