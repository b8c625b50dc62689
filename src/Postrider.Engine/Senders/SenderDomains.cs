using System.Buffers;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Senders;

/// <summary>
/// The tenants' sender domains: who may send from where, and who signs. Both are asked for every message, so all domains are in memory;
/// changes are on disk before they count.
/// </summary>
/// <remarks>
/// A domain is verified when the DNS shows a key that we made for this tenant, so two tenants may both write down a name and only who rules
/// its DNS gets to use it; for one of them at a time. A key signs from the moment its record was seen (or an operator says so): a
/// signature that cannot be looked up helps nobody, and while a new key is not published yet the old one goes on.
/// </remarks>
public sealed partial class SenderDomains(
    ISenderStore store, SenderKeys keys, DomainChecker checker, TimeProvider clock, SenderOptions options,
    TenantDirectory? tenants = null) : IDisposable
{
    /// <summary>One that signs, one that is to take its place, and some that were.</summary>
    const int MaxKeys = 5;

    /// <summary>Times that a change is made anew because the domain was changed at the same time.</summary>
    const int MaxTries = 3;

    /// <summary>Whoever changes something holds it over disk and memory, so that memory ends as the disk did: else a change could put back
    /// what was removed meanwhile. It is never held while the DNS is asked.</summary>
    readonly SemaphoreSlim _changing = new(1, 1);

    static readonly SearchValues<char> LabelCharacters = SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789-_");

    /// <summary>Takes up what is stored; before anything is accepted or delivered.</summary>
    /// <exception cref="MasterKeyException">A key cannot be opened.</exception>
    public async Task LoadAsync(CancellationToken ct)
    {
        foreach (var stored in await store.LoadAsync(ct))
        {
            foreach (var key in stored.Domain.Keys)
                keys.Verify(stored.Domain, key);
            Put(stored);
        }
    }

    /// <summary>Takes up what another node changed. A domain that is as it was keeps its signer.</summary>
    public Task RefreshAsync(CancellationToken ct) => InTurnAsync(async () =>
    {
        var all = await store.LoadAsync(ct);
        foreach (var stored in all)
            if (!_entries.TryGetValue((stored.Domain.Tenant, stored.Domain.Name), out var entry)
                || entry.Stored.Revision != stored.Revision || entry.Stored.Domain.CreatedAt != stored.Domain.CreatedAt)
                Put(stored);
        foreach (var gone in _entries.Keys.Except(all.Select(stored => (stored.Domain.Tenant, stored.Domain.Name))))
            _entries.TryRemove(gone, out _);
        return true;
    }, ct);

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<SenderDomain> List(TenantId tenant) =>
        [.. _entries.Values.Where(entry => entry.Stored.Domain.Tenant == tenant).Select(entry => entry.Stored.Domain)
            .OrderBy(domain => domain.Name, StringComparer.Ordinal)];

    /// <param name="name">As people write it.</param>
    public SenderDomain? Find(TenantId tenant, string name) =>
        TryName(name, out var ascii) && _entries.TryGetValue((tenant, ascii), out var entry) ? entry.Stored.Domain : null;

    /// <summary>Writes down a domain and makes its first key.</summary>
    /// <param name="selector">Null: one that nobody else has.</param>
    public async Task<DomainResult> AddAsync(TenantId tenant, string name, string? selector, bool subdomains, CancellationToken ct)
    {
        if (!TryName(name, out var ascii))
            return new DomainResult(SenderProblems.Invalid("/name", "Must be a domain, such as example.com."));
        if (!TrySelector(selector, ascii, out var chosen))
            return new DomainResult(InvalidSelector);
        if (_entries.ContainsKey((tenant, ascii)))
            return new DomainResult(SenderProblems.Exists(ascii));
        if (List(tenant).Count >= options.MaxSenderDomains)
            return new DomainResult(SenderProblems.Invalid(
                "/name", $"There are {options.MaxSenderDomains} domains already, the most there may be."));
        var domain = new SenderDomain
        {
            Tenant = tenant,
            Name = ascii,
            Subdomains = subdomains,
            // In milliseconds, as it comes back from the store: it tells this domain from one removed and added again.
            CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(clock.GetUtcNow().ToUnixTimeMilliseconds()),
            Keys = [await keys.MakeAsync(tenant, ascii, chosen, ct)],
        };
        return await InTurnAsync(async () =>
        {
            if (!await store.AddAsync(domain, ct))
                return new DomainResult(SenderProblems.Exists(ascii));
            Put(new StoredSenderDomain(domain, 0));
            return new DomainResult(domain);
        }, ct);
    }

    /// <summary>Makes another key. It signs once its record has been seen; until then the one before it does.</summary>
    public async Task<DomainResult> AddKeyAsync(TenantId tenant, string name, string? selector, CancellationToken ct)
    {
        if (Find(tenant, name) is not { } domain)
            return new DomainResult(SenderProblems.Absent);
        if (!TrySelector(selector, domain.Name, out var chosen))
            return new DomainResult(InvalidSelector);
        if (domain.Keys.Count >= MaxKeys)
            return new DomainResult(SenderProblems.Invalid("", $"A domain has at most {MaxKeys} keys: remove one that no longer signs."));
        var key = await keys.MakeAsync(tenant, domain.Name, chosen, ct);
        return await ChangeAsync(tenant, domain.Name, now => now.Keys.Any(other => other.Selector == chosen)
            ? new DomainResult(SenderProblems.Invalid("/selector", $"The domain has a key with the selector {chosen} already."))
            : new DomainResult(now with { Keys = [.. now.Keys, key] }), ct);
    }

    /// <summary>Lets a key sign although its record has not been seen, where the DNS cannot be asked from here. It verifies
    /// nothing.</summary>
    public Task<DomainResult> ActivateAsync(TenantId tenant, string name, string selector, CancellationToken ct) =>
        ChangeKeyAsync(tenant, name, selector, key => key with { ActiveAt = clock.GetUtcNow() }, ct);

    public Task<DomainResult> RemoveKeyAsync(TenantId tenant, string name, string selector, CancellationToken ct) =>
        ChangeKeyAsync(tenant, name, selector, _ => null, ct);

    /// <summary>Asks the DNS, keeps what it said, and lets keys sign whose record is there.</summary>
    public async Task<DomainResult> CheckAsync(TenantId tenant, string name, CancellationToken ct)
    {
        if (Find(tenant, name) is not { } domain)
            return new DomainResult(SenderProblems.Absent);
        var checks = await checker.CheckAsync(domain, ct);
        return await ChangeAsync(tenant, domain.Name, now => Learned(now, checks) is var learned && learned.VerifiedAt is not null
            && IsVerifiedElsewhere(learned) ? new DomainResult(SenderProblems.Taken(now.Name)) : new DomainResult(learned), ct);
    }

    /// <summary>As far as this node knows; the store makes sure.</summary>
    bool IsVerifiedElsewhere(SenderDomain domain) => _entries.Values.Any(entry =>
        entry.Stored.Domain is { VerifiedAt: not null } other && other.Name == domain.Name && other.Tenant != domain.Tenant);

    /// <summary>False when it is absent. Its mail is neither signed nor verified from now on.</summary>
    public async Task<bool> RemoveAsync(TenantId tenant, string name, CancellationToken ct)
    {
        if (!TryName(name, out var ascii))
            return false;
        return await InTurnAsync(async () =>
        {
            var removed = await store.RemoveAsync(tenant, ascii, ct);
            _entries.TryRemove((tenant, ascii), out _);
            return removed;
        }, ct);
    }

    /// <summary>A definite no takes the verification away, a DNS that cannot be asked does not.</summary>
    internal static SenderDomain Learned(SenderDomain domain, DomainChecks checks)
    {
        var ours = checks.Items.Where(check => check.Kind == DnsCheckKind.Dkim).ToDictionary(check => check.Name, check => check.State);
        DnsCheckState? StateOf(SenderKey key) =>
            ours.TryGetValue(DkimRecord.Name(key.Selector, domain.Name), out var state) ? state : null;
        var states = domain.Keys.Select(StateOf).ToList();
        return domain with
        {
            Checks = checks,
            VerifiedAt = states.Contains(DnsCheckState.Ok) ? domain.VerifiedAt ?? checks.At
                : states.Contains(DnsCheckState.Unknown) ? domain.VerifiedAt
                : null,
            Keys =
            [
                .. domain.Keys.Select(key =>
                    key.ActiveAt is null && StateOf(key) == DnsCheckState.Ok ? key with { ActiveAt = checks.At } : key),
            ],
        };
    }

    Task<DomainResult> ChangeKeyAsync(
        TenantId tenant, string name, string selector, Func<SenderKey, SenderKey?> change, CancellationToken ct) =>
        ChangeAsync(tenant, name, now =>
        {
            if (now.Keys.FirstOrDefault(key => key.Selector.Equals(selector, StringComparison.OrdinalIgnoreCase)) is not { } key)
                return new DomainResult(SenderProblems.Absent);
            return new DomainResult(now with
            {
                Keys = [.. now.Keys.Select(other => other == key ? change(key) : other).OfType<SenderKey>()],
            });
        }, ct);

    public void Dispose() => _changing.Dispose();

    async Task<T> InTurnAsync<T>(Func<Task<T>> change, CancellationToken ct)
    {
        await _changing.WaitAsync(ct);
        try
        {
            return await change();
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>On disk, then in memory. Made anew from what is stored when another process was faster.</summary>
    Task<DomainResult> ChangeAsync(TenantId tenant, string name, Func<SenderDomain, DomainResult> change, CancellationToken ct) =>
        InTurnAsync(() => ChangeInTurnAsync(tenant, name, change, ct), ct);

    async Task<DomainResult> ChangeInTurnAsync(TenantId tenant, string name, Func<SenderDomain, DomainResult> change, CancellationToken ct)
    {
        if (!TryName(name, out var ascii) || !_entries.TryGetValue((tenant, ascii), out var entry))
            return new DomainResult(SenderProblems.Absent);
        var stored = entry.Stored;
        for (var tries = 0; tries < MaxTries; tries++)
        {
            var result = change(stored.Domain);
            if (result.Domain is not { } domain)
                return result;
            if (await store.ReplaceAsync(stored with { Domain = domain }, ct))
            {
                Put(new StoredSenderDomain(domain, stored.Revision + 1));
                return result;
            }
            if (await store.FindAsync(tenant, ascii, ct) is not { } current)
            {
                _entries.TryRemove((tenant, ascii), out _);
                return new DomainResult(SenderProblems.Absent);
            }
            Put(stored = current);
        }
        return new DomainResult(SenderProblems.ChangedMeanwhile);
    }

    static Problem InvalidSelector { get; } = SenderProblems.Invalid(
        "/selector", "Must be letters, digits and hyphens, with dots between if need be, 63 characters at most.");

    /// <summary>A-labels in lower case; false for what is no domain of the DNS with two labels at least.</summary>
    static bool TryName(string name, out string ascii)
    {
        ascii = "";
        if (name.Contains('@', StringComparison.Ordinal) || !EmailAddress.TryParse($"x@{name.TrimEnd('.')}", out var address, out _))
            return false;
        ascii = address.AsciiDomain;
        return true;
    }

    bool TrySelector(string? given, string domain, out string selector)
    {
        selector = given?.ToLowerInvariant() ?? keys.NewSelector();
        // The same labels as a domain's, underscores and a name of all digits included (RFC 6376 §3.1).
        return selector.Length is > 0 and <= 63 && DkimRecord.Name(selector, domain).Length <= 253
            && selector.Split('.').All(label => label.Length > 0 && label[0] != '-' && label[^1] != '-'
                && !label.AsSpan().ContainsAnyExcept(LabelCharacters));
    }
}
