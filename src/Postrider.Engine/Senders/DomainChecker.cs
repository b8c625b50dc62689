using System.Globalization;
using System.Text;
using Postrider.Mail.Dkim;
using Postrider.Mail.Dns;

namespace Postrider.Senders;

/// <summary>Looks at what the DNS says of a sender domain, and says what is to be done.</summary>
/// <param name="bounceDomain">Where reports to us go; null where none is set up.</param>
public sealed class DomainChecker(DnsResolver resolver, TimeProvider clock, string? bounceDomain = null)
{
    /// <summary>Names asked for one domain's DMARC policy, from the domain upwards.</summary>
    const int MaxDmarcSteps = 8;

    /// <summary>What is shown of a record that somebody else wrote.</summary>
    const int MaxShown = 200;

    /// <summary>Ends within the resolver's deadline (twice for DMARC at worst); never throws for what the DNS does.</summary>
    public async Task<DomainChecks> CheckAsync(SenderDomain domain, CancellationToken ct)
    {
        var looks = new List<Task<DnsCheck>>();
        foreach (var key in domain.Keys)
            looks.Add(KeyAsync(domain.Name, key, ct));
        looks.Add(SpfAsync(DnsCheckKind.Spf, domain.Name, ct));
        looks.Add(DmarcAsync(domain.Name, ct));
        if (bounceDomain is not null)
        {
            looks.Add(BounceAsync(bounceDomain, ct));
            // Our return paths are there, and SPF is about the return path (RFC 7208 §2.4).
            looks.Add(SpfAsync(DnsCheckKind.BounceSpf, bounceDomain, ct));
        }
        return new DomainChecks(clock.GetUtcNow(), await Task.WhenAll(looks));
    }

    async Task<DnsCheck> KeyAsync(string domain, SenderKey key, CancellationToken ct)
    {
        var name = DkimRecord.Name(key.Selector, domain);
        var answer = await resolver.AskAsync(name, DnsRecordType.Txt, ct);
        return Check(DnsCheckKind.Dkim, name, answer, "Publish the key's record as TXT at this name.", records =>
        {
            if (records.Count > 1)
                return (DnsCheckState.Wrong, "There are several records at this name, and receivers may take any: leave only ours.");
            if (!DkimRecord.TryParse(records[0], out var record))
                return (DnsCheckState.Wrong, $"There is no DKIM record but: {Shown(records[0])}");
            if (record.PublicKey.IsEmpty)
                return (DnsCheckState.Wrong, "The record says that the key is revoked (p= is empty).");
            return record.KeyType == "rsa" && record.PublicKey.Span.SequenceEqual(key.PublicKey.Span)
                ? (DnsCheckState.Ok, "The record is our key's.")
                : (DnsCheckState.Wrong, "The record holds another key: publish ours, or make a key with another selector.");
        });
    }

    async Task<DnsCheck> SpfAsync(DnsCheckKind kind, string domain, CancellationToken ct)
    {
        var answer = await resolver.AskAsync(domain, DnsRecordType.Txt, ct);
        return Check(kind, domain, Only(answer, "v=spf1"),
            "Say with a TXT record such as \"v=spf1 include:… -all\" which servers send for this domain.",
            // RFC 7208 §4.5: more than one is an error of the domain.
            records => records.Count == 1
                ? (DnsCheckState.Ok, Shown(records[0]))
                : (DnsCheckState.Wrong, "There are several SPF records: receivers then count none. Make one of them."));
    }

    /// <summary>At the domain, or at the nearest above that has one; the organisation's policy is for all below it.</summary>
    async Task<DnsCheck> DmarcAsync(string domain, CancellationToken ct)
    {
        var at = domain;
        for (var step = 0; ; step++)
        {
            var answer = Only(await resolver.AskAsync($"_dmarc.{at}", DnsRecordType.Txt, ct), "v=DMARC1");
            var above = at[(at.IndexOf('.', StringComparison.Ordinal) + 1)..];
            if (answer.Outcome != DnsOutcome.Absent || step == MaxDmarcSteps || !above.Contains('.', StringComparison.Ordinal))
            {
                var place = answer.Outcome == DnsOutcome.Absent ? domain : at;
                return Check(DnsCheckKind.Dmarc, $"_dmarc.{place}", answer,
                    "Publish a policy, to begin with \"v=DMARC1; p=none\", as TXT at this name.",
                    records => records.Count == 1
                        ? (DnsCheckState.Ok, Shown(records[0]))
                        : (DnsCheckState.Wrong, "There are several DMARC records: receivers then count none. Leave one."));
            }
            at = above;
        }
    }

    async Task<DnsCheck> BounceAsync(string domain, CancellationToken ct) => Check(
        DnsCheckKind.BounceMx, domain, await resolver.AskAsync(domain, DnsRecordType.Mx, ct),
        "Reports of failure go to this domain: publish an MX record that leads to Postrider's SMTP listener.",
        records => records is ["."]
            ? (DnsCheckState.Wrong, "The domain says that it takes no mail (RFC 7505).")
            : (DnsCheckState.Ok, string.Join(", ", records)));

    static DnsCheck Check(DnsCheckKind kind, string name, DnsAnswer answer, string remedy,
        Func<IReadOnlyList<string>, (DnsCheckState State, string Detail)> judge)
    {
        var (state, detail) = answer.Outcome switch
        {
            DnsOutcome.Found => judge(answer.Records),
            DnsOutcome.Absent => (DnsCheckState.Missing, remedy),
            DnsOutcome.Failed => (DnsCheckState.Unknown, $"The DNS could not be asked: {answer.Reason}"),
        };
        return new DnsCheck(kind, name, state, detail);
    }

    /// <summary>The records of one kind: <c>v=</c> is their first tag, and nothing else may follow it directly.</summary>
    static DnsAnswer Only(DnsAnswer answer, string version)
    {
        if (answer.Outcome != DnsOutcome.Found)
            return answer;
        string[] records = [.. answer.Records.Where(text =>
            text.StartsWith(version, StringComparison.OrdinalIgnoreCase)
            && (text.Length == version.Length || text[version.Length] is ' ' or ';' or '\t'))];
        return answer with { Outcome = records.Length > 0 ? DnsOutcome.Found : DnsOutcome.Absent, Records = records };
    }

    /// <summary>Others wrote it: cut, and without control characters.</summary>
    static string Shown(string record)
    {
        var shown = new StringBuilder();
        foreach (var letter in record.AsSpan(0, Math.Min(record.Length, MaxShown)))
            shown.Append(letter is >= ' ' and <= '~' ? letter : '?');
        return record.Length > MaxShown
            ? shown.Append(CultureInfo.InvariantCulture, $"… ({record.Length} characters)").ToString()
            : shown.ToString();
    }
}
