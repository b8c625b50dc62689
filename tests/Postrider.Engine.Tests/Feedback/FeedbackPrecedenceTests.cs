using FsCheck;
using FsCheck.Fluent;
using Postrider.Feedback;
using Postrider.Messages;
using Postrider.Providers;
using Xunit;
using static Postrider.Providers.FeedbackKind;
using Is = Postrider.Messages.RecipientState;

namespace Postrider.Engine.Tests.Feedback;

/// <summary>The precedence table, row by row, and what no order of reports can break.</summary>
public sealed class FeedbackPrecedenceTests
{
    // State, in doubt: what each kind of report makes of it. Kinds: taken, arrived, bad for good, given up, not sent.
    public static TheoryData<Is, bool, Is?, Is?, Is?, Is?, Is?> Table => new()
    {
        { Is.Unknown, false, Is.Sent, Is.Delivered, Is.Bounced, Is.Bounced, Is.Failed },
        { Is.Unknown, true, Is.Sent, Is.Delivered, Is.Bounced, Is.Bounced, Is.Failed },
        { Is.Held, false, null, null, null, null, null },
        { Is.Held, true, Is.Sent, Is.Delivered, Is.Bounced, Is.Bounced, Is.Failed },
        { Is.Scheduled, false, null, null, null, null, null },
        { Is.Queued, false, null, null, null, null, null },
        { Is.Queued, true, Is.Sent, Is.Delivered, Is.Bounced, null, null },
        { Is.Leased, true, null, null, null, null, null },
        { Is.Sent, false, null, Is.Delivered, Is.Bounced, Is.Bounced, Is.Failed },
        { Is.Delivered, false, null, null, Is.Bounced, null, null },
        { Is.Bounced, false, null, null, null, null, null },
        { Is.Failed, false, null, Is.Delivered, null, null, null },
        { Is.Expired, false, null, Is.Delivered, null, null, null },
        { Is.Suppressed, false, null, Is.Delivered, null, null, null },
        { Is.Cancelled, false, null, Is.Delivered, null, null, null },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public void Each_state_moves_as_the_table_says(Is state, bool inDoubt, Is? taken, Is? arrived,
        Is? badForGood, Is? givenUp, Is? notSent)
    {
        void Expect(Is? expected, params FeedbackKind[] kinds) =>
            Assert.All(kinds, kind => Assert.Equal(expected, FeedbackPrecedence.Next(state, inDoubt, kind)));
        Expect(taken, Accepted, Deferred);
        Expect(arrived, Delivered, Opened, Clicked, Complained, Unsubscribed);
        Expect(badForGood, BouncedHard);
        Expect(givenUp, BouncedSoft, Blocked);
        Expect(notSent, Rejected);
        Expect(null, Other, Resubscribed);
    }

    [Fact]
    public void Only_a_running_attempt_makes_a_report_wait()
    {
        foreach (var state in Enum.GetValues<Is>())
            foreach (var kind in Enum.GetValues<FeedbackKind>())
                Assert.Equal(state == Is.Leased && kind is not (Other or Resubscribed), FeedbackPrecedence.MustWait(state, kind));
    }

    [Fact]
    public void Nothing_un_bounces_and_nothing_opens_again() => Check.QuickThrowOnFailure(Prop.ForAll(Reports, reports =>
    {
        var state = Is.Sent;
        foreach (var kind in reports)
        {
            var next = FeedbackPrecedence.Next(state, false, kind) ?? state;
            Assert.False(next.IsOpen);
            Assert.True(state != Is.Bounced || next == Is.Bounced);
            state = next;
        }
        if (reports.Contains(BouncedHard) && !reports.Contains(Rejected))
            Assert.Equal(Is.Bounced, state);
    }));

    // Who gave up and who refused says less than who has it: their order may matter, all other orders do not.
    [Fact]
    public void Order_does_not_matter() => Check.QuickThrowOnFailure(Prop.ForAll(Reports, reports =>
    {
        var sure = reports.Where(kind => kind is not (BouncedSoft or Blocked or Rejected)).ToArray();
        Assert.Equal(Final(sure), Final([.. sure.Reverse()]));
        Assert.Equal(Final(sure), Final([.. sure.Order()]));
        Assert.Equal(Final(sure), Final([.. sure, .. sure]));
    }));

    static Is Final(FeedbackKind[] kinds) =>
        kinds.Aggregate(Is.Sent, (state, kind) => FeedbackPrecedence.Next(state, false, kind) ?? state);

    static Arbitrary<FeedbackKind[]> Reports => Gen.Elements(Enum.GetValues<FeedbackKind>()).ArrayOf().ToArbitrary();
}
