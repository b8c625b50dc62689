using Postrider.Messages;
using Postrider.Queue;

namespace Postrider.Engine.Tests.Simulation;

/// <summary>A message as its sender knows it, beside the store.</summary>
sealed class Promise(TenantId tenant, NewMessage message, string? key)
{
    public TenantId Tenant { get; } = tenant;
    public NewMessage Message { get; } = message;

    /// <summary>Its idempotency key.</summary>
    public string? Key { get; } = key;

    /// <summary>The sender was told that it is stored.</summary>
    public bool IsAnswered { get; set; }

    public List<PromisedRecipient> Recipients { get; } =
        [.. message.Recipients.Select(r => new PromisedRecipient(new RecipientId(message.Id, r.N), r.Mailbox.Address.ToString())
        {
            ExpiresAt = message.ExpiresAt,
        })];
}

/// <summary>What may still be done for a recipient, and what was done for it.</summary>
sealed class PromisedRecipient(RecipientId id, string address)
{
    public RecipientId Id { get; } = id;
    public string Address { get; } = address;

    /// <summary>No attempt starts from here on.</summary>
    public DateTimeOffset ExpiresAt { get; set; }
    public bool IsCancelled { get; set; }

    /// <summary>As it was when it was looked at last; null before that.</summary>
    public RecipientState? State { get; set; }

    /// <summary>As its queue row was then.</summary>
    public RecipientState? Row { get; set; }

    /// <summary>Who had leased it then, and how often a crash had been counted.</summary>
    public Incarnation? Owner { get; set; }
    public int Crashes { get; set; }
    public int Generation { get; set; }

    /// <summary>The attempt that is recorded as one that may have been accepted; null when that is known or its waiting is over.</summary>
    public UnderWay? InDoubt { get; set; }

    /// <summary>Under at-most-once, those of this generation that passed their commit point.</summary>
    public List<UnderWay> CommitPoints { get; } = [];
}

/// <summary>A promise that was broken.</summary>
sealed class BrokenPromiseException(string rule, string what) : Exception($"{rule}: {what}")
{
    /// <summary>Which one, in a word or two: the same fault has the same.</summary>
    public string Rule { get; } = rule;
}

/// <summary>The act that is going on.</summary>
sealed class CurrentAct
{
    public int Number { get; set; }

    /// <summary>Leases may be returned by it.</summary>
    public bool Sweeps { get; set; }

    /// <summary>Waiting for evidence may end by it.</summary>
    public bool Settles { get; set; }
}
