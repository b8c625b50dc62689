using Postrider.Messages;

namespace Postrider.Storage.Rules;

/// <summary>What the writer needs of a message.</summary>
sealed record MessageRow(
    long Id, int Tenant, MailStream Stream, long? Batch, string Route, long Expires, AmbiguityPolicy OnAmbiguous, string? OrderingKey);

/// <summary>What the writer needs of a recipient. <see cref="Updated"/>: while it is open, the time of its last attempt. <see
/// cref="RecipientState.Queued"/> stands for every open state.</summary>
sealed record RecipientRow(
    int N, int Envelope, string Address, RecipientState State, int Tries, int Generation, HeldReason Held = HeldReason.None,
    long Updated = 0);
