using Postrider.Messages;
using Postrider.Providers;

namespace Postrider.Feedback;

// The table, in prose (docs/states.md, "What is reported afterwards"):
//  - Reports come late, twice and in any order. What is final for good, a bounce, nothing moves any more.
//  - That somebody has it proves more than our own waiting: it ends what is unknown, and whatever we gave up after an attempt in doubt.
//  - A provider that gives up after the recipient's server had taken the message speaks of an automatic answer: only a bounce for good
//    counts then.

/// <summary>From where a recipient is and what is reported of it to where it goes. Pure: no clock, no store.</summary>
public static class FeedbackPrecedence
{
    /// <summary>An attempt is under way: its own outcome comes first, and the report is looked at again when it is there.</summary>
    public static bool MustWait(RecipientState state, FeedbackKind kind) =>
        state == RecipientState.Leased && ProofOf(kind) != Proof.Nothing;

    /// <summary>Null: it stays where it is.</summary>
    /// <param name="inDoubt">Of what is queued or held: an earlier attempt may have been accepted.</param>
    public static RecipientState? Next(RecipientState state, bool inDoubt, FeedbackKind kind) => state switch
    {
        RecipientState.Unknown => Resolved(kind),
        RecipientState.Held => inDoubt ? Resolved(kind) : null,
        RecipientState.Scheduled or RecipientState.Queued => inDoubt ? WhileQueued(kind) : null,
        RecipientState.Leased => null,
        RecipientState.Sent => ProofOf(kind) == Proof.Taken ? null : Resolved(kind),
        RecipientState.Delivered => kind == FeedbackKind.BouncedHard ? RecipientState.Bounced : null,
        RecipientState.Bounced => null,
        RecipientState.Failed or RecipientState.Expired or RecipientState.Suppressed or RecipientState.Cancelled =>
            ProofOf(kind) == Proof.Arrived ? RecipientState.Delivered : null,
    };

    static RecipientState? Resolved(FeedbackKind kind) => ProofOf(kind) switch
    {
        Proof.Taken => RecipientState.Sent,
        Proof.Arrived => RecipientState.Delivered,
        Proof.BadForGood or Proof.GivenUp => RecipientState.Bounced,
        Proof.NotSent => RecipientState.Failed,
        Proof.Nothing => null,
    };

    /// <summary>Where the attempt in doubt came to nothing, the one that is due is right.</summary>
    static RecipientState? WhileQueued(FeedbackKind kind) => ProofOf(kind) switch
    {
        Proof.Taken => RecipientState.Sent,
        Proof.Arrived => RecipientState.Delivered,
        Proof.BadForGood => RecipientState.Bounced,
        Proof.GivenUp or Proof.NotSent or Proof.Nothing => null,
    };

    /// <summary>What a report proves of where the mail is.</summary>
    enum Proof : byte { Nothing, Taken, Arrived, BadForGood, GivenUp, NotSent }

    static Proof ProofOf(FeedbackKind kind) => kind switch
    {
        FeedbackKind.Accepted or FeedbackKind.Deferred => Proof.Taken,
        // Who opens, complains or unsubscribes has it.
        FeedbackKind.Delivered or FeedbackKind.Opened or FeedbackKind.Clicked or FeedbackKind.Complained or FeedbackKind.Unsubscribed =>
            Proof.Arrived,
        FeedbackKind.BouncedHard => Proof.BadForGood,
        FeedbackKind.BouncedSoft or FeedbackKind.Blocked => Proof.GivenUp,
        FeedbackKind.Rejected => Proof.NotSent,
        FeedbackKind.Resubscribed or FeedbackKind.Other => Proof.Nothing,
    };
}
