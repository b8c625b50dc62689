using System.Collections.Concurrent;
using Postrider.Mail.Addresses;
using Postrider.Mail.Dkim;
using Postrider.Messages;

namespace Postrider.Senders;

// What is asked for every message: from memory, without waiting.
public sealed partial class SenderDomains
{
    readonly ConcurrentDictionary<(TenantId Tenant, string Name), Entry> _entries = new();

    /// <summary>Whether the tenant may send from this address.</summary>
    public bool MaySend(TenantId tenant, EmailAddress from) => !MustBeVerified(tenant)
        || Nearest(tenant, from.AsciiDomain, static entry => entry.Stored.Domain.VerifiedAt is not null) is not null;

    /// <summary>Who signs for this domain, or for one above it that signs for those below; null: nobody.</summary>
    /// <param name="domain">In A-labels, lower case.</param>
    public DkimSigner? SignerFor(TenantId tenant, string domain) =>
        Nearest(tenant, domain, static entry => entry.IsSigning)?.Signer.Value;

    bool MustBeVerified(TenantId tenant) => tenants?.SettingsOf(tenant).RequireVerifiedSenders ?? options.RequireVerifiedSenders switch
    {
        VerifiedSenders.None => false,
        VerifiedSenders.Others => tenant != TenantId.First,
        VerifiedSenders.All => true,
    };

    Entry? Nearest(TenantId tenant, string domain, Func<Entry, bool> fits)
    {
        if (_entries.IsEmpty)
            return null;
        for (var name = domain; ;)
        {
            if (_entries.TryGetValue((tenant, name), out var entry) && (entry.Stored.Domain.Subdomains || ReferenceEquals(name, domain))
                && fits(entry))
                return entry;
            var dot = name.IndexOf('.', StringComparison.Ordinal);
            if (dot < 0)
                return null;
            name = name[(dot + 1)..];
        }
    }

    void Put(StoredSenderDomain stored)
    {
        var entry = new Entry(stored, keys);
        // A change that was read later must not be covered by one that was read before it.
        _entries.AddOrUpdate((stored.Domain.Tenant, stored.Domain.Name), entry,
            (_, old) => old.Stored.Revision > stored.Revision && old.Stored.Domain.CreatedAt == stored.Domain.CreatedAt ? old : entry);
    }

    /// <summary>A domain with its signer, whose key is opened and parsed once, when the first mail needs it.</summary>
    sealed class Entry
    {
        public Entry(StoredSenderDomain stored, SenderKeys keys)
        {
            Stored = stored;
            var signing = stored.Domain.Signing;
            IsSigning = signing is not null;
            // A key that a try may still be using is left to the finalizer when the entry goes.
            Signer = new Lazy<DkimSigner?>(() => signing is null ? null : keys.Open(stored.Domain, signing));
        }

        public StoredSenderDomain Stored { get; }
        public bool IsSigning { get; }
        public Lazy<DkimSigner?> Signer { get; }
    }
}
