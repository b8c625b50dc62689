using System.Buffers;
using Postrider.Mail.Smtp;
using Postrider.Testing;
using Xunit;
using static Postrider.Mail.Smtp.SmtpRecipientState;

namespace Postrider.Mail.Tests.Smtp;

/// <summary>Every fault at every step: what is known to be unsent must be exactly that, for it decides over duplicates.</summary>
public sealed class SmtpFaultTests
{
    /// <summary>What the peer does instead of answering.</summary>
    public enum Misdeed
    {
        HangUp,
        Reset,
        Silence,
        Drip,
        Cancelled,
        Garbage,
        MismatchedCodes,
        MegabyteLine,
        EndlessLines,
        ServiceClosing,
        ThreeHundred,
    }

    static readonly SmtpPhase[] Steps = [SmtpPhase.Banner, SmtpPhase.Ehlo, SmtpPhase.Mail, SmtpPhase.Rcpt, SmtpPhase.Data,
        SmtpPhase.Content, SmtpPhase.FinalDot];

    public static TheoryData<SmtpPhase, Misdeed> Faults
    {
        get
        {
            var faults = new TheoryData<SmtpPhase, Misdeed>();
            foreach (var step in Steps)
            {
                foreach (var misdeed in Enum.GetValues<Misdeed>())
                {
                    // Nothing but a broken connection can come between 354 and the dot; and 3xx is what DATA is answered with.
                    if (step == SmtpPhase.Content
                        && misdeed is not (Misdeed.HangUp or Misdeed.Reset or Misdeed.Silence or Misdeed.Cancelled))
                        continue;
                    if (step == SmtpPhase.Data && misdeed == Misdeed.ThreeHundred)
                        continue;
                    faults.Add(step, misdeed);
                }
            }
            return faults;
        }
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Only_what_left_completely_and_was_not_answered_may_have_been_taken(SmtpPhase step, Misdeed misdeed)
    {
        var clock = new ManualClock();
        using var cancel = new CancellationTokenSource();
        var reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var peer = ScriptedPeer.Start(c => PlayAsync(c, step, misdeed, reached, cancel));

        // More than the sockets' buffers hold, so that a peer that does not read stops the content.
        var lines = step == SmtpPhase.Content ? 250_000 : 100;
        var content = Mails.Content(string.Concat(Enumerable.Repeat(new string('a', 76) + "\r\n", lines)));
        var sending = SendAsync(peer, content, clock, misdeed == Misdeed.Cancelled ? cancel.Token : CancellationToken.None);
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);
        if (misdeed is Misdeed.Silence or Misdeed.Drip)
            await clock.AdvanceUntilAsync(() => sending.IsCompleted, TimeSpan.FromSeconds(3), TimeSpan.FromMinutes(11));
        var (failure, states) = await sending.WaitAsync(TimeSpan.FromSeconds(20), TimeProvider.System);

        var mayBeTaken = step == SmtpPhase.FinalDot && misdeed != Misdeed.ServiceClosing;
        Assert.Equal(!mayBeTaken, failure.KnownUnsent);
        if (misdeed is Misdeed.HangUp or Misdeed.Reset or Misdeed.Silence or Misdeed.Drip or Misdeed.Cancelled)
            Assert.Equal(mayBeTaken, failure.Text.Contains("it may have been accepted", StringComparison.Ordinal));
        if (misdeed == Misdeed.Silence && step == SmtpPhase.FinalDot)
            Assert.Equal("no answer within 10 min after the whole message was sent; it may have been accepted", failure.Text);
        // What happens before the greeting may hit the client while it still connects.
        if (step != SmtpPhase.Banner || failure.Phase != SmtpPhase.Connect)
            Assert.Equal((step, Expected(misdeed)), (failure.Phase, failure.Kind));
        Assert.All(states, state => Assert.Equal(misdeed == Misdeed.ServiceClosing ? Refused : Unresolved, state));
        if (misdeed is Misdeed.Silence or Misdeed.Drip)
            Assert.InRange(TimeSpan.FromTicks(clock.GetTimestamp()), Limit(step), Limit(step) + TimeSpan.FromSeconds(20));
    }

    static SmtpFailureKind Expected(Misdeed misdeed) => misdeed switch
    {
        Misdeed.HangUp or Misdeed.Reset => SmtpFailureKind.ConnectionClosed,
        Misdeed.Silence or Misdeed.Drip => SmtpFailureKind.Timeout,
        Misdeed.Cancelled => SmtpFailureKind.Cancelled,
        Misdeed.Garbage or Misdeed.MismatchedCodes or Misdeed.ThreeHundred => SmtpFailureKind.Protocol,
        Misdeed.MegabyteLine or Misdeed.EndlessLines => SmtpFailureKind.ResponseTooLarge,
        Misdeed.ServiceClosing => SmtpFailureKind.ServiceClosing,
    };

    static TimeSpan Limit(SmtpPhase step) => step switch
    {
        SmtpPhase.Banner => SmtpTimeouts.Default.Banner,
        SmtpPhase.Ehlo => SmtpTimeouts.Default.Ehlo,
        SmtpPhase.Mail => SmtpTimeouts.Default.Mail,
        SmtpPhase.Rcpt => SmtpTimeouts.Default.Rcpt,
        SmtpPhase.Data => SmtpTimeouts.Default.Data,
        SmtpPhase.Content => SmtpTimeouts.Default.DataBlock,
        _ => SmtpTimeouts.Default.FinalDot,
    };

    static async Task<(SmtpFailure Failure, SmtpRecipientState[] States)> SendAsync(
        ScriptedPeer peer, ReadOnlySequence<byte> content, TimeProvider clock, CancellationToken ct)
    {
        var opening = await SmtpConnection.OpenAsync(Mails.At(peer), SmtpTimeouts.Default, clock, ct);
        if (opening.Connection is not { } connection)
            return (opening.Failure!, []);
        await using (connection)
        {
            var result = await connection.SendAsync(Mails.To("a@to.test", "b@to.test"), content, commitPoint: null, ct);
            Assert.False(connection.IsUsable);
            return (result.Failure!, result.States);
        }
    }

    /// <summary>An honest server up to the step, and then not.</summary>
    static async Task PlayAsync(ScriptedConnection c, SmtpPhase step, Misdeed misdeed, TaskCompletionSource reached,
        CancellationTokenSource cancel)
    {
        foreach (var (phase, command, answer) in Honest)
        {
            if (command != "")
                await c.ReadToAsync(command);
            if (phase == step)
            {
                await MisbehaveAsync(c, misdeed, reached, cancel);
                return;
            }
            await c.SayAsync(answer);
        }
    }

    static readonly (SmtpPhase, string, string)[] Honest =
    [
        (SmtpPhase.Banner, "", "220 peer.test\r\n"),
        (SmtpPhase.Ehlo, "EHLO", "250 peer.test\r\n"),
        (SmtpPhase.Mail, "MAIL", "250 ok\r\n"),
        (SmtpPhase.Rcpt, "RCPT", "250 ok\r\n"),
        (SmtpPhase.Rcpt, "RCPT", "250 ok\r\n"),
        (SmtpPhase.Data, "DATA\r\n", "354 go\r\n"),
        (SmtpPhase.Content, "aaaa", ""),
        (SmtpPhase.FinalDot, "\r\n.\r\n", "250 taken\r\n"),
    ];

    static async Task MisbehaveAsync(ScriptedConnection c, Misdeed misdeed, TaskCompletionSource reached, CancellationTokenSource cancel)
    {
        reached.SetResult();
        switch (misdeed)
        {
            case Misdeed.HangUp:
                c.HangUp();
                break;
            case Misdeed.Reset:
                c.Reset();
                break;
            case Misdeed.Drip:
                await c.DripAsync("250-" + new string('a', 4000), TimeSpan.FromMilliseconds(5));
                break;
            case Misdeed.Cancelled:
                await cancel.CancelAsync();
                break;
            case Misdeed.Garbage:
                await c.SayAsync("HTTP/1.1 400 Bad Request\r\n\r\n");
                break;
            case Misdeed.MismatchedCodes:
                await c.SayAsync("250-one\r\n251-two\r\n550 three\r\n");
                break;
            case Misdeed.MegabyteLine:
                await c.SayAsync("250 " + new string('a', 1 << 20) + "\r\n");
                break;
            case Misdeed.EndlessLines:
                for (var i = 0; i < 100; i++)
                    await c.SayAsync(string.Concat(Enumerable.Repeat("250-more\r\n", 100)));
                break;
            case Misdeed.ServiceClosing:
                await c.SayAsync("421 4.3.2 shutting down\r\n");
                break;
            case Misdeed.ThreeHundred:
                await c.SayAsync("354 what?\r\n");
                break;
            case Misdeed.Silence:
                break;
        }
    }
}
