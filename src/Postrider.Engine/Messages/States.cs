namespace Postrider.Messages;

/// <summary>How urgent a message is: transactional mail is kept ahead of bulk mail everywhere.</summary>
public enum MailStream : byte { Transactional = 0, Bulk = 1 }

/// <summary>The header field that names a recipient; one of Bcc is named in none.</summary>
public enum RecipientKind : byte { To = 0, Cc = 1, Bcc = 2 }

/// <summary>Where a recipient is. <c>docs/states.md</c> draws the transitions. The numbers are stored.</summary>
public enum RecipientState : byte
{
    /// <summary>Waits for its <c>send_at</c>.</summary>
    Scheduled = 0,
    /// <summary>Waits for a permit or for a time, with a <see cref="WaitReason"/>.</summary>
    Queued = 1,
    /// <summary>A node is attempting it.</summary>
    Leased = 2,
    /// <summary>An attempt may have been accepted; being resolved. Never attempted elsewhere meanwhile.</summary>
    Unknown = 3,
    /// <summary>Waits for a person.</summary>
    Held = 4,
    Sent = 10,
    Delivered = 11,
    Bounced = 12,
    Failed = 13,
    Expired = 14,
    Suppressed = 15,
    Cancelled = 16,
}

/// <summary>What to do with an attempt that may have been accepted once <c>settle</c> is over.</summary>
public enum AmbiguityPolicy : byte
{
    /// <summary>At least once: queue it again on any transport, marked "possible duplicate". The default.</summary>
    Retry = 0,
    /// <summary>At most once: hold it for a person.</summary>
    Hold = 1,
}

/// <summary>Why a queued envelope waits: stored with it and shown.</summary>
public enum WaitReason : byte
{
    None = 0,
    /// <summary>Its time (<c>send_at</c>) has not come.</summary>
    Scheduled = 1,
    /// <summary>The recipient's side asked for later.</summary>
    Deferred = 2,
    /// <summary>The route has no transport with a permit to give: throttled.</summary>
    TransportThrottled = 3,
    /// <summary>Every transport of the route failed on it this round; tried again after a back-off.</summary>
    TransportsUnavailable = 4,
    /// <summary>Failed at one transport, goes to the next at once.</summary>
    NextTransport = 5,
    /// <summary>The tenant, stream or route is paused.</summary>
    Paused = 6,
    /// <summary>May have been accepted; waits for evidence.</summary>
    Settling = 7,
    /// <summary>Its node died or gave it back.</summary>
    Released = 8,
    /// <summary>An earlier message with the same ordering key is not finished.</summary>
    Ordering = 9,
    /// <summary>It was in hand when the process died, three times; leased alone.</summary>
    Suspect = 10,
    /// <summary>An operator sent it again.</summary>
    SentAgain = 11,
    /// <summary>The transport has as much under way as it may.</summary>
    TransportBusy = 12,
    /// <summary>The disk of the database is nearly full: nothing is leased. Never stored, as it is so for all mail at once.</summary>
    StorageLow = 13,
}

/// <summary>Why a recipient is <see cref="RecipientState.Held"/>.</summary>
public enum HeldReason : byte { None = 0, Ambiguous = 1, Poison = 2, NotAllowed = 3, Discarded = 4 }

/// <summary>What states have in common.</summary>
public static class RecipientStates
{
    extension(RecipientState state)
    {
        public bool IsOpen => state < RecipientState.Sent;

        /// <summary>Ended, or waiting, without being sent; can be sent again.</summary>
        public bool IsDeadLetter => state is RecipientState.Failed or RecipientState.Expired or RecipientState.Held;
    }
}
